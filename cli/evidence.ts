// Evidence that a command came upon: on disk, verified, before anybody hears of it.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  ClientError,
  InconsistentError,
  RefusedCheckpointError,
  VerifiedTiles,
  type TileSource,
} from '../client/index.js';
import {
  checkAlone,
  compareCheckpoints,
  evidenceOf,
  type Comparison,
  type Verdict,
} from '../evidence/index.js';
import {
  encodeBase64,
  formatKeyId,
  parseCheckpoint,
  parseNote,
  SteleError,
  type Policy,
} from '../tlog/index.js';
import type { Context } from './context.js';
import { CliError, EXIT } from './errors.js';
import { writeDurably } from './files.js';
import { stateFolder } from './settings.js';

/** Of what log, by whose keys. */
export interface Watched {
  readonly policy: Policy;
  readonly source: TileSource;
}

/** The last checkpoint seen of a log. */
export type Seen = (origin: string) => Promise<Uint8Array | undefined>;

/**
 * What to tell the user instead of `error`, if that shows that somebody lied: the evidence is on disk by
 * then. Undefined for any other error. A log that contradicts itself without having signed both trees with
 * keys of the policy convicts nobody: the two notes are kept, and that is status 1.
 */
export async function provenMisbehaviour(
  context: Context,
  log: Watched,
  seen: Seen,
  error: unknown,
): Promise<CliError | undefined> {
  if (error instanceof RefusedCheckpointError) {
    const comparison = await compareRefused(log, seen, error.note);
    return comparison && comparison.evidence.length > 0 ? keep(context, comparison, error) : undefined;
  }
  if (!(error instanceof InconsistentError)) return undefined;
  const comparison = await evidenceOf(error, log.policy);
  if (comparison.evidence.length > 0) return keep(context, comparison, error);
  const paths = error.notes.map((note) => write(context, note, 'note'));
  return new CliError(
    EXIT.failed,
    'inconsistent',
    `${error.message}. No key of the policy signed both, so it convicts nobody; the two checkpoints are in ${paths.join(' and ')}`,
    'did the policy change since this log was last read?',
    { cause: error },
  );
}

/** One line that says who did what. */
export function inWords({ kind, role, origin, convicted, trees }: Verdict): string {
  const keys = convicted.map(({ name, keyId }) => `${name}+${formatKeyId(keyId)}`);
  const who =
    role === 'witness'
      ? `the witness with the key ${keys.join()}`
      : `the log ${origin}, with the key${keys.length > 1 ? 's' : ''} ${keys.join(' and ')},`;
  const heads = trees.map(({ size, rootHash }) => `size ${size} with root ${encodeBase64(rootHash)}`);
  const what = {
    'same-size': 'two different trees of one size',
    'not-a-prefix': 'two trees of which the smaller is not part of the larger',
    'two-entries': 'two trees with different entries at one index',
    'empty-tree': 'an empty tree that is not empty',
  }[kind];
  const of = role === 'witness' ? ` of the log ${origin}` : '';
  return `${who} signed ${what}${of}: ${heads.join('; ')}`;
}

/** A checkpoint that was not believed may still contradict one that was. */
async function compareRefused(
  { policy, source }: Watched,
  seen: Seen,
  note: Uint8Array,
): Promise<Comparison | undefined> {
  const alone = checkAlone(note, policy);
  if (alone.length > 0) return { consistent: false, evidence: alone };
  const refused = parseCheckpoint(parseNote(note).text);
  const before = await seen(refused.origin);
  if (before === undefined) return undefined;
  const last = parseCheckpoint(parseNote(before).text);
  const larger = last.size > refused.size ? last : refused;
  const tiles = new VerifiedTiles(source, larger.size, larger.rootHash);
  try {
    return await compareCheckpoints([before, note], policy, { read: tiles.hashes });
  } catch (error) {
    // The larger tree cannot be read: then nothing is proven, and the first error says what is wrong.
    if (error instanceof ClientError || error instanceof SteleError) return undefined;
    throw error;
  }
}

function keep(context: Context, { evidence }: Comparison, cause: Error): CliError {
  const paths = evidence.map(({ bytes }) => write(context, bytes, 'evidence'));
  return new CliError(
    EXIT.misbehaviour,
    'inconsistent',
    `proven: ${evidence.map(({ verdict }) => inWords(verdict)).join('; and ')}. Evidence written to ${paths.join(' and ')}`,
    'show it to the log operator, to its witnesses and to whoever relies on the log: "stele evidence verify" checks it',
    { cause },
  );
}

function write(context: Context, bytes: Uint8Array, ending: 'evidence' | 'note'): string {
  return writeFound(join(stateFolder(context), 'evidence'), bytes, ending);
}

/** Writes what was found into a folder, under its digest. Durable when it returns; gives the path. */
export function writeFound(folder: string, bytes: Uint8Array, ending: 'evidence' | 'note'): string {
  const name = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const path = join(folder, `${name}.${ending}`);
  writeDurably(path, bytes);
  return path;
}
