// Envelopes and the ledger, the slow way: from the words of spec/attestations.md, over plain objects, with
// no thought of speed. It assumes that what it is given is admissible and judges only what that does to
// the ledger. Imports nothing that it judges.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { referenceCanonical } from './json.js';
import { referenceAnchorTimes } from './time.js';

export const sha256 = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

const privateKey = (seed: Uint8Array): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });

/** The raw public key in hex. */
export function referencePublic(seed: Uint8Array): string {
  return createPublicKey(privateKey(seed))
    .export({ format: 'der', type: 'spki' })
    .subarray(12)
    .toString('hex');
}

export const referenceKeyIdentity = (seed: Uint8Array): string =>
  sha256(Buffer.from(referencePublic(seed), 'hex'));

export interface ReferenceEnvelope {
  payload: string;
  payloadType: string;
  signatures: { keyid: string; sig: string }[];
}

/** Signs a payload as DSSE says; keyid is the key's own unless another is given. */
export function referenceEnvelope(
  payload: string,
  seed: Uint8Array,
  keyid: string = referenceKeyIdentity(seed),
): ReferenceEnvelope {
  const type = 'application/vnd.in-toto+json';
  const body = Buffer.from(payload, 'utf8');
  const pae = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${body.length} `), body]);
  return {
    payload: body.toString('base64'),
    payloadType: type,
    signatures: [{ keyid, sig: sign(null, pae, privateKey(seed)).toString('base64') }],
  };
}

/** A statement signed by its signer: fills in signer, canonicalises. */
export function referenceSigned(statement: { predicate: object }, seed: Uint8Array): ReferenceEnvelope {
  const predicate = { ...statement.predicate, signer: referenceKeyIdentity(seed) };
  return referenceEnvelope(referenceCanonical({ ...statement, predicate }), seed);
}

/** The leaf. */
export const referenceLeaf = (envelope: ReferenceEnvelope): Uint8Array =>
  new Uint8Array(Buffer.from(referenceCanonical(envelope), 'utf8'));

type Value = Record<string, unknown>;
interface Terms extends Value {
  origin: string;
  sizeLimit: number;
  keyWait: number;
  operator: { participant: string; name: string; key: string };
  anchorKey: string;
  logKeys: string[];
  registrars: { threshold: number; members: { participant: string; name: string; key: string }[] };
  admission: { schemas: Record<string, string>; unknownTypes: string };
}
interface Request extends Value {
  about: string;
  statement: string;
  index: number;
  wait: number;
  loggedBy: number | null;
  oldKey: string;
  newKey: string | null;
}
interface Statement {
  subject: { name: string; digest: { sha256: string } }[];
  predicateType: string;
  predicate: Value;
}

const N16 = (value: number): string => value.toString().padStart(16, '0');

/** The ledger of "The ledger" in spec/attestations.md. */
export class ReferenceLedger {
  readonly values: Map<string, Value> = new Map();
  digest: Uint8Array = new Uint8Array(32);
  size = 0;
  readonly #faults: number;
  #written = new Map<string, Value | null>();
  #findings = 0;

  /** f of the policy, which stays the same. */
  constructor(faults: number) {
    this.#faults = faults;
  }

  /** Takes one admissible leaf. */
  push(leaf: Uint8Array): void {
    this.#written = new Map();
    this.#findings = 0;
    const leafHash = createHash('sha256').update(Uint8Array.of(0)).update(leaf).digest();
    const envelope = JSON.parse(Buffer.from(leaf).toString('utf8')) as ReferenceEnvelope;
    const payload = Buffer.from(envelope.payload, 'base64');
    const statement = JSON.parse(payload.toString('utf8')) as Statement;
    this.#apply(statement, sha256(payload), leafHash.toString('hex'));
    const recent = statement.predicate['recentAnchor'] as { index: number; leafHash: string } | undefined;
    if (recent !== undefined) {
      const at = this.values.get(`anchor-at/${N16(recent.index)}`);
      const anchor = at && this.values.get(`anchor/${N16(at['ordinal'] as number)}`);
      if (anchor?.['leafHash'] !== recent.leafHash) this.#find('anchor-unknown');
    }
    const changes = createHash('sha256')
      .update(referenceCanonical(Object.fromEntries(this.#written)))
      .digest();
    this.digest = createHash('sha256').update(this.digest).update(leafHash).update(changes).digest();
    this.size++;
  }

  /** `<size> <digest>`. */
  line(): string {
    return `${this.size} ${Buffer.from(this.digest).toString('hex')}`;
  }

  #put(key: string, value: Value): void {
    this.values.set(key, value);
    this.#written.set(key, value);
  }

  #find(code: string, ...others: number[]): void {
    const entries = [...others, this.size].sort((a, b) => a - b);
    this.#put(`finding/${N16(this.size)}/${N16(this.#findings++)}`, { code, entries });
  }

  #get(key: string): Value {
    const value = this.values.get(key);
    if (value === undefined) throw new Error(`the reference has no ${key}`);
    return value;
  }

  #apply(statement: Statement, id: string, leafHash: string): void {
    const predicate = statement.predicate;
    const about = predicate['about'] as string;
    const type = statement.predicateType.split('/')[3] ?? '';
    if (!this.#isKnown(statement.predicateType)) return;
    switch (type) {
      case 'charter': {
        const terms = predicate['terms'] as Terms;
        this.#put('pending', { requests: [] });
        this.#putTerms(terms, { anchorIndex: null, anchorSize: 0, anchors: 0, frozenAt: null });
        this.#putOfficers(terms);
        return;
      }
      case 'charter-amendment': {
        const terms = predicate['terms'] as Terms;
        const amends = predicate['amends'] as string;
        const digest = sha256(referenceCanonical(terms));
        if (amends !== this.#get('head')['terms']) {
          this.#find('amendment-stale');
          return;
        }
        if (!this.#natural(statement, id, type, [amends, digest])) return;
        const key = `votes/${amends}/${digest}`;
        const registrars = [
          ...((this.values.get(key)?.['registrars'] as string[] | undefined) ?? []),
          predicate['participant'] as string,
        ].sort();
        const old = this.#get('terms') as Terms;
        if (registrars.length < old.registrars.threshold) {
          this.#put(key, { registrars });
          return;
        }
        this.values.delete(key);
        this.#written.set(key, null);
        this.#putTerms(terms, this.#get('head'));
        const kept = new Set(keysOf(terms).map(({ id: each }) => each));
        for (const { id: each } of keysOf(old))
          if (!kept.has(each)) this.#put(`key/${each}`, { ...this.#get(`key/${each}`), until: this.size });
        for (const each of mlDsaIds(old))
          if (!mlDsaIds(terms).includes(each)) this.#put(`ended-log-key/${each}`, { until: this.size });
        this.#putOfficers(terms);
        return;
      }
      case 'anchor':
        this.#anchor(predicate['checkpoint'] as string, leafHash);
        return;
      case 'freeze':
        this.#put('head', { ...this.#get('head'), frozenAt: this.size });
        return;
      case 'participant': {
        this.#natural(statement, id, type, [about]);
        const keys = (predicate['keys'] as ReferenceEnvelope[]).map((embedded) => {
          const consent = (JSON.parse(Buffer.from(embedded.payload, 'base64').toString()) as Statement)
            .predicate;
          return this.#newKey(consent['key'] as string, about, consent['use'] as string, predicate['roles']);
        });
        this.#put(`participant/${about}`, {
          index: this.size,
          keys: keys.sort(),
          name: predicate['name'],
          officer: false,
          pending: null,
          roles: predicate['roles'],
        });
        return;
      }
      case 'participant-key':
        this.#keyChange(predicate, id);
        return;
      default:
        this.#run(statement, id, type);
    }
  }

  #isKnown(uri: string): boolean {
    if (this.size === 0) return true;
    return (this.#get('head')['types'] as string[]).includes(uri);
  }

  #putTerms(terms: Terms, rest: Value): void {
    this.#put('head', {
      anchorIndex: rest['anchorIndex'],
      anchorSize: rest['anchorSize'],
      anchors: rest['anchors'],
      faults: this.#faults,
      frozenAt: rest['frozenAt'],
      origin: terms.origin,
      sizeLimit: terms.sizeLimit,
      terms: sha256(referenceCanonical(terms)),
      types: Object.keys(terms.admission.schemas).sort(),
      unknownTypes: terms.admission.unknownTypes,
    });
    this.#put('terms', terms);
  }

  #putOfficers(terms: Terms): void {
    for (const { id, key, participant, uses } of keysOf(terms)) {
      const from = this.values.get(`key/${id}`)?.['from'] ?? this.size;
      this.#put(`key/${id}`, { from, key, participant, roles: [], until: null, uses });
    }
    for (const { participant, name } of [terms.operator, ...terms.registrars.members]) {
      const index = this.values.get(`participant/${participant}`)?.['index'] ?? this.size;
      this.#put(`participant/${participant}`, {
        index,
        keys: [],
        name,
        officer: true,
        pending: null,
        roles: [],
      });
    }
  }

  #newKey(key: string, participant: string, use: string, roles: unknown): string {
    const id = sha256(Buffer.from(key, 'hex'));
    this.#put(`key/${id}`, { from: this.size, key, participant, roles, until: null, uses: [use] });
    return id;
  }

  #anchor(note: string, leafHash: string): void {
    const [text = '', signatures = ''] = note.split('\n\n');
    const stamps = signatures
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
      .map(([, name = '', base64 = '']) => [name, Buffer.from(base64, 'base64')] as const)
      .filter(([, bytes]) => bytes.length === 76)
      .map(([name, bytes]) => [name, Number(bytes.readBigUInt64BE(4))] as const);
    const times = referenceAnchorTimes(stamps, this.#faults);
    const size = Number(text.split('\n')[1]);
    const head = this.#get('head');
    const ordinal = head['anchors'] as number;
    this.#put(`anchor/${N16(ordinal)}`, {
      index: this.size,
      leafHash,
      lower: times?.lower ?? null,
      size,
      upper: times?.upper ?? null,
    });
    this.#put(`anchor-at/${N16(this.size)}`, { ordinal });
    this.#put('head', { ...head, anchorIndex: this.size, anchorSize: size, anchors: ordinal + 1 });
    const requests = this.#get('pending')['requests'] as Request[];
    if (requests.length === 0) return;
    const left: Request[] = [];
    for (const request of requests) {
      if (request.loggedBy === null) {
        left.push(size > request.index && times ? { ...request, loggedBy: times.upper } : request);
      } else if (!times || times.lower < request.loggedBy + request.wait) {
        left.push(request);
      } else {
        this.#put(`participant/${request.about}`, {
          ...this.#get(`participant/${request.about}`),
          pending: null,
        });
        const keys = this.#get(`participant/${request.about}`)['keys'] as string[];
        const known =
          request.newKey !== null && this.values.has(`key/${sha256(Buffer.from(request.newKey, 'hex'))}`);
        if (!keys.includes(request.oldKey) || known) this.#find('request-void', request.index);
        else this.#change(request.about, request.oldKey, request.newKey);
      }
    }
    this.#put('pending', { requests: left });
  }

  #change(about: string, oldKey: string, newKey: string | null): void {
    const participant = this.#get(`participant/${about}`);
    const old = this.#get(`key/${oldKey}`);
    this.#put(`key/${oldKey}`, { ...old, until: this.size });
    const keys = (participant['keys'] as string[]).filter((id) => id !== oldKey);
    const [use = ''] = old['uses'] as string[];
    if (newKey !== null) keys.push(this.#newKey(newKey, about, use, participant['roles']));
    this.#put(`participant/${about}`, { ...participant, keys: keys.sort() });
  }

  #keyChange(predicate: Value, id: string): void {
    const about = predicate['about'] as string;
    const participant = this.#get(`participant/${about}`);
    const requests = this.#get('pending')['requests'] as Request[];
    if (predicate['action'] === 'object') {
      if (participant['pending'] !== predicate['request']) {
        this.#find('objection-void');
        return;
      }
      this.#put('pending', {
        requests: requests.filter(({ statement }) => statement !== predicate['request']),
      });
      this.#put(`participant/${about}`, { ...participant, pending: null });
      return;
    }
    const oldKey = predicate['oldKey'] as string;
    const embedded = predicate['newKey'] as ReferenceEnvelope | undefined;
    const newKey =
      embedded === undefined
        ? null
        : ((JSON.parse(Buffer.from(embedded.payload, 'base64').toString()) as Statement).predicate[
            'key'
          ] as string);
    const wait = (this.#get('terms') as Terms).keyWait;
    if (predicate['participant'] === about) {
      this.#change(about, oldKey, newKey);
      return;
    }
    if (participant['pending'] !== null) {
      this.#find('request-void');
      return;
    }
    if (wait === 0) {
      this.#change(about, oldKey, newKey);
      return;
    }
    const request: Request = { about, statement: id, index: this.size, wait, loggedBy: null, oldKey, newKey };
    this.#put('pending', { requests: [...requests, request] });
    this.#put(`participant/${about}`, { ...participant, pending: id });
  }

  /** Does it take effect? */
  #natural(
    statement: Statement,
    id: string,
    type: string,
    fields: (string | number)[],
  ): 'first' | 'again' | false {
    const predicate = statement.predicate;
    const key = ['natural', type, predicate['participant'], ...fields].join('/');
    const first = this.values.get(key);
    const supersedes = predicate['supersedes'];
    if (first !== undefined && supersedes !== first['statement']) {
      this.#find('second-statement', first['index'] as number);
      return false;
    }
    if (first === undefined && supersedes !== undefined) this.#find('supersedes-nothing');
    this.#put(key, { index: this.size, statement: id });
    return first === undefined ? 'first' : 'again';
  }

  #run(statement: Statement, id: string, type: string): void {
    const predicate = statement.predicate;
    const run = predicate['run'] as string;
    const window = predicate['window'] as number | undefined;
    const effect = this.#natural(statement, id, type, window === undefined ? [run] : [run, window]);
    if (effect === false) return;
    const specification = statement.subject[0]?.digest.sha256 ?? '';
    const key = `run/${String(predicate['participant'])}/${run}`;
    const before = this.values.get(key);
    const last = before?.['last'] as { index: number; statement: string } | undefined;
    const previous = last === undefined ? [] : [last.index];
    if (before !== undefined && before['specification'] !== specification)
      this.#find('specification-changed', ...previous);
    if (type === 'run-intent') {
      if (before !== undefined && before['intent'] === null) this.#find('intent-late', ...previous);
    } else {
      const final = before?.['final'] as { index: number } | null | undefined;
      if (final && effect === 'first') this.#find('statement-after-final', final.index);
      if (!before?.['intent'] && predicate['retrospective'] === false)
        this.#find('intent-missing', ...previous);
      if (predicate['previous'] !== last?.statement) this.#find('chain-broken', ...previous);
    }
    const mine = { index: this.size, statement: id };
    this.#put(key, {
      final: type === 'run-final' ? mine : (before?.['final'] ?? null),
      intent: type === 'run-intent' ? mine : (before?.['intent'] ?? null),
      last: mine,
      specification: before?.['specification'] ?? specification,
      windows:
        ((before?.['windows'] as number | undefined) ?? 0) +
        (type === 'run-progress' && effect === 'first' ? 1 : 0),
    });
  }
}

