// Which entries the reader wants to hear of.
import { createHash } from 'node:crypto';
import type { EntryFacts } from '../../attestation/index.js';

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

/** An entry of a log as filters and events see it. */
export interface ReadEntry {
  readonly index: number;
  /** Hex. */
  readonly leafHash: string;
  /** Undefined for an entry that is no statement. */
  readonly facts: EntryFacts | undefined;
}

/** Whether an entry fits a filter. */
export function matches(filter: Filter, { leafHash, facts }: ReadEntry): boolean {
  const { participant, run, digest, type } = filter;
  const digests = [leafHash, ...(facts?.digests ?? [])];
  if (!any(digest, (wanted) => digests.includes(wanted))) return false;
  if (participant.length + run.length + type.length === 0) return true;
  if (facts === undefined) return false;
  return (
    any(participant, (wanted) => facts.participants.includes(wanted)) &&
    any(run, (wanted) => facts.run === wanted) &&
    any(type, (wanted) => facts.type === wanted || facts.statement.predicateType === wanted)
  );
}

/** A name for what a filter asks for, whatever it is called: a changed filter is another one. */
export function filterId({ participant, run, digest, type }: Filter): string {
  const asked = [participant, run, digest, type].map((values) => [...values].sort());
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 16);
}

function any(wanted: readonly string[], fits: (wanted: string) => boolean): boolean {
  return wanted.length === 0 || wanted.some(fits);
}
