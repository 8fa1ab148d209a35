// Who signed: found from nothing but entries that are proven to be in the log. The charter (entry 0)
// names the registrars and their keys; a registrar's `participant` entry introduces a participant with
// its keys, each of which has signed its own consent; `participant-key` entries change them.
//
// The entries are those that somebody put into a file, so this cannot see what was left out: a key that
// was revoked by an entry that is not there. Only a replay of the log can. The callers say so.
// But what is there is checked whole, whether it says something about keys or not. spec/bundle.md "Keys".
import {
  checkStatement,
  envelopeFromJson,
  keyId,
  knownType,
  parseAnyStatement,
  parseStatement,
  termsDigest,
  usesThatSign,
  verifyEnvelopeSignature,
  type Envelope,
  type Json,
  type KeyUse,
  type KnownStatement,
  type ParticipantKey,
  type Terms,
} from '../attestation/index.js';
import { NOTE_ED25519, decodeHex, encodeHex, equalBytes, parseVkey } from '../tlog/index.js';

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
  readonly uses: readonly KeyUse[];
  /** What introduced it, for people. */
  readonly by: string;
  /** In force for entries after this index, and up to and with `until`. */
  readonly from: number;
  until?: number;
  /** Index of a registrar's change on which the key rests: whether that took effect takes a replay. */
  readonly restsOn?: number;
}

/** Terms, and the entry that put them in force. */
export interface TermsAt {
  readonly terms: Terms;
  readonly index: number;
}

