// A witness never goes back: races, kills at every named step, damaged files, two processes.
import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { fstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, test } from 'node:test';
import { WitnessClient, type AddCheckpointResult } from '../client/index.js';
import {
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  openCheckpoint,
  sha256,
  signNote,
  type Vkey,
} from '../tlog/index.js';
import { addLog, originHash, type Step, type WitnessError } from '../witness/index.js';
import { startScript, type Child } from './helpers/process.js';
import { SigningLog } from './helpers/signing-log.js';
import {
  serveFolder as serve,
  TestClock,
  witnessFolder as newFolder,
  type TestWitness,
  type TestWitnessOptions,
} from './helpers/witness.js';

const log = new SigningLog();

// A test that fails must end too: what it left open is closed, and folders go.
const cleanUp: (() => Promise<void>)[] = [];
const stalls: Stall[] = [];
afterEach(async () => {
  for (const stall of stalls.splice(0)) stall.releaseAll();
  for (const last of cleanUp.splice(0).reverse()) await last();
});

async function serveFolder(folder: string, options?: TestWitnessOptions): Promise<TestWitness> {
  const witness = await serve(folder, options);
  cleanUp.push(() => witness.close());
  return witness;
}

async function witnessFolder(options?: TestWitnessOptions): Promise<string> {
  const folder = await newFolder(options);
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function startTestWitness(options?: TestWitnessOptions): Promise<TestWitness> {
  return serveFolder(await witnessFolder(options), options);
}

function startChild(script: string, args: readonly string[]): Child {
  const child = startScript(script, args);
  cleanUp.push(async () => {
    child.process.kill('SIGKILL');
    await child.ended;
  });
  return child;
}

async function add(
  to: { url: string; vkeys: Vkey[] },
  oldSize: number,
  size: number,
  from = log,
): Promise<AddCheckpointResult> {
  const client = new WitnessClient({ url: to.url, vkeys: to.vkeys });
  return client.addCheckpoint({ oldSize, proof: await from.proof(oldSize, size), note: from.note(size) });
}

/** The size that the witness holds: it tells in a 409. */
async function sizeAt(to: { url: string; vkeys: Vkey[] }, from = log): Promise<number> {
  const client = new WitnessClient({ url: to.url, vkeys: to.vkeys });
  const result = await client.addCheckpoint({ oldSize: 999, proof: [], note: from.note(1000) });
  assert.ok(result.kind === 'conflict' && result.size !== undefined, JSON.stringify(result));
  return result.size;
}

/** A step that holds whoever reaches it until released, one at a time, in any order. */
class Stall {
  readonly #waiting: (() => void)[] = [];
  #arrived: () => void = () => undefined;
  readonly step: Step;

  constructor(name: string, times: number) {
    stalls.push(this);
    let left = times;
    this.step = (reached) => {
      if (reached !== name || left-- <= 0) return undefined;
      return new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        this.#arrived();
      });
    };
  }

  async arrived(count: number): Promise<void> {
    while (this.#waiting.length < count) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }

  release(index: number): void {
    this.#waiting[index]?.();
  }

  releaseAll(): void {
    for (const go of this.#waiting) go();
  }
}

for (const order of [
  [0, 1],
  [1, 0],
] as const) {
  test(`two requests stalled between check and write, the ${order[0] === 0 ? 'first' : 'second'} goes on first`, async () => {
    const stall = new Stall('decided', 3);
    const witness = await startTestWitness({ logs: [log.vkey], step: stall.step });
    const opening = add(witness, 0, 4);
    await stall.arrived(1);
    stall.release(0);
    assert.equal((await opening).kind, 'cosigned');
    const sizes = [6, 9];
    const answers = [add(witness, 4, 6)];
    await stall.arrived(2);
    answers.push(add(witness, 4, 9));
    await stall.arrived(3);
    stall.release(order[0] + 1);
    assert.equal((await answers[order[0]])?.kind, 'cosigned');
    stall.release(order[1] + 1);
    assert.deepEqual(await answers[order[1]], { kind: 'conflict', size: sizes[order[0]] });
    assert.equal(await sizeAt(witness), sizes[order[0]]);
  });
}

test('a second request for the same size waits for nobody and is cosigned too', async () => {
  const stall = new Stall('decided', 2);
  const witness = await startTestWitness({ logs: [log.vkey], step: stall.step });
  // Both decided on the same state; the loser of the swap decides again, and its old size is stale.
  const both = [add(witness, 0, 0), add(witness, 0, 0)];
  await stall.arrived(2);
  stall.release(0);
  stall.release(1);
  assert.deepEqual(
    (await Promise.all(both)).map(({ kind }) => kind),
    ['cosigned', 'cosigned'],
  );
});

test('one stalled at its signature keeps the log to itself, and no time outruns it', async () => {
  const stall = new Stall('signing', 1);
  const clock = new TestClock();
  const witness = await startTestWitness({ logs: [log.vkey], mldsa: true, step: stall.step, clock });
  const times = async (asked: Promise<AddCheckpointResult>): Promise<(number | undefined)[]> => {
    const result = await asked;
    return result.kind === 'cosigned' ? result.cosignatures.map(({ timestamp }) => timestamp) : [];
  };
  const first = add(witness, 0, 5);
  await stall.arrived(1);
  clock.pass(5000);
  // Judged against the same state; it may not be signed, and much less stored, before the first one is.
  const second = add(witness, 0, 7);
  await fetch(`${witness.url}/healthz`);
  stall.releaseAll();
  assert.deepEqual(await times(first), [1_700_000_000, 1_700_000_000]);
  assert.deepEqual(await second, { kind: 'conflict', size: 5 });
  // What is stored is what was answered.
  const shown = await (await fetch(`${witness.url}/${originHash(log.origin)}/checkpoint`)).text();
  const { cosignatures } = openCheckpoint(encodeUtf8(shown), [log.vkey], witness.vkeys);
  assert.deepEqual(
    cosignatures.map(({ timestamp }) => timestamp),
    [1_700_000_000, 1_700_000_000],
  );
  assert.deepEqual(await times(add(witness, 5, 7)), [1_700_000_005, 1_700_000_005]);
});

test('a signing thread that ends or is lost changes nothing, and the next request is signed', async () => {
  const script = new URL('./helpers/bad-signing-worker.js', import.meta.url);
  const witness = await startTestWitness({ logs: [log.vkey], mldsa: true, signing: { script, threads: 1 } });
  assert.equal((await add(witness, 0, 5)).kind, 'cosigned');
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  for (const order of ['exit', 'throw']) {
    const root = { origin: log.origin, size: 9, rootHash: log.root(9) };
    const note = signNote(formatCheckpoint({ ...root, extensions: [order] }), [log.key]);
    const proof = await log.proof(5, 9);
    const result = await client.addCheckpoint({ oldSize: 5, proof, note });
    assert.ok(result.kind === 'silent');
    assert.equal(result.retryAfter, 1);
    assert.equal(await sizeAt(witness), 5);
  }
  assert.equal((await fetch(`${witness.url}/healthz`)).status, 200);
  assert.equal((await add(witness, 5, 9)).kind, 'cosigned');
});

test('fifty logs at once, each advanced by several requests at once: one wins each size', async () => {
  const logs = Array.from({ length: 50 }, (_, i) => new SigningLog(`log.example/${i}`));
  const witness = await startTestWitness({ logs: logs.map(({ vkey }) => vkey) });
  for (let size = 0; size < 3; size++) {
    const rounds = logs.map(async (each) => {
      const tries = [1, 2, 3].map(() => add(witness, size, size + 1, each));
      const kinds = (await Promise.all(tries)).map(({ kind }) => kind).sort();
      assert.deepEqual(kinds, ['conflict', 'conflict', 'cosigned']);
    });
    await Promise.all(rounds);
  }
  for (const each of logs) assert.equal(await sizeAt(witness, each), 3);
});

const STEPS = ['decided', 'signing', 'state-writing', 'state-written', 'state-durable', 'answering'];

for (const step of STEPS) {
  test(`killed at ${step}: what was answered is kept, and it goes on`, async () => {
    const folder = await witnessFolder({ logs: [log.vkey], mldsa: step === 'signing' });
    let acknowledged = 0;
    let latest = 0;
    let size = 0;
    for (const count of [1, 2, 4]) {
      const child = startChild('test/helpers/witness-child', [folder, step, String(count)]);
      const url = await child.firstLine;
      const vkeys = await keysOf(folder);
      for (;;) {
        const result = await add({ url, vkeys }, size, size + 3);
        if (result.kind !== 'cosigned') {
          assert.equal(result.kind, 'silent');
          break;
        }
        size += 3;
        acknowledged = size;
        const timestamp = result.cosignatures[0]?.timestamp ?? 0;
        assert.ok(timestamp >= latest);
        latest = timestamp;
      }
      assert.equal(await child.ended, 'SIGKILL');
      const again = await serveFolder(folder);
      const held = await sizeAt(again);
      assert.ok(held === acknowledged || held === acknowledged + 3, `${held} after ${acknowledged}`);
      // Once it is written, it is there: a kill does not lose the page cache.
      const landed = STEPS.indexOf(step) >= STEPS.indexOf('state-written');
      assert.equal(held, landed ? acknowledged + 3 : acknowledged);
      size = held;
      assert.ok((await readdir(join(folder, 'state'))).every((name) => !name.endsWith('.tmp')));
      await again.close();
    }
  });
}

test('killed at random under load, many times: nothing answered is forgotten', async () => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  let acknowledged = 0;
  let kills = 0;
  for (const wait of [0, 1, 2, 3, 5, 8, 13, 21]) {
    const child = startChild('test/helpers/witness-child', [folder]);
    const target = { url: await child.firstLine, vkeys: await keysOf(folder) };
    let size = await sizeAt(target);
    assert.ok(size >= acknowledged);
    let answered = 0;
    for (;;) {
      const asked = add(target, size, size + 1);
      if (answered++ === wait) child.process.kill('SIGKILL');
      const result = await asked;
      if (result.kind !== 'cosigned') break;
      acknowledged = ++size;
    }
    assert.equal(await child.ended, 'SIGKILL');
    kills++;
  }
  const again = await serveFolder(folder);
  assert.ok((await sizeAt(again)) >= acknowledged);
  assert.equal(kills, 8);
});

async function keysOf(folder: string): Promise<Vkey[]> {
  const { parseSigningKey } = await import('../tlog/index.js');
  return [parseSigningKey((await readFile(join(folder, 'witness.key'), 'utf8')).trimEnd()).vkey];
}

/** What is synced, and the steps reached, while `act` runs over a folder. */
async function syncsOf(folder: string, act: (witness: TestWitness) => Promise<void>): Promise<string[]> {
  const probe = await open(join(folder, 'format'));
  const prototype = Object.getPrototypeOf(probe) as Record<'sync' | 'datasync', () => Promise<void>>;
  await probe.close();
  const { sync, datasync } = prototype;
  const seen: string[] = [];
  const witness = await serveFolder(folder, { step: (name) => void seen.push(name) });
  const watched = (original: () => Promise<void>) =>
    function (this: { fd: number }): Promise<void> {
      const what = fstatSync(this.fd).isDirectory() ? 'sync folder' : 'sync file';
      return original.call(this).then(() => void seen.push(what));
    };
  Object.assign(prototype, { sync: watched(sync), datasync: watched(datasync) });
  try {
    await act(witness);
  } finally {
    Object.assign(prototype, { sync, datasync });
  }
  await witness.close();
  return seen.slice(0, seen.lastIndexOf('answering') + 1);
}

const SYNCED = ['decided', 'signing', 'state-writing', 'state-written', 'sync file', 'state-durable'];

test('the journal is synced before the answer', async () => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  const seen = await syncsOf(folder, async (witness) => {
    assert.equal((await add(witness, 0, 5)).kind, 'cosigned');
  });
  assert.deepEqual(seen, [...SYNCED, 'answering']);
});

