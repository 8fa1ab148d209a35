import { ClientError } from '../../client/errors.js';
import type { Fetch } from '../../client/index.js';
import { type TileSource, httpSource } from '../../client/source.js';
import { asInput, describeError, whatStandsAt } from '../../system/commands.js';
import {
  type OpenedCheckpoint,
  TILE_WIDTH,
  type Vkey,
  encodeBase64,
  equalBytes,
  openCheckpoint,
  parseVkey,
} from '../../tlog/index.js';
import { LogError } from '../errors.js';
import { FILES } from '../folder.js';
import { FolderSource } from '../storage/folder-source.js';
import { keysMissing } from '../storage/note-check.js';
import { reason } from '../storage/error.js';
import { checkPartials } from './fsck-files.js';
import type { FsckReport } from './report.js';
import { type FullRoots, fullRoots } from './threads.js';
import { type Problem, walkTree } from './tree-check.js';

/** Any C2SP tlog-tiles log, as `stele-log fsck` is told of it. */
export interface SourceOptions {
  /** URL or folder. */
  readonly source: string;
  readonly vkeys: readonly string[];
  /** Where it is not its key's name. */
  readonly origin: string | undefined;
  readonly fetch: Fetch;
}

/**
 * Checks it. Throws LogError "missing_option", "unreadable" for what can hold no tiles, ClientError; what is wrong with the
 * log is in the report.
 */
export async function checkSource({ source, vkeys, origin, fetch }: SourceOptions): Promise<FsckReport> {
  const online = /^https?:\/\//.test(source);
  if (!online) await checkTiles(source);
  if (vkeys.length === 0)
    throw new LogError('missing_option', 'expected the log’s key, found none', 'name it with --vkey');
  const tiles = online ? httpSource(source, { fetch }) : new FolderSource(source);
  const logKeys = asInput('--vkey', () => vkeys.map(parseVkey));
  return fsckSource(tiles, { logKeys, ...(origin !== undefined && { origin }) });
}

/** Throws LogError "unreadable" for what is no folder, an empty one, or one that the programs keep for themselves. */
async function checkTiles(folder: string): Promise<void> {
  const { found, names, error } = await whatStandsAt(folder);
  const own = names?.includes(FILES.logKeys) === true;
  if (names !== undefined && names.length > 0 && !own && !names.includes('witness.key')) return;
  throw new LogError(
    'unreadable',
    `expected the http or https URL, or the folder, of a log's tiles at ${folder}, found ${found}`,
    own
      ? `this program's own is checked by: stele-log fsck --folder ${folder}`
      : error === undefined
        ? 'check the path, and that its disk is mounted'
        : describeError(error).hint,
    { cause: error },
  );
}

/** How a folder's full tiles are looked at. */
type Quickly = (folder: string, bundles: number) => FullRoots;

/**
 * The checkpoint and who is to have signed it, then everything beneath it. `quickly` is for tests: null where everything
 * is to be read the slow way.
 */
export async function fsckSource(
  source: TileSource,
  options: { logKeys: readonly Vkey[]; origin?: string },
  quickly: Quickly | null = fullRoots,
): Promise<FsckReport> {
  const problems: Problem[] = [];
  const report = (problem: Problem): void => void problems.push(problem);
  let opened: OpenedCheckpoint['checkpoint'] | undefined;
  const notChecked: string[] = [];
  try {
    const found = openCheckpoint(await source.checkpoint(), options.logKeys, [], options.origin);
    opened = found.checkpoint;
    for (const id of keysMissing(found, options.logKeys)) {
      notChecked.push(`key ${id}: the checkpoint has no line by it`);
    }
  } catch (cause) {
    if (cause instanceof ClientError && cause.code !== 'not_found') throw cause;
    const found = cause instanceof ClientError && cause.code === 'not_found' ? 'none' : reason(cause);
    report({ file: 'checkpoint', expected: 'a checkpoint signed by the log', found });
  }
  const size = opened?.size ?? 0;
  const folder = source instanceof FolderSource ? source : undefined;
  const walk = await walkTree(source, {
    size,
    rootHash: opened?.rootHash,
    rootsAt: [size],
    report,
    ...(folder && quickly && { fullRoots: quickly(folder.folder, Math.floor(size / TILE_WIDTH)) }),
  });
  const root = walk.roots.get(size);
  if (opened && root && !equalBytes(root, opened.rootHash)) {
    report({ file: 'tree', expected: signedRoot('checkpoint', opened), found: encodeBase64(root) });
  }
  const partials = folder ? await checkPartials(folder, source, size, report) : 0;
  const { entries, bundles, tiles } = walk;
  return {
    origin: opened?.origin ?? '',
    size,
    rootHash: root,
    checked: { entries, bundles, tiles, partials, identities: 0, ledgerKeys: 0 },
    ledger: undefined,
    problems,
    remarks: [],
    notChecked: [...notChecked, ...stopped(walk.stoppedAt)],
  };
}

/** What a root is held against. */
export function signedRoot(name: string, { size, rootHash }: { size: number; rootHash: Uint8Array }): string {
  return `root ${encodeBase64(rootHash)} at size ${size}, as in the ${name} note`;
}

/** What was not checked behind where a walk had to stop. */
export function stopped(at: number | undefined): string[] {
  return at === undefined ? [] : [`everything from entry ${at} on: neither its bundle nor its tile is there`];
}
