// Who signed: found from nothing but entries that are proven to be in the log. The charter (entry 0)
// names the registrars and their keys; a registrar's `participant` entry introduces a participant with
// its keys, each of which has signed its own consent; `participant-key` entries change them.
//
// The entries are those that somebody put into a file, so this cannot see what was left out: a key that
// was revoked by an entry that is not there. Only a replay of the log can. The callers say so.
import {
  envelopeFromJson,
  keyId,
  parseStatement,
  termsDigest,
  verifyEnvelopeSignature,
  type Envelope,
  type Json,
  type KnownStatement,
  type Terms,
} from '../attestation/index.js';
import { decodeHex } from '../tlog/index.js';

/** An entry that was proven to be at this index. */
export interface PlacedEntry {
  readonly index: number;
  readonly envelope: Envelope;
}

/** A key and for whom the log says that it signs. */
export interface KnownKey {
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly participant: string;
  /** Legal name as the registrar or the charter has it. */
  readonly name: string;
  readonly use: 'signing' | 'recovery' | 'registrar' | 'operator' | 'anchor';
  /** What introduced it, for people. */
  readonly by: string;
  /** In force for entries after this index, and up to and with `until`. */
  readonly from: number;
  until?: number;
}

/** What the entries of a file say about keys. */
export interface Directory {
  /** By key ID. */
  readonly keys: ReadonlyMap<string, KnownKey>;
  /** What does not hold: an entry of the file that its own signer did not sign, and the like. */
  readonly faults: readonly string[];
}

/** Reads the entries in the order of the log. `origin` is the log's, from a verified checkpoint. */
export function buildDirectory(origin: string, entries: readonly PlacedEntry[]): Directory {
  const builder = new Builder(origin);
  for (const entry of [...entries].sort((a, b) => a.index - b.index)) builder.add(entry);
  return builder;
}

