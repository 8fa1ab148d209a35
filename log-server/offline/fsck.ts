import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type OpenedCheckpoint,
  TILE_WIDTH,
  encodeBase64,
  equalBytes,
  openCheckpoint,
} from '../../tlog/index.js';
import { acquireKeyLock } from '../lock.js';
import { OverlaySource, checkPartials, earlierRoots } from './fsck-files.js';
import { type Effects, replayEffects } from './effects.js';
import type { KeysFound, LedgerAt } from './fsck-keys.js';
import { reason } from '../storage/error.js';
import { FolderDisk } from '../storage/disk.js';
import { FolderSource } from '../storage/folder-source.js';
import { LevelTreeState } from '../storage/level-state.js';
import { PUBLIC } from '../storage/log-storage.js';
import { keysAt, keysMissing, keysTooLate, keysUnlisted } from '../storage/note-check.js';
import { parseNoteFile } from '../storage/note-file.js';
import { checkFormat } from '../storage/open.js';
import { withStateCopy } from '../storage/salvage.js';
import { parseTail } from '../storage/tail.js';
import type { EffectsOf, Head, LogStorageOptions, StateCounts } from '../storage/types.js';
import type { FsckReport } from './report.js';
import { signedRoot, stopped } from './fsck-source.js';
import { type Problem, walkTree } from './tree-check.js';

export { fsckSource } from './fsck-source.js';
export type { FsckReport } from './report.js';

/** Options of {@link fsckFolder}: those of the log, and how its identities and ledger come about. */
export interface FsckOptions extends Omit<LogStorageOptions, 'step'> {
  /** Without it identities and ledger are only checked against their sums. */
  readonly effects?: EffectsOf;
  /** Holds the list of the log's keys against the ledger that the entries yield. */
  readonly keysOf?: (ledger: LedgerAt) => Promise<KeysFound>;
  /** Where a copy of the state may be put for a while. The system's temporary folder unless given. */
  readonly scratch?: string;
}

interface StateFindings {
  readonly size: number;
  readonly sealedTo: number;
  readonly pending: readonly Uint8Array[];
  readonly root: Uint8Array | undefined;
}

/**
 * Checks everything in a log's folder while the log is stopped: format, notes and their signatures,
 * state (checksums, chain, sums), tail, bundles against tiles on every level, roots, partial files,
 * and with `effects` every identity and ledger key. Changes nothing. Throws StorageError "locked",
 * "no_log_here", "unknown_format", "wrong_origin"; what is damaged is in the report.
 */
