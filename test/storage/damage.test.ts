/**
 * Every damage that a folder may suffer, one at a time: what the next start says, what fsck finds, and
 * that recover brings back every acknowledged entry.
 */
import assert from 'node:assert/strict';
import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodeHex, encodeUtf8, formatCheckpoint, sha256, signNote } from '../../tlog/index.js';
import { type FsckReport, fsckFolder, fsckSource } from '../../log-server/offline/fsck.js';
import { type RecoverResult, recover } from '../../log-server/offline/recover.js';
import { FolderSource } from '../../log-server/storage/folder-source.js';
import { StorageError, initLogStorage, openLogStorage } from '../../log-server/storage/index.js';
import { Random } from '../random.js';
import {
  KEY,
  ORIGIN,
  effects,
  entriesFrom,
  entryAt,
  noteFor,
  optionsFor,
  publishBatch,
  rootOf,
  withFolder,
} from './kit.js';

const SIZE = 700;
const ROOT = encodeHex(rootOf(entriesFrom(0, SIZE)));
/** How many bits are tried of one file. */
const BITS = 16;
const NOW = new Date(Date.UTC(2030, 0, 2, 3, 4, 5));

/** Made once, copied for each damage. `older` is the same folder 100 entries earlier. */
let model: string;

before(async () => {
  model = await mkdtemp(join(tmpdir(), 'stele-damage-'));
  const options = optionsFor(model);
  let storage = await initLogStorage(options);
  await storage.writeSigned(noteFor(0, storage.rootHash()));
  for (const [first, count] of [
    [0, 1],
    [1, 254],
    [255, 2],
    [257, 300],
    [557, 43],
  ] as const) {
    await publishBatch(storage, entriesFrom(first, count));
  }
  await storage.close();
  await cp(join(model, 'data'), join(model, 'older'), { recursive: true });
  // Reopened, so that what came before lies in a table and the rest in the write-ahead log.
  storage = await openLogStorage(options);
  for (let first = 600; first < SIZE; first += 20) await publishBatch(storage, entriesFrom(first, 20));
  await storage.putWitnessSizes(new Map([['w.example', SIZE]]));
  await storage.close();

  const mirror = join(model, 'mirror');
  await withFolder(async (folder) => {
    const twin = await initLogStorage(optionsFor(folder, { publishPartials: true }));
    await twin.writeSigned(noteFor(0, twin.rootHash()));
    await publishBatch(twin, entriesFrom(0, SIZE));
    await twin.close();
    await rename(join(folder, 'data', 'public'), mirror);
  });
});

after(() => rm(model, { recursive: true, force: true }));

async function withCopy(work: (folder: string, data: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await cp(model, folder, { recursive: true });
    await work(folder, join(folder, 'data'));
  });
}

async function flip(file: string, at: number, bit = 0): Promise<void> {
  const bytes = await readFile(file);
  const byte = bytes[at];
  assert.ok(byte !== undefined, `${file} has ${bytes.length} bytes`);
  bytes[at] = byte ^ (1 << bit);
  await writeFile(file, bytes);
}

async function stateFile(data: string, ending: string): Promise<string> {
  const names = (await readdir(join(data, 'state'))).filter((name) => name.endsWith(ending)).sort();
  const name = names.at(-1);
  assert.ok(name, `no file ${ending} in the state`);
  return join(data, 'state', name);
}

/** How a start ends: its code, or `opened` with everything right after a scrub. */
async function start(folder: string): Promise<string> {
  try {
    const storage = await openLogStorage(optionsFor(folder));
    try {
      await storage.scrub();
      assert.equal(storage.size, SIZE);
      assert.equal(encodeHex(storage.rootHash()), ROOT);
      for (let index = 0; index < SIZE; index += 7) {
        assert.equal(await storage.lookup(sha256(entryAt(index))), index);
        assert.deepEqual(await storage.readEntry(index), entryAt(index));
      }
    } finally {
      await storage.close();
    }
    return 'opened';
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code.startsWith('state_')) assert.match(error.hint, /stele-log recover/);
    return error.code;
  }
}

function signHead(text: string): Uint8Array {
  return signNote(text, [KEY]);
}

function fsck(folder: string): Promise<FsckReport> {
  return fsckFolder({ ...optionsFor(folder), effects });
}

