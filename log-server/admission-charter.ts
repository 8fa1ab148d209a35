import {
  AttestationError,
  admit,
  isAnchor,
  knownType,
  parseEnvelope,
  parseStatement,
  prepareEntry,
  signerOf,
  verifyEnvelopeSignature,
} from '../attestation/index.js';
import type { Charter, KeyRecord, PreparedEntry } from '../attestation/index.js';
import { SteleError, decodeHex } from '../tlog/index.js';
import type { Admission, Prepared, Source } from './admission.js';
import { NotAdmittedError, SubmissionError } from './errors.js';
import type { RateLimiter } from './rate.js';
import type { EffectsOf, EntryEffects, KeyedChanges, KeyedReader, LogStorage } from './storage/types.js';

/** An envelope with what could be checked of it before its turn. */
export interface PreparedEnvelope extends Prepared {
  readonly parsed: PreparedEntry;
  /** Hex of the key under which its signature has been verified, if that key is in the ledger. */
  readonly verified: string | undefined;
}

/** Entries below this index are the server's own: the charter and the first anchor. */
const FIRST_SUBMITTED = 2;

/** `--admission charter`: the rules of attestation/, which a replay of the log applies again. */
export class CharterAdmission implements Admission<PreparedEnvelope> {
  readonly #storage: LogStorage;
  readonly #rate: RateLimiter;

  constructor(storage: LogStorage, rate: RateLimiter) {
    this.#storage = storage;
    this.#rate = rate;
  }

  /** Throws AttestationError for what is malformed (400), NotAdmittedError for a bad signature (403). */
  async prepare(body: Uint8Array, source: Source): Promise<PreparedEnvelope> {
    const parsed = guardSize(() => prepareEntry(body));
    const signer = await signerOf(this.#storage.ledger, parsed);
    const key = signer && decodeHex(signer.key);
    // A key that is not in the ledger yet may be introduced by an entry before this one: admit looks again.
    if (key !== undefined && !verifyEnvelopeSignature(parsed.envelope, key)) {
      const message = `expected a signature by ${parsed.envelope.keyid}, found one that does not verify`;
      throw new NotAdmittedError(
        'bad_signature',
        message,
        'sign the payload with the key it names as its signer',
      );
    }
    const verified = key !== undefined && source === 'submitter';
    const known = verified ? await this.#storage.lookup(parsed.id) : undefined;
    // Entries are public: whoever sends one again must not use up what its signer may send.
    if (verified && known === undefined) this.#rate.take(await this.#shareOf(parsed, signer));
    return {
      entry: parsed.leaf,
      id: parsed.id,
      known,
      statement: parsed.statement,
      parsed,
      verified: signer?.key,
    };
  }

  async admit(
    { parsed, verified }: PreparedEnvelope,
    index: number,
    ledger: KeyedReader,
    source: Source,
  ): Promise<KeyedChanges> {
    if (index < FIRST_SUBMITTED && source === 'submitter') {
      throw new SubmissionError('not_initialized', 'the charter and the first anchor are not logged yet');
    }
    const answer = await admit(ledger, index, parsed, {
      origin: this.#storage.origin,
      treeRoot: (size) => this.#rootAt(size),
      ...(verified === undefined ? {} : { signatureVerified: verified }),
    });
    if (answer.ok) return answer.changes;
    const { code, message, hint } = answer;
    if (code === 'frozen' || code === 'entry_too_large') throw new SubmissionError(code, message, hint);
    throw new NotAdmittedError(code, message, hint);
  }

  /**
   * Whose share of the rate this is. Whoever has found a key that has ended, of which nothing is admitted, must not use
   * up its participant's; nor whoever relays what its signer made for another log: that names an anchor of that one.
   */
  async #shareOf({ envelope, statement }: PreparedEntry, signer: KeyRecord | undefined): Promise<string> {
    if (signer?.until !== null) return envelope.keyid;
    const { recentAnchor } = statement.predicate;
    const own = recentAnchor !== undefined && (await isAnchor(this.#storage.ledger, recentAnchor));
    // No identifier has a space in it.
    return own ? signer.participant : `${signer.participant} relayed`;
  }

  #rootAt(size: number): Promise<Uint8Array> {
    // Only what is published is ever anchored, so a larger size can only be wrong.
    if (size <= this.#storage.size) return this.#storage.rootAt(size);
    return Promise.reject(
      new NotAdmittedError(
        'anchor_size',
        `expected the size of a published tree, found ${size}`,
        'only what is published is anchored',
      ),
    );
  }
}

function guardSize<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof AttestationError && error.code === 'entry_too_large') {
      throw new SubmissionError('entry_too_large', error.message, error.hint);
    }
    throw error;
  }
}

/** What each entry of a log with a charter does to identities and ledger: for fsck and recover. */
export function charterEffects(origin: string): EffectsOf {
  return async (store, index, entry, treeRoot) => {
    const parsed = prepareEntry(entry);
    const answer = await admit(store, index, parsed, { origin, treeRoot });
    if (answer.ok) return { id: parsed.id, ledger: answer.changes };
    throw new NotAdmittedError(answer.code, answer.message, answer.hint);
  };
}

/**
 * The same for a folder: of one that was made with a charter (`made`), where entry 0 is it. In a log with `--admission
 * none` anybody can log one, which makes nothing of it. To be asked in the order of the entries, from the first on.
 */
export function effectsByEntries(origin: string, made: boolean): EffectsByEntries {
  const chartered = charterEffects(origin);
  let first: FirstEntry | undefined;
  return {
    first: () => first,
    effects: (store, index, entry, treeRoot) => {
      // A slice of a Buffer would be no copy.
      if (index === 0) first = { charter: isCharter(entry, origin) ? new Uint8Array(entry) : undefined };
      if (!made || first?.charter === undefined) return Promise.resolve(NO_EFFECTS);
      return chartered(store, index, entry, treeRoot);
    },
  };
}

/** What entry 0 is: the leaf bytes of a charter that names this log, if it is one. */
export interface FirstEntry {
  readonly charter: Uint8Array | undefined;
}

/** What effectsByEntries answers. */
export interface EffectsByEntries {
  readonly effects: EffectsOf;
  /** undefined until entry 0 was asked about. */
  readonly first: () => FirstEntry | undefined;
}

const NO_EFFECTS: EntryEffects = { id: undefined, ledger: new Map() };

function isCharter(entry: Uint8Array, origin: string): boolean {
  try {
    const { statement } = parseStatement(parseEnvelope(entry).payload);
    return (
      knownType(statement.predicateType) === 'charter' &&
      (statement as Charter).predicate.terms.origin === origin
    );
  } catch (error) {
    if (error instanceof SteleError) return false;
    throw error;
  }
}
