// An entry on its way into the log: what is known of it before the rules of admission look at it.
import type { Envelope } from './envelope.js';
import type { Head, KeyRecord, LedgerView } from './ledger.js';
import type { AnyStatement } from './statement.js';

/** What admission needs to know that the entry and the ledger do not say. */
export interface AdmissionContext {
  /** The log's origin. */
  readonly origin: string;
  /** The log's own root at a size above 0 and at most the index being admitted; asked for anchors only. */
  treeRoot(size: number): Promise<Uint8Array>;
  /** Where a payload is logged already, by its digest; left out where the caller has looked. */
  lookup?(id: Uint8Array): Promise<number | undefined>;
  /** Hex of a raw public key under which the caller has verified this envelope's signature already. */
  readonly signatureVerified?: string;
}

/** An envelope with all that is derived from it once: parse beforehand, in parallel, admit one by one. */
export interface PreparedEntry {
  readonly envelope: Envelope;
  /** The leaf: canonical bytes; those that were read, where they were so spelled. */
  readonly leaf: Uint8Array;
  /** RFC 6962 leaf hash. */
  readonly leafHash: Uint8Array;
  /** SHA-256 of the payload: the entry's identity. */
  readonly id: Uint8Array;
  /** With its common fields checked, no more. */
  readonly statement: AnyStatement;
}

/** What a rule gets to see and to change. */
export interface Candidate<Statement = AnyStatement> {
  readonly index: number;
  readonly entry: PreparedEntry;
  readonly statement: Statement;
  /** Hex of entry.id. */
  readonly id: string;
  readonly view: LedgerView;
  readonly head: Head;
  readonly key: KeyRecord;
  readonly context: AdmissionContext;
}
