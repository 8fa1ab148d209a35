// Checkpoints that came by another way than the log's own `checkpoint`, such as in the proof of an entry just
// logged: held against the log's, at once or, where it lags behind, as soon as it has caught up.
import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ClientError, LogReader, type TileSource, type VerifiedCheckpoint } from '../client/index.js';
import type { Policy } from '../tlog/index.js';
import { codeOf, readInput, writeDurably } from './files.js';

/** What is read of the log. */
interface Read {
  readonly checkpoint: VerifiedCheckpoint;
  readonly policy: Policy;
  readonly source: TileSource;
}

/**
 * Checks that the tree of this signed note and the log's current one belong to one history. Gives the
 * larger of the two. Throws InconsistentError, and ClientError "went_back" while the tiles of the note's
 * larger tree cannot be read.
 */
async function holdAgainst(
  { checkpoint, policy, source }: Read,
  note: Uint8Array,
): Promise<VerifiedCheckpoint> {
  const reader = new LogReader(
    {
      checkpoint: () => Promise.resolve(checkpoint.note),
      tile: (tile) => source.tile(tile),
      bundle: (index, width) => source.bundle(index, width),
    },
    policy,
    {
      origin: checkpoint.origin,
      lastSeen: { load: () => Promise.resolve(note), save: () => Promise.resolve() },
    },
  );
  return reader.checkpoint();
}

/**
 * The same for the note of a proof that may be ahead of what the log serves. What cannot be held against
 * it yet is kept in `folder`, for checkAhead. Gives the larger checkpoint, undefined if that is not known.
 */
export async function checkNow(
  log: Read,
  note: Uint8Array,
  folder: string,
): Promise<VerifiedCheckpoint | undefined> {
  try {
    return await holdAgainst(log, note);
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'went_back') throw error;
    const name = createHash('sha256').update(note).digest('hex').slice(0, 32);
    writeDurably(join(aheadFolder(folder), name), note);
    return undefined;
  }
}

/**
 * Holds what checkNow kept in `folder` against the log, and forgets it where it agrees, after `seen` has
 * heard of the larger checkpoint. Throws as holdAgainst does.
 */
export async function checkAhead(
  log: Read,
  folder: string,
  seen: (checkpoint: VerifiedCheckpoint) => Promise<void>,
): Promise<void> {
  for (const name of namesIn(aheadFolder(folder))) {
    const path = join(aheadFolder(folder), name);
    await seen(await holdAgainst(log, readInput(path)));
    rmSync(path, { force: true });
  }
}

function aheadFolder(folder: string): string {
  return join(folder, 'ahead');
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^[0-9a-f]{32}$/.test(name));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
