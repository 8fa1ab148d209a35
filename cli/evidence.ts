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
  type MadeEvidence,
  type Verdict,
  type Witnessed,
} from '../evidence/index.js';
import {
  encodeBase64,
  equalBytes,
  formatKeyId,
  parseCheckpoint,
  parseNote,
  SteleError,
  type Checkpoint,
  type Policy,
  type TlogProof,
} from '../tlog/index.js';
import type { Context } from './context.js';
import { CliError, EXIT } from './errors.js';
import { writeDurably } from './files.js';
import { reportNotes } from './report-notes.js';
import { stateFolder } from './settings.js';

/** Of what log, by whose keys. */
export interface Watched {
  readonly policy: Policy;
  readonly source: TileSource;
  /** URL prefixes of witnesses that are told what is proven. */
  readonly report: readonly string[];
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
    const found = await compareRefused(log, seen, error.note);
    return found && found.evidence.length > 0 ? keep(context, log, found, error) : undefined;
  }
  if (!(error instanceof InconsistentError)) return undefined;
  const comparison = await evidenceOf(error, log.policy);
  if (comparison.evidence.length > 0) return keep(context, log, { ...comparison, notes: error.notes }, error);
  const paths = error.notes.map((note) => write(context, note, 'note'));
  return new CliError(
    EXIT.failed,
    'inconsistent',
    `${error.message}. No key of the policy signed both, so it convicts nobody; the two checkpoints are in ${paths.join(' and ')}`,
    `did the policy change since this log was last read, or is it a new log under an old name? What was seen of it is remembered in ${join(stateFolder(context), 'logs')}`,
    { cause: error },
  );
}

/** An entry's place as a proof states it. */
export interface ProvenPlace {
  readonly proof: TlogProof;
  /** 32 bytes: the caller's own computation. */
  readonly leafHash: Uint8Array;
}

/**
 * What to tell the user if these proofs, of whatever records, show that somebody lied: two trees of one
 * size, or two entries at one index. Offline: `seen` are checkpoints met before. The evidence is on disk by
 * then. Proofs that do not hold prove nothing here.
 */
export async function provenByProofs(
  context: Context,
  policy: Policy,
  places: readonly ProvenPlace[],
  seen: Seen,
  report: readonly string[],
): Promise<CliError | undefined> {
  const heads = places.map(readPlace);
  for (const origin of new Set(heads.map(({ checkpoint }) => checkpoint.origin))) {
    const note = await seen(origin);
    if (note !== undefined) heads.push({ note, checkpoint: parseCheckpoint(parseNote(note).text) });
  }
  for (const [i, first] of heads.entries()) {
    for (const second of heads.slice(i + 1)) {
      const evidence = await compareHeads(first, second, policy);
      if (evidence.length === 0) continue;
      const notes = [first.note, second.note];
      return keep(context, { report }, { evidence, notes });
    }
  }
  return undefined;
}

interface PlacedHead {
  readonly note: Uint8Array;
  readonly checkpoint: Checkpoint;
  readonly place?: ProvenPlace;
}

function readPlace(place: ProvenPlace): PlacedHead {
  const note = place.proof.checkpoint;
  return { note, checkpoint: parseCheckpoint(parseNote(note).text), place };
}

async function compareHeads(
  first: PlacedHead,
  second: PlacedHead,
  policy: Policy,
): Promise<readonly MadeEvidence[]> {
  const [a, b] = [first.checkpoint, second.checkpoint];
  if (a.origin !== b.origin || equalBytes(a.rootHash, b.rootHash)) return [];
  const [one, other] = [first.place, second.place];
  const twoEntries =
    one !== undefined &&
    other !== undefined &&
    one.proof.index === other.proof.index &&
    !equalBytes(one.leafHash, other.leafHash);
  if (a.size !== b.size && !twoEntries) return [];
  const shown: Witnessed | undefined = twoEntries
    ? {
        index: one.proof.index,
        entries: [
          { leafHash: one.leafHash, proof: one.proof.proof },
          { leafHash: other.leafHash, proof: other.proof.proof },
        ],
      }
    : undefined;
  try {
    return (await compareCheckpoints([first.note, second.note], policy, shown)).evidence;
  } catch (error) {
    if (error instanceof SteleError) return [];
    throw error;
  }
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

/** What is proven, and the signed notes that show it. */
interface Found {
  readonly evidence: readonly MadeEvidence[];
  readonly notes: readonly Uint8Array[];
}

/** A checkpoint that was not believed may still contradict one that was. */
async function compareRefused(
  { policy, source }: Watched,
  seen: Seen,
  note: Uint8Array,
): Promise<Found | undefined> {
  const alone = checkAlone(note, policy);
  if (alone.length > 0) return { evidence: alone, notes: [note] };
  const refused = parseCheckpoint(parseNote(note).text);
  const before = await seen(refused.origin);
  if (before === undefined) return undefined;
  const last = parseCheckpoint(parseNote(before).text);
  const larger = last.size > refused.size ? last : refused;
  const tiles = new VerifiedTiles(source, larger.size, larger.rootHash);
  try {
    const { evidence } = await compareCheckpoints([before, note], policy, { read: tiles.hashes });
    return { evidence, notes: [before, note] };
  } catch (error) {
    // The larger tree cannot be read: then nothing is proven, and the first error says what is wrong.
    if (error instanceof ClientError || error instanceof SteleError) return undefined;
    throw error;
  }
}

/** The evidence is on disk before anybody is told. */
async function keep(
  context: Context,
  { report }: Pick<Watched, 'report'>,
  { evidence, notes }: Found,
  cause?: Error,
): Promise<CliError> {
  const paths = evidence.map(({ bytes }) => write(context, bytes, 'evidence'));
  const told: string[] = [];
  await reportNotes(context, report, notes, (text) => void told.push(`; ${text}`));
  return new CliError(
    EXIT.misbehaviour,
    'inconsistent',
    `proven: ${evidence.map(({ verdict }) => inWords(verdict)).join('; and ')}. Evidence written to ${paths.join(' and ')}`,
    `show it to the log operator, to its witnesses and to whoever relies on the log: "stele evidence verify" checks it${told.join('')}`,
    cause && { cause },
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