async function mend(folder: string, from: string[] = []): Promise<RecoverResult> {
  const result = await recover({ ...optionsFor(folder), from, effects, now: NOW, signHead });
  assert.equal(result.size, SIZE);
  assert.equal(encodeHex(result.rootHash), ROOT);
  if (result.kept) assert.equal(result.kept, join(folder, 'data.damaged-20300102T030405Z'));
  assert.equal(await start(folder), 'opened');
  const report = await fsck(folder);
  assert.deepEqual(report.problems, []);
  assert.equal(report.checked.identities, SIZE);
  const storage = await openLogStorage(optionsFor(folder));
  await publishBatch(storage, entriesFrom(SIZE, 3));
  await storage.close();
  return result;
}

const DAMAGED = ['state_damaged'];
const EITHER = ['state_damaged', 'state_rolled_back'];

/** Damages that the next start finds and that the folder's own second copy mends. */
const mendable: Record<string, { damage: (data: string) => Promise<void>; start: string[] }> = {
  'the write-ahead log is gone': {
    damage: async (data) => rm(await stateFile(data, '.log')),
    start: EITHER,
  },
  'the write-ahead log is cut in half': {
    damage: async (data) => {
      const file = await stateFile(data, '.log');
      await truncate(file, Math.floor((await readFile(file)).length / 2));
    },
    start: EITHER,
  },
  'a table is gone': { damage: async (data) => rm(await stateFile(data, '.ldb')), start: DAMAGED },
  'the manifest is gone': {
    damage: async (data) => {
      const names = await readdir(join(data, 'state'));
      for (const name of names) if (name.startsWith('MANIFEST')) await rm(join(data, 'state', name));
    },
    start: DAMAGED,
  },
  'CURRENT is gone': { damage: (data) => rm(join(data, 'state', 'CURRENT')), start: DAMAGED },
  'the state is gone': { damage: (data) => rm(join(data, 'state'), { recursive: true }), start: DAMAGED },
  'the state is an older copy': {
    damage: async (data) => {
      await rm(join(data, 'state'), { recursive: true });
      await cp(join(data, '../older/state'), join(data, 'state'), { recursive: true });
    },
    start: ['state_rolled_back'],
  },
  'the tail is gone': { damage: (data) => rm(join(data, 'tail')), start: DAMAGED },
  'the tail is cut': { damage: (data) => truncate(join(data, 'tail'), 2000), start: DAMAGED },
  'the tail is empty': { damage: (data) => truncate(join(data, 'tail'), 0), start: DAMAGED },
  'the tail is an older copy': {
    damage: (data) => cp(join(data, '../older/tail'), join(data, 'tail')),
    start: DAMAGED,
  },
  'a tile has a wrong bit': { damage: (data) => flip(join(data, 'public/tile/0/001'), 1000), start: DAMAGED },
  'a tile is cut': { damage: (data) => truncate(join(data, 'public/tile/0/000'), 8000), start: DAMAGED },
  'a tile is gone': { damage: (data) => rm(join(data, 'public/tile/0/000')), start: DAMAGED },
  'the signed note has a wrong bit': { damage: (data) => flip(join(data, 'signed'), 150), start: DAMAGED },
  'the signed note is cut': { damage: (data) => truncate(join(data, 'signed'), 100), start: DAMAGED },
  'the signed note is gone': { damage: (data) => rm(join(data, 'signed')), start: DAMAGED },
  'the signed note is an older copy': {
    damage: (data) => cp(join(data, '../older/signed'), join(data, 'signed')),
    start: ['state_rolled_back'],
  },
  'both notes are older copies': {
    damage: async (data) => {
      for (const name of ['signed', 'published']) await cp(join(data, '../older', name), join(data, name));
    },
    start: ['state_rolled_back'],
  },
  'the published note has a wrong bit': {
    damage: (data) => flip(join(data, 'published'), 200),
    start: DAMAGED,
  },
  'the published note is gone': { damage: (data) => rm(join(data, 'published')), start: DAMAGED },
  'the format file is gone': { damage: (data) => rm(join(data, 'format')), start: ['no_log_here'] },
};

