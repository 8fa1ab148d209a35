// spec/http/witness.openapi.json: a witness's doors. What each outcome is as a status comes from the witness's
// own tables; a test holds the document against its routes and a running witness.
import { packageVersion } from '../../system/index.js';
import { GOSSIP_STATUS as GOSSIP } from '../../witness/gossip/doors.js';
import { DOOR_STATUS as STATUS, MAX_BODY } from '../../witness/http.js';
import { STATUS_SCHEMA } from '../../witness/status.js';

type Json = Record<string, unknown>;

/** Where it lies. */
export const WITNESS_OPENAPI_FILE: URL = new URL('../../../spec/http/witness.openapi.json', import.meta.url);

/** What the outcomes are, by the witness's names for them. */
const MEANS: Readonly<Record<keyof typeof STATUS | keyof typeof GOSSIP, string>> = {
  cosigned: 'A line per key: the cosignatures',
  'subtree-signed': 'The line by the ML-DSA-44 key',
  malformed: 'The body is not as it should be',
  untrusted: 'No good signature by a key that is known for this origin, or a bad one',
  'unknown-origin': 'This log is not configured here',
  'not-offered': 'This witness has no ML-DSA-44 key',
  conflict: 'The old size is not that of the last cosigned checkpoint, which is the body',
  'too-large': 'The body is too large',
  inconsistent: 'The proof does not hold',
  'bad-subtree': 'The proof does not hold',
  failed: 'The state could not be written',
  gone: 'The body ended too early',
  crowded: 'Too much is being sent at once',
  'clock-behind': 'The clock is behind the last cosignature',
  'clock-leapt': 'The clock leapt, and nobody has confirmed it',
  spent: 'The folder is an older copy: this key signs no more',
  contended: 'Other requests for this log came first',
  unsigned: 'The signing threads are busy',
  consistent: 'consistent: on the history that is known here',
  contradiction: 'contradiction: and the hashes of the evidence, one a line',
  stored: 'Taken; its hash',
  known: 'It was there; its hash',
  open: 'open: being looked into, and what is missing',
  unknown_key: 'It accuses no key that is known here',
  refused: 'It proves nothing',
};

interface Door {
  readonly path: string;
  readonly method: 'get' | 'post';
  readonly id: string;
  readonly summary: string;
  readonly body?: string;
  /** By status, or the outcomes of a table. */
  readonly answers: Readonly<Record<number, string>>;
  readonly type?: string;
  readonly schema?: Json;
}

function outcomes<K extends keyof typeof MEANS>(
  table: Readonly<Record<K, number>>,
  kinds: readonly K[],
): Record<number, string> {
  const found = new Map<number, string>();
  for (const kind of kinds) {
    const before = found.get(table[kind]);
    found.set(table[kind], before === undefined ? MEANS[kind] : `${before}. Or: ${MEANS[kind]}`);
  }
  return Object.fromEntries(found);
}

const SUBTREES = ['subtree-signed', 'not-offered', 'bad-subtree'] as const;
const CHECKPOINTS = [
  'cosigned',
  'conflict',
  'inconsistent',
  'clock-behind',
  'clock-leapt',
  'contended',
] as const;
const kinds = Object.keys(STATUS) as (keyof typeof STATUS)[];
const without = (others: readonly string[]): (keyof typeof STATUS)[] =>
  kinds.filter((kind) => !others.includes(kind));
const otherMethod = { 405: 'Another method' };
const busy = { 429: 'Too much was asked just now' };
const crowd = { 503: 'Too many are reading this just now' };

const size: Json = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const time: Json = { type: ['string', 'null'], format: 'date-time' };
const text: Json = { type: 'string' };
const orNull = (type: string): Json => ({ type: [type, 'null'] });
/** Everything is there, and nothing else. */
const all = (properties: Json): Json => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const list = (items: Json): Json => ({ type: 'array', items });

const statusSchema = all({
  schema: { const: STATUS_SCHEMA },
  name: text,
  version: text,
  keys: { ...list(text), description: 'Verifier keys' },
  time: { type: 'string', format: 'date-time' },
  ok: { type: 'boolean', description: 'Whether it signs' },
  reason: orNull('string'),
  logs: list(
    all({
      origin: text,
      hash: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      url: orNull('string'),
      size,
      rootHash: orNull('string'),
      cosigned: time,
      age: orNull('integer'),
      largestKnown: size,
      lag: size,
      alarms: list(all({ kind: text, since: text, age: size, detail: text })),
      dropped: size,
      evidence: list(all({ sha256: text, kind: text, role: text })),
      peers: list(all({ name: text, size, cosigned: time })),
    }),
  ),
  peers: list(
    all({
      name: text,
      url: orNull('string'),
      gossip: { type: 'boolean' },
      lastSeen: time,
      age: orNull('integer'),
      failures: size,
      failing: orNull('string'),
    }),
  ),
  rounds: size,
  signing: all({ threads: size, signing: size, waiting: size, signed: size, replaced: size, refused: size }),
});