/** What the entries of a file say about keys. */
export interface Directory {
  /** The terms after the last of them; undefined without the charter. */
  readonly inForce?: TermsAt | undefined;
  /** By key ID. Empty without the charter. */
  readonly keys: ReadonlyMap<string, KnownKey>;
  /** What does not hold, in the order of the log: an entry that its own signer did not sign, and the like. */
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
  #inForce: TermsAt | undefined;
  #last: PlacedEntry | undefined;
  /** Registrars that consented to new terms, by the digest of those terms. */
  readonly #consents = new Map<string, Set<string>>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  get inForce(): TermsAt | undefined {
    return this.#inForce;
  }

  add(entry: PlacedEntry): void {
    const { index, envelope } = entry;
    if (this.#last?.index === index) {
      // The same entry twice counts once.
      if (!equalBytes(this.#last.envelope.payload, envelope.payload))
        this.#fault(index, 'is two different entries');
      return;
    }
    this.#last = entry;
    const statement = parseAnyStatement(envelope.payload);
    const type = knownType(statement.predicateType);
    const known = type === undefined ? undefined : checkStatement(statement);
    if (known?.predicateType === 'https://stele-log/charter/v1') {
      const { terms } = known.predicate;
      if (index !== 0 || terms.origin !== this.#origin) {
        this.#fault(index, `is a charter of ${terms.origin}, not entry 0 of ${this.#origin}`);
        return;
      }
      this.#inForce = { terms, index };
      this.#addOfficers(terms, 0);
    }
    // Without the charter nobody is introduced, and no signature can be checked.
    if (this.#inForce === undefined) return;
    const { signer, participant } = statement.predicate;
    const key = this.keys.get(signer);
    const uses = usesThatSign(type);
    if (key === undefined) {
      this.#fault(index, `is signed by key ${signer}, which nothing in the file introduces`);
    } else if (!verifyEnvelopeSignature(envelope, key.publicKey) || envelope.keyid !== signer) {
      this.#fault(index, 'is not signed by the key that it names');
    } else if (index > 0 && (index <= key.from || index > (key.until ?? Infinity))) {
      this.#fault(index, 'is signed by a key that was not in force there');
    } else if (key.participant !== participant) {
      this.#fault(index, `speaks for ${participant} but is signed by a key of ${key.participant}`);
    } else if (!key.uses.some((use) => uses.includes(use))) {
      this.#fault(index, `is signed by a key for ${key.uses.join(' and ')}, not for ${uses.join(' or ')}`);
    } else if (known !== undefined) {
      this.#apply(index, known, key);
    }
  }

  #apply(index: number, statement: KnownStatement, signer: KnownKey): void {
    switch (statement.predicateType) {
      case 'https://stele-log/charter-amendment/v1':
        if (this.#sameLog(index, statement.predicate.terms.origin))
          this.#amend(index, statement.predicate, signer);
        return;
      case 'https://stele-log/participant/v1': {
        const { about, name, keys, origin } = statement.predicate;
        if (!this.#sameLog(index, origin)) return;
        for (const key of keys)
          this.#addKey(index, envelopeFromJson(key as unknown as Json), about, name, signer);
        return;
      }
      case 'https://stele-log/participant-key/v1':
        if (this.#sameLog(index, statement.predicate.origin))
          this.#changeKey(index, statement.predicate, signer);
    }
  }

  #changeKey(index: number, change: ParticipantKey['predicate'], signer: KnownKey): void {
    const { about, action, oldKey, newKey } = change;
    const own = signer.participant === about;
    if (!own && (!signer.uses.includes('registrar') || action === 'object')) {
      this.#fault(index, `is about keys of ${about} and signed by a key of ${signer.participant}`);
      return;
    }
    if (action === 'object') return;
    const old = oldKey === undefined ? undefined : this.keys.get(oldKey);
    if (old === undefined || old.participant !== about || old.until !== undefined) {
      this.#fault(index, `ends a key that is not one of ${about} in force`);
      return;
    }
    if (own && !signer.uses.includes('recovery') && oldKey !== change.signer) {
      this.#fault(index, `ends another key of ${about} than its own, and is not by the recovery key`);
      return;
    }
    if ((newKey !== undefined) !== (action === 'rotate')) {
      this.#fault(index, `is to ${action} a key and has ${newKey === undefined ? 'no' : 'a'} new one`);
      return;
    }
    // A registrar's change waits while the participant may object: only a replay knows how that ended.
    const restsOn = own ? signer.restsOn : index;
    if (restsOn === undefined) old.until = index;
    if (newKey === undefined) return;
    const envelope = envelopeFromJson(newKey as unknown as Json);
    this.#addKey(index, envelope, about, old.name, signer, { uses: old.uses, restsOn });
  }

  #amend(index: number, amendment: { amends: string; terms: Terms }, signer: KnownKey): void {
    const { terms } = amendment;
    if (this.#inForce === undefined) return;
    if (amendment.amends !== termsDigest(this.#inForce.terms)) return; // consents to change terms that are gone
    const consents = this.#consents.get(termsDigest(terms)) ?? new Set();
    this.#consents.set(termsDigest(terms), consents.add(signer.participant));
    if (consents.size < this.#inForce.terms.registrars.threshold) return;
    this.#inForce = { terms, index };
    this.#consents.clear();
    this.#addOfficers(terms, index);
  }

  /** The officers of these terms; those that there were before and are not among them end. */
  #addOfficers(terms: Terms, index: number): void {
    const by = index === 0 ? 'the charter' : `the charter's amendment, entry ${index}`;
    const named = new Map<string, KnownKey>();
    const add = (key: string, { participant, name }: Terms['operator'], use: KeyUse): void => {
      const publicKey = decodeHex(key, 'key');
      const id = keyId(publicKey);
      const uses = [...(named.get(id)?.uses ?? []), use];
      // An officer who stays has been one all the time.
      const from = this.keys.get(id)?.from ?? index;
      named.set(id, { publicKey, participant, name, uses, by, from });
    };
    const { operator, anchorKey, logKeys, registrars } = terms;
    add(operator.key, operator, 'operator');
    add(anchorKey, operator, 'anchor');
    for (const { type, publicKey } of logKeys.map((text) => parseVkey(text)))
      if (type === NOTE_ED25519) add(encodeHex(publicKey), operator, 'log');
    for (const member of registrars.members) add(member.key, member, 'registrar');
    for (const [id, key] of this.keys)
      if (!named.has(id) && !key.uses.some((use) => use === 'signing' || use === 'recovery'))
        key.until ??= index;
    for (const [id, key] of named) this.keys.set(id, key);
  }

  /** `as`: for a key that takes another's place, the other's uses and what the change rests on. */
  #addKey(
    index: number,
    envelope: Envelope,
    about: string,
    name: string,
    by: KnownKey,
    as?: { readonly uses: readonly KeyUse[]; readonly restsOn: number | undefined },
  ): void {
    const parsed = parseStatement(envelope.payload);
    if (!parsed.known || parsed.statement.predicateType !== 'https://stele-log/key-statement/v1') {
      this.#fault(index, 'holds something else where a key-statement belongs');
      return;
    }
    const { participant, origin, key, use, signer } = parsed.statement.predicate;
    const publicKey = decodeHex(key, 'key');
    if (participant !== about || origin !== this.#origin || !verifyEnvelopeSignature(envelope, publicKey)) {
      this.#fault(index, `holds a key whose consent is not for ${about} in ${this.#origin}`);
      return;
    }
    const id = keyId(publicKey);
    if (signer !== id || envelope.keyid !== id) {
      this.#fault(index, `holds a key-statement that names another signer than its key, ${id}`);
      return;
    }
    if (as !== undefined && !as.uses.includes(use)) {
      this.#fault(index, `puts a ${use} key in the place of a ${as.uses.join()} key`);
      return;
    }
    // A key that a registrar's change brought may be brought again, since the change may have come to nothing.
    const before = this.keys.get(id);
    if (before !== undefined && before.restsOn === undefined) {
      this.#fault(index, `introduces key ${id}, which ${before.by} introduced`);
      return;
    }
    const who = by.uses.includes('registrar') ? `registrar ${by.participant}` : `${by.participant} itself`;
    const restsOn = as?.restsOn;
    this.keys.set(id, {
      publicKey,
      participant,
      name,
      uses: [use],
      by: `${who}, entry ${index}`,
      from: index,
      ...(restsOn !== undefined && { restsOn }),
    });
  }

  #sameLog(index: number, origin: string): boolean {
    if (origin !== this.#origin) this.#fault(index, `is for the log ${origin}, not ${this.#origin}`);
    return origin === this.#origin;
  }

  #fault(index: number, what: string): void {
    this.faults.push(`entry ${index} ${what}`);
  }
}