test('a journal that is full is followed by another, synced with its name before anything is added', async () => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  let last = 0;
  const seen = await syncsOf(folder, async (witness) => {
    // The first journal has room for sixteen groups.
    for (; last < 20; last++) assert.equal((await add(witness, last, last + 1)).kind, 'cosigned');
  });
  const one = [...SYNCED, 'answering'];
  const renewed = one.toSpliced(3, 0, 'sync file', 'sync folder');
  const all = Array.from({ length: 20 }, (_, i) => (i === 16 ? renewed : one)).flat();
  assert.deepEqual(seen, all);
  assert.equal(await sizeAt(await serveFolder(folder)), 20);
});

/** A folder in which size 5 was cosigned, what add-log made for the log, and the journal. */
async function used(): Promise<{ folder: string; file: string; journal: string }> {
  const folder = await witnessFolder({ logs: [log.vkey] });
  const witness = await serveFolder(folder);
  assert.equal((await add(witness, 0, 5)).kind, 'cosigned');
  await witness.close();
  const state = join(folder, 'state');
  return { folder, file: join(state, originHash(log.origin)), journal: join(state, 'journal') };
}

test('a flipped bit anywhere in the journal, a cut, an end too many, no file: refused, or nothing is lost', async () => {
  const { folder, journal } = await used();
  const good = await readFile(journal);
  const refused = (): Promise<void> => assert.rejects(serveFolder(folder), { code: 'state_damaged' });
  // Three blocks: none of a state, the state, and that it was settled.
  assert.equal(
    good.subarray(3 * 4096).some((byte) => byte !== 0),
    false,
  );
  for (let at = 0; at < 3 * 4096; at += at < 2 * 4096 && at % 4096 < 700 ? 5 : 331) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
    await writeFile(journal, bad);
    if (at < 2 * 4096) {
      await refused();
      continue;
    }
    // Damage of the last group of all, which holds no state.
    const witness = await serveFolder(folder);
    assert.equal(await sizeAt(witness), 5);
    await witness.close();
  }
  for (const length of [0, 1, 4096, 2 * 4096, good.length - 4096, good.length - 1]) {
    await writeFile(journal, good.subarray(0, length));
    await refused();
  }
  await writeFile(journal, Buffer.concat([good, Buffer.alloc(4096)]));
  await refused();
  await rm(journal);
  await refused();
  await writeFile(journal, good);
  assert.equal(await sizeAt(await serveFolder(folder)), 5);
});