const note = 'A signed note';
const DOORS: readonly Door[] = [
  {
    path: '/add-checkpoint',
    method: 'post',
    id: 'addCheckpoint',
    summary: 'Have a checkpoint cosigned (C2SP tlog-witness)',
    body: `"old", a size, consistency proof, an empty line, the checkpoint; at most ${MAX_BODY} bytes`,
    answers: { ...outcomes(STATUS, without(SUBTREES)), ...otherMethod },
  },
  {
    path: '/sign-subtree',
    method: 'post',
    id: 'signSubtree',
    summary: 'Have a subtree of a cosigned checkpoint signed (C2SP tlog-witness)',
    body: `As C2SP tlog-witness has it; at most ${MAX_BODY} bytes`,
    answers: { ...outcomes(STATUS, without(CHECKPOINTS)), ...otherMethod },
  },
  {
    path: '/{originHash}/checkpoint',
    method: 'get',
    id: 'latest',
    summary:
      'What was cosigned last for the log whose origin has this SHA-256 (C2SP tlog-witness, monitoring)',
    answers: { 200: note, 404: 'Nothing was cosigned for such a log' },
  },
  {
    path: '/gossip/checkpoint',
    method: 'post',
    id: 'report',
    summary: 'Tell of a checkpoint (spec/gossip.md)',
    body: note,
    answers: {
      ...outcomes(GOSSIP, [
        'consistent',
        'contradiction',
        'open',
        'malformed',
        'gone',
        'untrusted',
        'unknown-origin',
        'too-large',
        'crowded',
      ]),
      ...otherMethod,
      ...busy,
    },
  },
  {
    path: '/gossip/evidence',
    method: 'post',
    id: 'giveEvidence',
    summary: 'Hand in a file of evidence (spec/evidence.md)',
    body: 'The file',
    answers: {
      ...outcomes(GOSSIP, [
        'stored',
        'known',
        'malformed',
        'gone',
        'unknown_key',
        'too-large',
        'refused',
        'crowded',
      ]),
      ...otherMethod,
      ...busy,
    },
  },
  {
    path: '/gossip/evidence',
    method: 'get',
    id: 'evidenceList',
    summary: 'The SHA-256 of each file of evidence that is kept, one a line',
    answers: { 200: 'Hashes' },
  },
  {
    path: '/gossip/evidence/{sha256}',
    method: 'get',
    id: 'evidence',
    summary: 'A file of evidence',
    answers: { 200: 'The file', 404: 'None with that hash is kept here', ...busy },
  },
  {
    path: '/{originHash}/consistency/{old}/{new}',
    method: 'get',
    id: 'consistency',
    summary: 'Owed proof: how two signed sizes of a log are one history (spec/gossip.md)',
    answers: { 200: 'The proof', 400: 'No two sizes', 404: 'It cannot be shown here', ...busy },
  },
  {
    path: '/seen/{nameHash}/{originHash}/checkpoint',
    method: 'get',
    id: 'seen',
    summary: 'What another witness was last seen to cosign',
    answers: { 200: note, 404: 'Nothing was seen' },
  },
  {
    path: '/status.json',
    method: 'get',
    id: 'status',
    summary: 'What the witness says of itself',
    answers: { 200: 'As it is now', ...crowd },
    type: 'application/json',
    schema: statusSchema,
  },
  {
    path: '/healthz',
    method: 'get',
    id: 'healthz',
    summary: 'Whether it signs',
    answers: { 200: 'It does', 503: 'It does not, and why' },
    type: 'application/json',
    schema: { type: 'object', properties: { ok: { type: 'boolean' }, reason: text }, required: ['ok'] },
  },
  {
    path: '/metrics',
    method: 'get',
    id: 'metrics',
    summary: 'Prometheus text',
    answers: { 200: 'Metrics', ...crowd },
  },
  {
    path: '/',
    method: 'get',
    id: 'page',
    summary: 'A page for people',
    answers: { 200: 'The page', ...crowd },
    type: 'text/html',
  },
];

/** Of every status, as a schema may only describe what is JSON. */
function contentOf({ type = 'text/plain', schema = text }: Door, status: number, id: string): Json {
  // Sizes have a type of their own: C2SP tlog-witness.
  if (id === 'addCheckpoint' && status === STATUS.conflict) return { 'text/x.tlog.size': { schema: text } };
  const isRefusal = status >= 400 && id !== 'healthz';
  return isRefusal ? { 'text/plain': { schema: text } } : { [type]: { schema } };
}

/** The whole document, as it stands in the file. */
export function witnessOpenapiDoc(): string {
  const paths: Record<string, Json> = {};
  for (const door of DOORS) {
    const { path, method, id, summary, body, answers } = door;
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const hex = { type: 'string', pattern: '^[0-9a-f]{64}$' };
    (paths[path] ??= {})[method] = {
      operationId: id,
      summary,
      ...(names.length > 0 && {
        parameters: names.map((name) => {
          return { name, in: 'path', required: true, schema: name === 'old' || name === 'new' ? size : hex };
        }),
      }),
      ...(body !== undefined && {
        requestBody: { description: body, required: true, content: { 'text/plain': { schema: text } } },
      }),
      responses: Object.fromEntries(
        Object.entries(answers).map(([status, description]) => [
          status,
          { description, content: contentOf(door, Number(status), id) },
        ]),
      ),
    };
  }
  const document = {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'A Stele witness',
      summary: 'Cosigning, comparing notes, and being watched (C2SP tlog-witness)',
      description:
        'Prose is in spec/witness.md and spec/gossip.md. 429 and 503 come with Retry-After, where it helps. HEAD is as GET; another method than a path has here is 405, with Allow.',
      version: packageVersion(),
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [],
    paths,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