export async function fsckFolder(options: FsckOptions): Promise<FsckReport> {
  const folder = resolve(options.folder);
  const disk = new FolderDisk(folder);
  await checkFormat(disk, options.origin);
  const lock = await acquireKeyLock(resolve(options.keyFolder), options.logKeys[0].keyId);
  const problems: Problem[] = [];
  const remarks: string[] = [];
  const notChecked: string[] = [];
  const report = (problem: Problem): void => void problems.push(problem);
  try {
    const heads = await readHeads(folder, options, report);
    if (lock.mark) heads.set('mark beside the key', lock.mark);
    const largest = Math.max(0, ...[...heads.values()].map(({ size }) => size));
    const tail = await readTail(folder, report);

    const check = async (state: LevelTreeState | undefined): Promise<FsckReport> => {
      const found = await stateFindings(state, tail, largest, report);
      if (!state) notChecked.push('identities and ledger: the state does not open');
      const counts = await scrubbed(state, report);
      if (state) checkMemory(state.head, heads, report);
      checkTailAgainst(found, tail, largest, report, remarks);

      const files = new FolderSource(join(folder, PUBLIC));
      const source = new OverlaySource(files, found.sealedTo, found.pending);
      const sizes = [...heads.values()].map(({ size }) => size).filter((size) => size <= found.size);
      const effects: Effects | undefined =
        options.effects && replayEffects(options.effects, earlierRoots(files, found));
      const walk = await walkTree(source, {
        size: found.size,
        rootHash: found.root ?? [...heads.values()].find(({ size }) => size === found.size)?.rootHash,
        rootsAt: [found.size, ...sizes],
        sealedTo: found.sealedTo,
        report,
        ...(effects && { onEntries: (first, entries) => effects.add(first, entries) }),
      });
      notChecked.push(...stopped(walk.stoppedAt));
      const root = walk.roots.get(found.size);
      if (root && found.root && !equalBytes(root, found.root)) {
        report({
          file: 'state',
          expected: `root ${encodeBase64(root)} at size ${found.size}, that of the entries`,
          found: encodeBase64(found.root),
        });
      }
      for (const [name, head] of heads) {
        const at = walk.roots.get(head.size);
        if (at && !equalBytes(at, head.rootHash)) {
          report({ file: 'tree', expected: signedRoot(name, head), found: encodeBase64(at) });
        } else if (head.size > found.size) {
          report({ file: 'tree', expected: signedRoot(name, head), found: `a tree of ${found.size}` });
        }
      }
      const partials = await checkPartials(files, source, found.size, report);
      let replayed = { identities: 0, ledgerKeys: 0 };
      let ledger: string | undefined;
      if (!effects) {
        notChecked.push('identities and ledger against the entries: only their sums were');
      } else if (effects.size < found.size) {
        notChecked.push(`identities and ledger: entries from ${effects.size} on could not be replayed`);
      } else {
        ledger = await effects.line();
        if (state) replayed = await effects.compare(state, counts, report);
        const keys = await options.keysOf?.(effects);
        if (keys?.problem) report(keys.problem);
        if (keys?.remark !== undefined) remarks.push(keys.remark);
        if (ledger === undefined && found.size > 0 && counts?.ids === 0 && counts.ledger === 0)
          remarks.push('identities and ledger: a log with --admission none has none, and there are none');
      }
      const { entries, bundles, tiles } = walk;
      return {
        origin: options.origin,
        size: found.size,
        rootHash: root,
        checked: { entries, bundles, tiles, partials, ...replayed },
        ledger,
        problems,
        remarks,
        notChecked,
      };
    };
    return await withStateCopy(join(folder, 'state'), options.scratch ?? tmpdir(), async (copy) => {
      let state: LevelTreeState | undefined;
      try {
        state = await LevelTreeState.open(copy);
      } catch (error) {
        report({ file: 'state', expected: 'a state that opens', found: reason(error) });
      }
      try {
        return await check(state);
      } finally {
        await state?.close();
      }
    });
  } finally {
    await lock.close();
  }
}

async function fileOf(folder: string, name: string): Promise<Uint8Array | undefined> {
  return new FolderDisk(folder).read(name);
}

async function readHeads(
  folder: string,
  options: FsckOptions,
  report: (problem: Problem) => void,
): Promise<Map<string, { size: number; rootHash: Uint8Array }>> {
  const heads = new Map<string, { size: number; rootHash: Uint8Array }>();
  /** What the log signed itself carries a line by each of its keys whose turn it was, and by no other. */
  const openOwn = (file: string, note: Uint8Array): OpenedCheckpoint['checkpoint'] => {
    const opened = openCheckpoint(note, options.logKeys, [], options.origin);
    for (const id of keysMissing(opened, keysAt(options, opened.checkpoint.size))) {
      report({ file, expected: `a line by the log key ${id}`, found: 'none' });
    }
    for (const id of keysTooLate(opened, options)) {
      report({ file, expected: `no line by the log key ${id}, which has retired`, found: 'one' });
    }
    return opened.checkpoint;
  };
  for (const name of ['signed', 'published']) {
    try {
      const bytes = await fileOf(folder, name);
      if (bytes) {
        const { note } = parseNoteFile(bytes, name);
        heads.set(name, openOwn(name, note));
        for (const id of name === 'signed' ? keysUnlisted(note, options) : [])
          report({
            file: name,
            expected: 'lines by keys that log-keys.json lists',
            found: `one by ${id}: is log-keys.json an older copy?`,
          });
      } else if (name === 'signed') {
        report({ file: name, expected: 'the note signed last', found: 'no file' });
      }
    } catch (error) {
      report({ file: name, expected: 'a note of this log in a whole file', found: reason(error) });
    }
  }
  const inPublic = await fileOf(folder, `${PUBLIC}/checkpoint`);
  if (inPublic) {
    try {
      heads.set(`${PUBLIC}/checkpoint`, openOwn(`${PUBLIC}/checkpoint`, inPublic));
    } catch (error) {
      report({ file: `${PUBLIC}/checkpoint`, expected: 'a note of this log', found: reason(error) });
    }
  }
  return heads;
}

