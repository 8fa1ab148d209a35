import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BuildCopy, type Patch } from '../mutants/copy.js';
import type { Soak } from '../soak/soak.js';
import { type TraceResult, traceRun } from './trace-proof.js';

/** A sync or an order taken out, and the rule that the judge must then find broken. */
export interface Blinding extends Patch {
  readonly desc: string;
  readonly rule: string;
}

const WRITE = 'await file.writeFile(bytes);\n      await file.datasync();';

/** `write` of the disk without its sync, for paths that begin so. */
function withoutWriteSync(desc: string, path: string, rule: string): Blinding {
  const replace = `await file.writeFile(bytes);\n      if (!path.startsWith('${path}')) await file.datasync();`;
  return { desc, file: 'log-server/storage/disk.ts', find: WRITE, replace, rule };
}

/** What the judge must not be blind to. */
export const BLINDINGS: readonly Blinding[] = [
  {
    desc: "sync: true of level's commits",
    file: 'log-server/storage/level-state.ts',
    find: 'await batch.write({ sync: true });',
    replace: 'await batch.write({ sync: false });',
    rule: "before level's log held",
  },
  {
    desc: 'the sync of an append to the tail',
    file: 'log-server/storage/disk.ts',
    find: 'offset + done)).bytesWritten;\n      }\n      await file.datasync();',
    replace: 'offset + done)).bytesWritten;\n      }',
    rule: 'in neither tail nor bundle',
  },
  withoutWriteSync('the sync of a new tail file', 'tail', 'in neither tail nor bundle'),
  withoutWriteSync('the sync of tiles and bundles', 'public', 'before a full tile or bundle was there'),
  withoutWriteSync('the sync of the signed note', 'signed', 'before `signed` held it'),
  withoutWriteSync('the sync of the published note', 'published', 'before `published` held it'),
  {
    desc: 'the sync of folders after renames',
    file: 'log-server/storage/disk.ts',
    find: 'async syncFolder(path: string): Promise<void> {\n    await this.sync(path);',
    replace: 'async syncFolder(_path: string): Promise<void> {\n    await Promise.resolve();',
    rule: 'before `signed` held it',
  },
  {
    desc: 'the sync of the folder after a note is renamed',
    file: 'log-server/storage/atomic-file.ts',
    find: 'await disk.syncFolder(dirname(path));',
    replace: 'dirname(path);',
    rule: 'before `published` held it',
  },
  {
    desc: 'the sync of the folders of tiles',
    file: 'log-server/storage/file-tiles.ts',
    find: 'await allDone(folders.map((folder) => this.#disk.syncFolder(folder)));',
    replace: '',
    rule: 'before a full tile or bundle was there',
  },
  {
    desc: 'sync: true of the mark beside the key',
    file: 'log-server/lock.ts',
    find: 'value: formatMark(next) }], { sync: true });',
    replace: 'value: formatMark(next) }], { sync: false });',
    rule: 'before the mark beside the key held it',
  },
  {
    desc: 'waiting for the signed note before witnesses are asked',
    file: 'log-server/publisher.ts',
    find: "await this.#attempt('signed note', () => storage.writeSigned(note));",
    replace: "void this.#attempt('signed note', () => storage.writeSigned(note));",
    rule: 'before `signed` held it',
  },
  {
    desc: 'waiting for the published note before submitters are answered',
    file: 'log-server/publisher.ts',
    find: "await this.#attempt('published note', () => storage.writePublished(note, policy.text));",
    replace: "void this.#attempt('published note', () => storage.writePublished(note, policy.text));",
    rule: 'before `published` held it',
  },
];

/** The same of a witness. */
export const WITNESS_BLINDINGS: readonly Blinding[] = [
  {
    desc: "the sync of a witness's journal",
    file: 'witness/state-journal.ts',
    find: 'await handle.datasync();',
    replace: 'handle.fd.toFixed();',
    rule: "before the log's state held it",
  },
  {
    desc: "the sync of a witness's new journal",
    file: 'system/durable-file.ts',
    find: 'await handle.writeFile(content);\n    await handle.sync();',
    replace: 'await handle.writeFile(content);',
    rule: 'a name given to bytes not synced',
  },
  {
    desc: "the sync of the folder of a witness's journal",
    file: 'witness/state-journal.ts',
    find: 'await syncFolder(this.#folder);',
    replace: '',
    rule: "before the log's state held it",
  },
  {
    desc: "waiting for a witness's state before it answers",
    file: 'witness/state-store.ts',
    find: 'await this.#write(next);',
    replace: 'void this.#write(next);',
    rule: "before the log's state held it",
  },
];

/** Enough for a full bundle. */
const SHORT = { witnesses: 1, single: 3, burst: 130, bursts: 3, restart: false };

const soak: Soak = {
  desc: 'stele-log and stele-witness under strace: what must be on the disk before a byte leaves',
  minutes: 6,
  takes: [],
  async run({ minutes }) {
    if (spawnSync('strace', ['-V']).status !== 0)
      throw new Error('strace is not installed: apt install strace');
    const until = Date.now() + minutes * 60_000;
    const figures: string[] = [];

    const full = { witnesses: 3, traceWitnesses: true, single: 20, burst: 64, bursts: 10, restart: true };
    const found = await traceRun(full);
    const all = [found.log, ...found.witnesses].flatMap(({ violations }) => violations);
    if (all.length > 0) throw new Error(`on the programs as they are:\n${all.join('\n')}`);
    figures.push(...figuresOf(found));

    const copy = new BuildCopy();
    let seen = 0;
    try {
      for (const blinding of [...BLINDINGS, ...WITNESS_BLINDINGS]) {
        if (Date.now() > until) throw new Error(`out of time before "${blinding.desc}" was taken out`);
        const traceWitnesses = WITNESS_BLINDINGS.includes(blinding);
        const { log, witnesses } = await copy.with(blinding, () =>
          traceRun({ ...SHORT, traceWitnesses, dist: join(copy.folder, 'dist') }),
        );
        const violations = [log, ...witnesses].flatMap((judgement) => judgement.violations);
        if (!violations.some((violation) => violation.includes(blinding.rule))) {
          throw new Error(`blind: without ${blinding.desc} the judge found ${JSON.stringify(violations)}`);
        }
        seen++;
        console.log(`  red without ${blinding.desc}: ${violations[0] ?? ''}`);
      }
    } finally {
      copy.remove();
    }
    figures.push(`the judge turns red for each of ${seen} syncs and waits taken out of the programs`);
    return { figures };
  },
};

function figuresOf({ entries, log, witnesses }: TraceResult): string[] {
  const cosigned = witnesses.reduce((sum, each) => sum + each.cosigned, 0);
  const syncs = witnesses.reduce((sum, each) => sum + each.syncs, 0);
  // A run in which nothing was looked at is no proof.
  if (log.cosigned < 30 || log.answered < entries || log.copies < entries || cosigned < 30) {
    throw new Error(`too little was judged: ${JSON.stringify({ entries, log, witnesses })}`);
  }
  return [
    `log server: ${entries} acknowledged entries, ${log.syncs} syncs, ${log.renames} renames`,
    `${log.cosigned} checkpoints sent to witnesses, each durable before, with ${log.copies} times an entry twice on the disk`,
    `${log.answered} answers that carried a checkpoint, each durable before`,
    `${witnesses.length} witnesses: ${cosigned} cosignatures, ${syncs} syncs, each state durable before`,
  ];
}

export default soak;