/** Raw log keys of a type. */
function logKeysOf(terms: Terms, type: number): Buffer[] {
  const keys = terms.logKeys.map((vkey) => Buffer.from(vkey.split('+').slice(2).join('+'), 'base64'));
  return keys.filter(([first]) => first === type).map((bytes) => bytes.subarray(1));
}

const mlDsaIds = (terms: Terms): string[] => logKeysOf(terms, 6).map((key) => sha256(key));

/** Keys of officers and of the server, each once, with their uses in the order of the specification. */
function keysOf(terms: Terms): { id: string; key: string; participant: string; uses: string[] }[] {
  const all: { key: string; participant: string; use: string }[] = [
    { key: terms.operator.key, participant: terms.operator.participant, use: 'operator' },
    { key: terms.anchorKey, participant: terms.operator.participant, use: 'anchor' },
    ...logKeysOf(terms, 1).map((key) => ({
      key: key.toString('hex'),
      participant: terms.operator.participant,
      use: 'log',
    })),
    ...terms.registrars.members.map(({ key, participant }) => ({ key, participant, use: 'registrar' })),
  ];
  return [...new Set(all.map(({ key }) => key))].map((key) => {
    const same = all.filter((each) => each.key === key);
    return {
      id: sha256(Buffer.from(key, 'hex')),
      key,
      participant: same[0]?.participant ?? '',
      uses: same.map(({ use }) => use),
    };
  });
}