class Builder implements Directory {
  readonly keys = new Map<string, KnownKey>();
  readonly faults: string[] = [];
  readonly #origin: string;
  #terms: Terms | undefined;
  /** Registrars that consented to new terms, by the digest of those terms. */
  readonly #consents = new Map<string, Set<string>>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  add({ index, envelope }: PlacedEntry): void {
    const parsed = parseStatement(envelope.payload);
    if (!parsed.known) return;
    const { statement } = parsed;
    if (statement.predicateType === 'https://stele-log/charter/v1') {
      if (index !== 0 || statement.predicate.terms.origin !== this.#origin) {
        this.#fault(
          index,
          `is a charter of ${statement.predicate.terms.origin}, not entry 0 of ${this.#origin}`,
        );
        return;
      }
      this.#terms = statement.predicate.terms;
      this.#addOfficers(statement.predicate.terms, 0);
    }
    const { signer } = statement.predicate;
    const key = this.keys.get(signer);
    if (key === undefined) {
      this.#fault(index, `is signed by key ${signer}, which nothing in the file introduces`);
    } else if (!verifyEnvelopeSignature(envelope, key.publicKey) || envelope.keyid !== signer) {
      this.#fault(index, 'is not signed by the key that it names');
    } else if (index > 0 && (index <= key.from || index > (key.until ?? Infinity))) {
      this.#fault(index, 'is signed by a key that was not in force there');
    } else {
      this.#apply(index, statement, key);
    }
  }

  #apply(index: number, statement: KnownStatement, signer: KnownKey): void {
    switch (statement.predicateType) {
      case 'https://stele-log/charter-amendment/v1': {
        this.#amend(index, statement.predicate, signer);
        return;
      }
      case 'https://stele-log/participant/v1': {
        const { about, name, keys } = statement.predicate;
        if (signer.use !== 'registrar') {
          this.#fault(index, 'introduces a participant but is no registrar’s');
          return;
        }
        for (const key of keys)
          this.#addKey(index, envelopeFromJson(key as unknown as Json), about, name, signer);
        return;
      }
      case 'https://stele-log/participant-key/v1': {
        const { about, oldKey, newKey, action } = statement.predicate;
        if (action === 'object') return;
        const own =
          signer.participant === about &&
          (signer.use === 'recovery' || (signer.use === 'signing' && oldKey === statement.predicate.signer));
        // A registrar's change waits while the old key may object: only a replay knows how that ended.
        if (!own) {
          this.#fault(index, `changes a key of ${about} by a registrar, after a waiting time`);
          return;
        }
        const old = oldKey === undefined ? undefined : this.keys.get(oldKey);
        if (old !== undefined && old.participant !== about) {
          this.#fault(index, `ends a key of ${old.participant} in the name of ${about}`);
          return;
        }
        if (old !== undefined) old.until ??= index;
        if (newKey !== undefined)
          this.#addKey(
            index,
            envelopeFromJson(newKey as unknown as Json),
            about,
            signer.name,
            signer,
            old?.use,
          );
        return;
      }
    }
  }

  #amend(index: number, amendment: { amends: string; terms: Terms }, signer: KnownKey): void {
    const { terms } = amendment;
    if (this.#terms === undefined || signer.use !== 'registrar') return;
    if (amendment.amends !== termsDigest(this.#terms)) return; // consents to change terms that are gone
    const consents = this.#consents.get(termsDigest(terms)) ?? new Set();
    this.#consents.set(termsDigest(terms), consents.add(signer.participant));
    if (consents.size < this.#terms.registrars.threshold) return;
    for (const key of this.keys.values())
      if (key.use !== 'signing' && key.use !== 'recovery') key.until ??= index;
    this.#terms = terms;
    this.#consents.clear();
    this.#addOfficers(terms, index);
  }

  #addOfficers(terms: Terms, index: number): void {
    const by = `the charter, entry ${index}`;
    const add = (key: string, known: Pick<KnownKey, 'participant' | 'name' | 'use'>): void => {
      const publicKey = decodeHex(key, 'key');
      const before = this.keys.get(keyId(publicKey));
      // An officer who stays has been one all the time.
      if (before?.until === index && before.use === known.use && before.participant === known.participant)
        Reflect.deleteProperty(before, 'until');
      else this.keys.set(keyId(publicKey), { publicKey, ...known, by, from: index });
    };
    const { operator, anchorKey, registrars } = terms;
    add(operator.key, { participant: operator.participant, name: operator.name, use: 'operator' });
    add(anchorKey, { participant: operator.participant, name: operator.name, use: 'anchor' });
    for (const { key, participant, name } of registrars.members)
      add(key, { participant, name, use: 'registrar' });
  }

  /** `as` is the use that the key takes over, where it takes another's place. */
  #addKey(
    index: number,
    envelope: Envelope,
    about: string,
    name: string,
    by: KnownKey,
    as?: KnownKey['use'],
  ): void {
    const parsed = parseStatement(envelope.payload);
    if (!parsed.known || parsed.statement.predicateType !== 'https://stele-log/key-statement/v1') {
      this.#fault(index, 'holds something else where a key-statement belongs');
      return;
    }
    const { participant, origin, key, use } = parsed.statement.predicate;
    const publicKey = decodeHex(key, 'key');
    if (participant !== about || origin !== this.#origin || !verifyEnvelopeSignature(envelope, publicKey)) {
      this.#fault(index, `holds a key whose consent is not for ${about} in ${this.#origin}`);
      return;
    }
    if (as !== undefined && use !== as) {
      this.#fault(index, `puts a ${use} key in the place of a ${as} key`);
      return;
    }
    const id = keyId(publicKey);
    if (this.keys.has(id)) return; // a key is introduced once: the ledger refuses a second time
    const who = by.use === 'registrar' ? `registrar ${by.participant}` : `${by.participant} itself`;
    this.keys.set(id, { publicKey, participant, name, use, by: `${who}, entry ${index}`, from: index });
  }

  #fault(index: number, what: string): void {
    this.faults.push(`entry ${index} ${what}`);
  }
}
