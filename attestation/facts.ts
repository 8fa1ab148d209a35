// What an entry is looked for by. Says nothing of whether what it states is so.
import { SteleError, encodeHex } from '../tlog/index.js';
import { entryId, parseEnvelope } from './envelope.js';
import { parseAnyStatement } from './statement.js';
import type { AnyStatement } from './statement.js';

/** An entry as searches and filters see it. */
export interface EntryFacts {
  readonly statement: AnyStatement;
  /** Hex SHA-256 of the payload: the entry's name wherever statements refer to one another. */
  readonly id: string;
  /** The type's short name, such as `run-final`; the whole URI of a type that is not ours. */
  readonly type: string;
  /** Whose statement it is and, where it is about another, whom it is about. */
  readonly participants: readonly string[];
  /** The run that it is about. */
  readonly run: string | undefined;
  /** Every hex SHA-256 that stands in it, its own id first, each once. */
  readonly digests: readonly string[];
}

/** Reads an entry; undefined for one that is no statement: a log may hold entries of other kinds. */
export function factsOf(entry: Uint8Array): EntryFacts | undefined {
  let statement: AnyStatement;
  let id: string;
  try {
    const envelope = parseEnvelope(entry);
    statement = parseAnyStatement(envelope.payload);
    id = encodeHex(entryId(envelope));
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
  return factsOfStatement(statement, id);
}

/** As factsOf, of what has been read already; `id` is the hex SHA-256 of the payload. */
export function factsOfStatement(statement: AnyStatement, id: string): EntryFacts {
  const predicate = statement.predicate as unknown as Readonly<Record<string, unknown>>;
  const { about, run } = predicate;
  const participants = new Set([statement.predicate.participant]);
  if (typeof about === 'string') participants.add(about);
  const digests = new Set([id]);
  collectDigests(statement, digests);
  return {
    statement,
    id,
    type: shortType(statement.predicateType),
    participants: [...participants],
    run: typeof run === 'string' ? run : undefined,
    digests: [...digests],
  };
}

/** What entries are asked for by one of each; what is not given fits all. */
export interface FactsWanted {
  readonly participant?: string | undefined;
  readonly run?: string | undefined;
  /** Short name or URI. */
  readonly type?: string | undefined;
  readonly digest?: string | undefined;
}

/** Whether an entry has all that is wanted. */
export function factsFit({ participant, run, type, digest }: FactsWanted, facts: EntryFacts): boolean {
  return (
    (participant === undefined || facts.participants.includes(participant)) &&
    (run === undefined || facts.run === run) &&
    (type === undefined || facts.type === shortType(type)) &&
    (digest === undefined || facts.digests.includes(digest))
  );
}

/** The short name of a type of ours, the whole of any other. */
export function shortType(predicateType: string): string {
  return /^https:\/\/stele-log\/([a-z0-9-]+)\/v1$/.exec(predicateType)?.[1] ?? predicateType;
}

/** Statements are at most 48 KB and a bounded number of levels deep. */
function collectDigests(value: unknown, into: Set<string>): void {
  if (typeof value === 'string') {
    if (value.length === 64 && /^[0-9a-f]{64}$/.test(value)) into.add(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) collectDigests(child, into);
  }
}