test('a witness that rests settles its last state', async () => {
  const clock = new TestClock();
  let wake: (() => void) | undefined;
  let sleeps = 0;
  const asleep = new Promise<void>((resolve) => {
    const sleep = clock.sleep.bind(clock);
    clock.sleep = (ms, signal) => {
      if (ms !== 1000) return sleep(ms, signal);
      sleeps++;
      resolve();
      return new Promise((done) => (wake = done));
    };
  });
  const witness = await startTestWitness({ logs: [log.vkey], clock });
  const journal = join(witness.folder, 'state', 'journal');
  const third = async (): Promise<string> => (await readFile(journal)).toString('latin1', 2 * 4096, 3 * 4096);
  assert.equal((await add(witness, 0, 5)).kind, 'cosigned');
  await asleep;
  assert.match(await third(), /^\0*$/);
  wake?.();
  while (!/^group 2 0 .*\nsha256 .*\n\0*$/.test(await third())) {
    assert.equal(sleeps, 1);
    await new Promise(setImmediate);
  }
});

test('a folder of the format before gets a journal, and its states stay', async () => {
  const { folder, file, journal } = await used();
  // As it was: the log's own file was replaced each time.
  const [line = ''] = /^\{.*\}$/m.exec((await readFile(journal)).toString('latin1')) ?? [];
  const bytes = Buffer.from(`${line}\n`, 'latin1');
  await writeFile(file, Buffer.concat([bytes, Buffer.from(`sha256 ${encodeHex(sha256(bytes))}\n`)]));
  await rm(journal);
  await writeFile(join(folder, 'format'), '0\n');
  const witness = await serveFolder(folder);
  assert.equal(await sizeAt(witness), 5);
  assert.equal((await add(witness, 5, 6)).kind, 'cosigned');
  await witness.close();
  assert.equal(await readFile(join(folder, 'format'), 'utf8'), '1\n');
  const again = await serveFolder(folder);
  assert.equal(await sizeAt(again), 6);
  await again.close();
  // Without its journal it is no folder of the format before: it would forget size 6.
  await rm(journal);
  await assert.rejects(serveFolder(folder), { code: 'state_damaged' });
});