type TailFindings = ReturnType<typeof parseTail> | undefined;

async function readTail(folder: string, report: (problem: Problem) => void): Promise<TailFindings> {
  try {
    const bytes = await readFile(join(folder, 'tail'));
    return parseTail(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    report({ file: 'tail', expected: 'a tail file', found: reason(error) });
    return undefined;
  }
}

async function stateFindings(
  state: LevelTreeState | undefined,
  tail: TailFindings,
  largest: number,
  report: (problem: Problem) => void,
): Promise<StateFindings> {
  if (state) {
    const { head } = state;
    try {
      const pending = await state.entries(head.sealedTo, head.size);
      return { size: head.size, sealedTo: head.sealedTo, pending, root: state.rootHash() };
    } catch (error) {
      report({ file: 'state', expected: 'every unsealed entry', found: reason(error) });
    }
  }
  // Without the state the tail says what lies behind the bundles.
  const start = tail?.start ?? Math.floor(largest / TILE_WIDTH) * TILE_WIDTH;
  const pending = tail?.entries ?? [];
  return { size: start + pending.length, sealedTo: start, pending, root: undefined };
}

/** The notes are not behind what state and key remember of them. */
function checkMemory(
  head: Head,
  heads: ReadonlyMap<string, { size: number }>,
  report: (problem: Problem) => void,
): void {
  const sizeOf = (name: string): number => heads.get(name)?.size ?? 0;
  const mark = sizeOf('mark beside the key');
  const published = Math.max(sizeOf('published'), sizeOf('public/checkpoint'));
  const floors: [string, number, string][] = [
    ['signed', head.signedSize, 'the state remembers'],
    ['signed', mark, 'the mark beside the key remembers'],
    ['signed', published, 'was published'],
    ['published', head.publishedSize, 'the state remembers'],
  ];
  for (const [file, least, who] of floors) {
    if (sizeOf(file) >= least) continue;
    const found = heads.has(file) ? `size ${sizeOf(file)}` : 'none';
    report({ file, expected: `a note of at least size ${least}, which ${who}`, found });
  }
}

async function scrubbed(
  state: LevelTreeState | undefined,
  report: (problem: Problem) => void,
): Promise<StateCounts | undefined> {
  try {
    return await state?.scrub();
  } catch (error) {
    report({ file: 'state', expected: 'every value in its place', found: reason(error) });
    return undefined;
  }
}

function checkTailAgainst(
  { size, sealedTo, pending }: StateFindings,
  tail: TailFindings,
  signed: number,
  report: (problem: Problem) => void,
  remarks: string[],
): void {
  if (!tail) return;
  const end = tail.start + tail.entries.length;
  if (tail.start < sealedTo || tail.start % TILE_WIDTH !== 0 || end > size) {
    report({
      file: 'tail',
      expected: `entries of [${sealedTo}, ${size})`,
      found: `those of [${tail.start}, ${end})`,
    });
    return;
  }
  tail.entries.forEach((entry, i) => {
    const other = pending[tail.start + i - sealedTo];
    if (!other || equalBytes(entry, other)) return;
    report({ file: 'tail', expected: `entry ${tail.start + i} as in the state`, found: 'another' });
  });
  if (end < signed) {
    const found = `them up to ${end}${tail.torn === undefined ? '' : `, then ${tail.torn}`}`;
    report({ file: 'tail', expected: `entries up to the signed size ${signed}`, found });
  } else if (tail.torn !== undefined) remarks.push(`tail: torn behind the signed size: ${tail.torn}`);
  else if (end < size) remarks.push(`tail: entries ${end} to ${size - 1} are committed and not readable yet`);
}
