// Which entries the reader wants to hear of.
import { createHash } from 'node:crypto';
import { parseAnyStatement, parseEnvelope, type AnyStatement } from '../../attestation/index.js';
import { encodeHex, SteleError } from '../../tlog/index.js';
import { idOf } from '../bundle.js';

/** A filter: all that is given must fit, and of several values of one kind any. */
export interface Filter {
  readonly name: string;
  /** Who signs, or whom the entry is about. */
  readonly participant: readonly string[];
  readonly run: readonly string[];
  /** Hex SHA-256: of the payload, of the leaf, or anywhere in the statement. */
  readonly digest: readonly string[];
  /** `run-final`, or a whole predicate type. */
  readonly type: readonly string[];
}

/** An entry as far as filters and events look at it. */
export interface EntryFacts {
  readonly index: number;
  /** Hex. */
  readonly leafHash: string;
  /** Undefined for an entry that is no statement of ours. */
  readonly statement: AnyStatement | undefined;
  /** Hex SHA-256 of the payload. */
  readonly id: string | undefined;
}

/** Looks into an entry. Never throws for what is in it: a log may hold entries of other kinds. */
export function readEntry(index: number, entry: Uint8Array, leafHash: Uint8Array): EntryFacts {
  const facts = { index, leafHash: encodeHex(leafHash) };
  try {
    const envelope = parseEnvelope(entry);
    return { ...facts, statement: parseAnyStatement(envelope.payload), id: idOf(envelope) };
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return { ...facts, statement: undefined, id: undefined };
  }
}

/** Whether an entry fits a filter. */
export function matches(filter: Filter, facts: EntryFacts): boolean {
  const { participant, run, digest, type } = filter;
  if (digest.length > 0 && !digest.some((wanted) => hasDigest(facts, wanted))) return false;
  if (participant.length + run.length + type.length === 0) return true;
  const { statement } = facts;
  if (statement === undefined) return false;
  const predicate = statement.predicate as unknown as Readonly<Record<string, unknown>>;
  return (
    any(participant, (wanted) => predicate['participant'] === wanted || predicate['about'] === wanted) &&
    any(run, (wanted) => predicate['run'] === wanted) &&
    any(type, (wanted) => typeOf(statement) === wanted || statement.predicateType === wanted)
  );
}

/** The short name of a statement's type, or the whole of one that is not ours. */
export function typeOf({ predicateType }: AnyStatement): string {
  return /^https:\/\/stele-log\/([a-z0-9-]+)\/v1$/.exec(predicateType)?.[1] ?? predicateType;
}

/** A name for what a filter asks for, whatever it is called: a changed filter is another one. */
export function filterId({ participant, run, digest, type }: Filter): string {
  const asked = [participant, run, digest, type].map((values) => [...values].sort());
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16);
}

function any(wanted: readonly string[], fits: (wanted: string) => boolean): boolean {
  return wanted.length === 0 || wanted.some(fits);
}

function hasDigest({ leafHash, id, statement }: EntryFacts, wanted: string): boolean {
  return leafHash === wanted || id === wanted || holds(statement, wanted);
}

/** Whether the text stands somewhere in the value. Statements are at most 48 KB and 64 levels deep. */
function holds(value: unknown, wanted: string): boolean {
  if (value === wanted) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((child) => holds(child, wanted));
}