test('a journal with states is not overwritten where the format says that there is none', async () => {
  const { folder, journal } = await used();
  const before = await readFile(journal);
  await writeFile(join(folder, 'format'), '0\n');
  await assert.rejects(serveFolder(folder), { code: 'state_damaged' });
  assert.deepEqual(await readFile(journal), before);
  await writeFile(journal, before.subarray(0, 100));
  await assert.rejects(serveFolder(folder), { code: 'state_damaged' });
  await writeFile(journal, before);
  await writeFile(join(folder, 'format'), '1\n');
  const witness = await serveFolder(folder);
  assert.equal(await sizeAt(witness), 5);
  await witness.close();
});

test('an upgrade that was cut short before the new format was written is done again', async () => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  await writeFile(join(folder, 'format'), '0\n');
  const witness = await serveFolder(folder);
  assert.equal((await add(witness, 0, 5)).kind, 'cosigned');
  await witness.close();
  assert.equal(await readFile(join(folder, 'format'), 'utf8'), '1\n');
});

test("a flipped bit anywhere in a log's own file, a cut, an end too many, another log, no file: refused", async () => {
  const { folder, file } = await used();
  const good = await readFile(file);
  const refused = (): Promise<void> => assert.rejects(serveFolder(folder), { code: 'state_damaged' });
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
    await writeFile(file, bad);
    await refused();
  }
  for (const length of [0, 1, good.length / 2, good.length - 1]) {
    await writeFile(file, good);
    await truncate(file, length);
    await refused();
  }
  await writeFile(file, good);
  await appendFile(file, '\n');
  await refused();
  const other = new SigningLog('log.example/other');
  await addLog(folder, other.vkey);
  await writeFile(file, await readFile(join(folder, 'state', originHash(other.origin))));
  await refused();
  await rm(file);
  await refused();
  // Nor does adding a key to the log make it forget.
  await writeFile(file, good);
  const witness = await serveFolder(folder);
  assert.equal(await sizeAt(witness), 5);
});