describe('one damage, mended from the folder itself', () => {
  it('none: it opens, and fsck finds nothing', async () => {
    await withCopy(async (folder) => {
      assert.equal(await start(folder), 'opened');
      const report = await fsck(folder);
      assert.deepEqual([report.problems, report.remarks, report.notChecked], [[], [], []]);
      assert.equal(report.checked.entries, SIZE);
    });
  });

  for (const [name, { damage, start: expected }] of Object.entries(mendable)) {
    it(name, async () => {
      await withCopy(async (folder, data) => {
        await damage(data);
        if (name !== 'the format file is gone') {
          const report = await fsck(folder);
          assert.notDeepEqual(report.problems, [], 'fsck found nothing');
        }
        const code = await start(folder);
        assert.ok(expected.includes(code), `expected ${expected.join(' or ')}, found ${code}`);
        await mend(folder);
      });
    });
  }

  for (const [what, ending, seed] of [
    ['the write-ahead log', '.log', 1],
    ['a table', '.ldb', 2],
  ] as const) {
    it(`one bit in ${what}, anywhere`, async (t) => {
      const random = new Random(seed);
      const ends = new Map<string, number>();
      for (let i = 0; i < BITS; i++) {
        await withCopy(async (folder, data) => {
          const file = await stateFile(data, ending);
          await flip(file, random.below((await readFile(file)).length), random.below(8));
          const code = await start(folder);
          ends.set(code, (ends.get(code) ?? 0) + 1);
          assert.ok(['opened', ...EITHER].includes(code), code);
          if (code !== 'opened' && i % 4 === 0) await mend(folder);
        });
      }
      t.diagnostic(`${BITS} bits: ${JSON.stringify(Object.fromEntries(ends))}`);
      assert.ok((ends.get('opened') ?? 0) < BITS);
    });
  }

  it('one bit in the tail, anywhere', async () => {
    const random = new Random(3);
    for (let i = 0; i < BITS; i++) {
      await withCopy(async (folder, data) => {
        const file = join(data, 'tail');
        await flip(file, random.below((await readFile(file)).length), random.below(8));
        assert.equal(await start(folder), 'state_damaged');
        if (i % 8 === 0) await mend(folder);
      });
    }
  });
});

describe('one damage that needs another copy', () => {
  for (const [name, damage] of Object.entries({
    'a bundle has a wrong bit': (data: string) => flip(join(data, 'public/tile/entries/001'), 5000, 3),
    'a bundle is cut': (data: string) => truncate(join(data, 'public/tile/entries/000'), 5000),
    'a bundle is gone': (data: string) => rm(join(data, 'public/tile/entries/001')),
    'the whole folder is gone': (data: string) => rm(data, { recursive: true }),
  })) {
    it(name, async () => {
      await withCopy(async (folder, data) => {
        await damage(data);
        const gone = name === 'the whole folder is gone';
        if (!gone) {
          const report = await fsck(folder);
          assert.ok(report.problems.some(({ file }) => file.startsWith('tile/entries/')));
        }
        await assert.rejects(mend(folder), (error: unknown) => {
          assert.ok(error instanceof StorageError);
          assert.equal(error.code, 'not_recoverable');
          assert.match(error.hint, /successor|succeeds/);
          return true;
        });
        const names = await readdir(folder);
        assert.deepEqual(
          names.filter((file) => file.startsWith('data')),
          gone ? [] : ['data'],
          'a refusal changes nothing',
        );
        const result = await mend(folder, [join(folder, 'mirror')]);
        assert.equal(result.kept === undefined, gone);
      });
    });
  }

  it('an entry of a bundle comes back from what its submitter kept', async () => {
    await withCopy(async (folder, data) => {
      const bundle = join(data, 'public/tile/entries/000');
      const bytes = await readFile(bundle);
      await flip(bundle, bytes.indexOf(Buffer.from(entryAt(17))) + 3);
      const kept = join(folder, 'submitter/a');
      await cp(join(folder, 'mirror'), join(folder, 'elsewhere'), { recursive: true });
      await rm(join(folder, 'mirror'), { recursive: true });
      await cp(join(folder, 'elsewhere/checkpoint'), join(kept, 'note'));
      await writeFile(join(kept, 'entry'), entryAt(17));
      const result = await mend(folder, [join(folder, 'submitter')]);
      assert.equal(result.taken.get(`files in ${kept}`), 1);
    });
  });

  it('the folder is an older copy, the key is not: refused, and mended from a mirror', async () => {
    await withCopy(async (folder, data) => {
      await rm(data, { recursive: true });
      await rename(join(folder, 'older'), data);
      assert.equal(await start(folder), 'state_rolled_back');
      await assert.rejects(mend(folder), { code: 'not_recoverable' });
      await mend(folder, [join(folder, 'mirror')]);
    });
  });

  it('two histories under one key are evidence, not something to recover from', async () => {
    await withCopy(async (folder) => {
      const text = formatCheckpoint({
        origin: ORIGIN,
        size: 650,
        rootHash: sha256(encodeUtf8('another tree')),
        extensions: [],
      });
      await writeFile(join(folder, 'mirror/note'), signNote(text, [KEY]));
      await assert.rejects(mend(folder, [join(folder, 'mirror')]), (error: unknown) => {
        assert.ok(error instanceof StorageError);
        assert.match(error.message, /different trees/);
        return error.code === 'not_recoverable';
      });
    });
  });

  it('a run cut off between its two renames is finished by the next', async () => {
    await withCopy(async (folder, data) => {
      await rename(data, `${data}.recovered`);
      const result = await mend(folder);
      assert.equal(result.headFrom, 'an earlier run');
    });
  });

  it('a folder that is a link to another disk is rebuilt there, cut off or not', async () => {
    await withCopy(async (folder, data) => {
      const disk = join(folder, 'disk');
      await mkdir(disk);
      await rename(data, join(disk, 'data'));
      await symlink('disk/data', data);
      await rm(join(data, 'tail'));
      const options = { ...optionsFor(folder), from: [], effects, now: NOW, signHead };
      const { kept } = await recover(options);
      assert.equal(kept, join(disk, 'data.damaged-20300102T030405Z'));
      await rename(join(disk, 'data'), join(disk, 'data.recovered'));
      assert.equal((await recover(options)).headFrom, 'an earlier run');
      assert.equal(await readlink(data), 'disk/data');
      assert.equal(await start(folder), 'opened');
      const left = [...(await readdir(folder)), ...(await readdir(disk))];
      assert.deepEqual(left.filter((name) => name.startsWith('data')).sort(), [
        'data',
        'data',
        'data.damaged-20300102T030405Z',
      ]);
    });
  });

  it('a state is read beside the folder, wherever there is no room; what kept it from being read is told', async () => {
    await withCopy(async (folder, data) => {
      // As where the disk of temporary files is full. All that is left of the last entries is in the state.
      const before = process.env['TMPDIR'];
      process.env['TMPDIR'] = join(folder, 'none');
      try {
        await rm(join(data, 'tail'));
        const { remarks } = await recover({ ...optionsFor(folder), from: [], effects, now: NOW, signHead });
        assert.ok(!remarks.some((remark) => remark.startsWith('state: ')), remarks.join());
      } finally {
        if (before === undefined) delete process.env['TMPDIR'];
        else process.env['TMPDIR'] = before;
      }
    });
    await withCopy(async (folder, data) => {
      await rm(join(data, 'tail'));
      await rm(join(data, 'state', 'CURRENT'));
      await assert.rejects(mend(folder), (error: unknown) => {
        assert.ok(error instanceof StorageError && error.code === 'not_recoverable');
        assert.match(error.message, /missing or doubtful: .* \(state: .* does not open: .*; tail: no file\)/);
        return true;
      });
    });
  });
});