test('add-log of a log that was taken out finds its state again', async () => {
  const { folder } = await used();
  await rm(join(folder, 'logs', `${originHash(log.origin)}.json`));
  const without = await serveFolder(folder);
  assert.equal((await add(without, 5, 6)).kind, 'unknown-log');
  await addLog(folder, log.vkey);
  await without.reload();
  assert.equal(await sizeAt(without), 5);
});

/** A witness for `log` and another one, whose writes fail at a step while `fail` names it. */
async function failing(): Promise<{ witness: TestWitness; other: SigningLog; fail: { at: string } }> {
  const other = new SigningLog('log.example/other');
  const folder = await witnessFolder({ logs: [log.vkey, other.vkey] });
  const fail = { at: '' };
  const witness = await serveFolder(folder, {
    step(name) {
      if (name === fail.at) throw new Error('EIO: i/o error');
    },
  });
  assert.equal((await add(witness, 0, 5)).kind, 'cosigned');
  return { witness, other, fail };
}

for (const step of ['state-written', 'state-durable']) {
  test(`after a write that did not end well at ${step} nothing is signed for that log until a restart`, async () => {
    const { witness, other, fail } = await failing();
    const journal = join(witness.folder, 'state', 'journal');
    const { ino } = await stat(journal);
    fail.at = step;
    assert.equal((await add(witness, 5, 6)).kind, 'silent');
    fail.at = '';
    assert.equal((await add(witness, 5, 6)).kind, 'silent');
    assert.equal((await fetch(`${witness.url}/healthz`)).status, 503);
    assert.equal((await add(witness, 0, 6, other)).kind, 'cosigned');
    // Where nobody knows what is there, nothing is added: a new file took its place.
    assert.equal((await stat(journal)).ino !== ino, step === 'state-written');
    await witness.close();
    const again = await serveFolder(witness.folder);
    const held = await sizeAt(again);
    assert.equal(held, step === 'state-written' ? 5 : 6);
    assert.equal((await add(again, held, 7)).kind, 'cosigned');
  });
}

test('a write that failed before it touched the state, as on a full disk, may be tried again', async () => {
  const { witness, fail } = await failing();
  fail.at = 'state-writing';
  assert.equal((await add(witness, 5, 6)).kind, 'silent');
  assert.equal(await sizeAt(witness), 5);
  fail.at = '';
  assert.equal((await add(witness, 5, 6)).kind, 'cosigned');
  assert.equal((await fetch(`${witness.url}/healthz`)).status, 200);
});

test('two witnesses never share a folder, in one process or in two', async () => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  const here = await serveFolder(folder);
  await assert.rejects(serveFolder(folder), { code: 'locked' });
  const there = startChild('test/helpers/witness-child', [folder]);
  assert.equal(await there.ended, 1);
  assert.match(there.stderr(), /locked/);
  assert.equal((await add(here, 0, 5)).kind, 'cosigned');
  await here.close();

  const child = startChild('test/helpers/witness-child', [folder]);
  await child.firstLine;
  await assert.rejects(serveFolder(folder), { code: 'locked' });
  // A lock does not outlive its process, however that ends.
  child.process.kill('SIGKILL');
  await child.ended;
  await serveFolder(folder);
});