describe('fsck of a plain C2SP folder', () => {
  /** The quick way says what the slow one does, whatever is wrong. */
  const check = async (folder: string): Promise<FsckReport> => {
    const options = { logKeys: [KEY.vkey], origin: ORIGIN };
    const report = await fsckSource(new FolderSource(join(folder, 'mirror')), options);
    const slow = await fsckSource(new FolderSource(join(folder, 'mirror')), options, null);
    assert.deepEqual(report, slow);
    return report;
  };

  it('is clean, and counts what it looked at', async () => {
    await withCopy(async (folder) => {
      const report = await check(folder);
      assert.deepEqual([report.problems, report.size, report.checked.entries], [[], SIZE, SIZE]);
      assert.equal(report.checked.bundles, 3);
      // Three of level 0 and the one above them.
      assert.equal(report.checked.tiles, 4);
      assert.equal(report.checked.partials, 3);
    });
  });

  for (const path of [
    'tile/entries/000',
    'tile/entries/002.p/188',
    'tile/0/001',
    'tile/0/002.p/188',
    'tile/1/000.p/2',
    'checkpoint',
  ]) {
    it(`names ${path} for one wrong bit, cut, or gone`, async () => {
      for (const harm of ['flip', 'cut', 'gone']) {
        await withCopy(async (folder) => {
          const file = join(folder, 'mirror', path);
          if (harm === 'flip') await flip(file, 50);
          if (harm === 'cut') await truncate(file, 40);
          if (harm === 'gone') await rm(file);
          const { problems } = await check(folder);
          assert.ok(
            problems.some((problem) => problem.file === path),
            `${harm}: ${JSON.stringify(problems)}`,
          );
        });
      }
    });
  }
});