test('a lock that the disk has no room for is not said to be held, nor to be removed', async () => {
  const folder = await witnessFolder();
  const manifest = join(folder, 'lock', 'MANIFEST-000001');
  await mkdir(dirname(manifest));
  await symlink('/dev/full', manifest);
  await assert.rejects(serveFolder(folder), (error: WitnessError) => {
    assert.equal(error.code, 'lock_failed');
    assert.match(error.message, /No space left/);
    assert.match(error.hint, /^free space/);
    return true;
  });
  await rm(dirname(manifest), { recursive: true });
  await mkdir(dirname(manifest));
  await writeFile(join(folder, 'lock', 'CURRENT'), 'MANIFEST-000009\n');
  await assert.rejects(serveFolder(folder), (error: WitnessError) => /remove it/.test(error.hint));
});

test('a key that others may read is refused, and so is a folder of a newer format', async () => {
  const folder = await witnessFolder();
  await chmod(join(folder, 'witness.key'), 0o640);
  await assert.rejects(serveFolder(folder), { code: 'key_exposed' });
  await chmod(join(folder, 'witness.key'), 0o600);
  await writeFile(join(folder, 'format'), '2\n');
  await assert.rejects(serveFolder(folder), { code: 'bad_folder' });
});

test('close answers what was asked before', async () => {
  const stall = new Stall('decided', 1);
  const witness = await startTestWitness({ logs: [log.vkey], step: stall.step });
  const asked = add(witness, 0, 5);
  await stall.arrived(1);
  const closed = witness.close();
  stall.release(0);
  assert.equal((await asked).kind, 'cosigned');
  await closed;
  await assert.rejects(fetch(witness.url));
});

const HOUR = 3_600_000;

async function kindAt(witness: TestWitness, oldSize: number, size: number): Promise<string> {
  return (await add(witness, oldSize, size)).kind;
}

test('a clock that leaps ahead signs nothing until confirmed, over a restart too', async () => {
  const clock = new TestClock();
  const folder = await witnessFolder({ logs: [log.vkey] });
  const witness = await serveFolder(folder, { clock });
  assert.equal(await kindAt(witness, 0, 1), 'cosigned');
  // Time that really passes is no leap, and neither is a small step.
  clock.pass(48 * HOUR);
  clock.wall += HOUR - 1000;
  assert.equal(await kindAt(witness, 1, 2), 'cosigned');
  clock.wall += 1001;
  const result = await add(witness, 2, 3);
  assert.ok(result.kind === 'silent');
  assert.equal(result.retryAfter, 300);
  assert.equal(await sizeAt(witness), 2);
  // Going back alone does not mend it: somebody has to look.
  clock.wall -= 2 * HOUR;
  assert.equal(await kindAt(witness, 2, 3), 'silent');
  clock.wall += 2 * HOUR;
  await witness.close();

  const again = await serveFolder(folder, { clock });
  assert.equal(await kindAt(again, 2, 3), 'silent');
  assert.equal((await fetch(`${again.url}/healthz`)).status, 503);
  const asked = startChild('witness/main', ['confirm-clock', '--folder', folder]);
  assert.equal(await asked.ended, 1);
  assert.equal(await kindAt(again, 2, 3), 'silent');
  const confirmed = startChild('witness/main', ['confirm-clock', '--folder', folder, '--yes']);
  assert.equal(await confirmed.ended, 0);
  assert.equal(await kindAt(again, 2, 3), 'cosigned');
  assert.equal((await fetch(`${again.url}/healthz`)).status, 200);
  clock.wall += HOUR + 1;
  assert.equal(await kindAt(again, 3, 4), 'silent');
});

test('a clock set back and forth again is a leap when it comes forward by more than an hour', async () => {
  const clock = new TestClock();
  const witness = await startTestWitness({ logs: [log.vkey], clock });
  clock.wall -= 2 * HOUR;
  assert.equal(await kindAt(witness, 0, 1), 'cosigned');
  clock.wall += 2 * HOUR;
  assert.equal(await kindAt(witness, 1, 2), 'silent');
});
