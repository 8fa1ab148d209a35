// What the log server answers to each request, for its OpenAPI document. Parameters, answers and codes
// are not repeated here: they come from what the server checks with.
import { REFUSALS } from '../../log-server/index.js';
import {
  CONSISTENCY,
  ENTRIES,
  ENTRY,
  EVENTS,
  INCLUSION,
  SEARCH,
  type NumberParameter,
  type TextParameter,
} from '../../log-server/http/parameters.js';

/** One answer: its media types, each with the name of a schema or a schema. */
export interface Answer {
  readonly description: string;
  readonly content: Readonly<Record<string, string | object>>;
  readonly headers?: readonly string[];
}

/** One request. */
export interface Route {
  readonly method: 'get' | 'post';
  /** As OpenAPI writes it. */
  readonly path: string;
  /** As the server's router has it. */
  readonly served: string;
  readonly id: string;
  readonly tag: 'read' | 'look up' | 'write' | 'watch';
  readonly summary: string;
  readonly description?: string;
  readonly inPath?: Readonly<Record<string, { readonly description: string; readonly schema: object }>>;
  readonly query?: Readonly<Record<string, TextParameter | NumberParameter>>;
  readonly header?: Readonly<Record<string, NumberParameter>>;
  readonly body?: Answer;
  readonly answers: Readonly<Record<number, Answer>>;
}

/** What a reader or a submitter is told of an error of the storage. */
const STORAGE = 'storage_unavailable';
/** Of requests, not of submissions. */
const OTHER = ['not_found', 'internal'];

/** An error, whose code is one of these where they are a closed set. */
function refused(description: string, codes?: readonly string[]): Answer {
  const retry = codes?.some(
    (code) =>
      !OTHER.includes(code) &&
      (code === STORAGE || REFUSALS[code as keyof typeof REFUSALS].retryAfter !== undefined),
  );
  const schema =
    codes === undefined
      ? 'error'
      : {
          allOf: [
            { $ref: '#/components/schemas/error' },
            { properties: { error: { properties: { code: { enum: codes } } } } },
          ],
        };
  return {
    description,
    content: { 'application/json': schema, 'text/plain': { type: 'string' } },
    ...(retry && { headers: ['Retry-After'] }),
  };
}

const TEXT = { 'text/plain': { type: 'string' } };
const BYTES = { 'application/octet-stream': {} };
const codesOf = (status: number): string[] =>
  Object.entries(REFUSALS).flatMap(([code, refusal]) => (refusal.status === status ? [code] : []));
/** Refusals that are not of submissions. */
const OF_READERS = ['index_unavailable'];

const missing = refused('There is no such thing under the published checkpoint', ['not_found']);
const malformed = refused('A parameter is not as it should be');
const broken = {
  500: refused('A bug', ['internal']),
  503: refused('The storage refuses until the operator has looked', [STORAGE]),
};
const inPath = {
  level: { description: '0 to 63', schema: { type: 'integer', minimum: 0, maximum: 63 } },
  index: {
    description: 'In groups of three digits, x before all but the last; its slashes are not escaped',
    schema: { type: 'string', pattern: '^(x[0-9]{3}/)*[0-9]{3}$' },
  },
  width: { description: 'Up to the published edge', schema: { type: 'integer', minimum: 1, maximum: 255 } },
};
const { level, index, width } = inPath;
const tile = { 200: { description: 'Hashes, 32 bytes each', content: BYTES }, 404: missing, ...broken };
const bundle = {
  200: {
    description: 'Entries, each behind its length in two bytes; gzip where Accept-Encoding takes it',
    content: BYTES,
    headers: ['Content-Encoding'],
  },
  404: missing,
  500: broken[500],
  503: refused('Too many bundles are on their way to slow readers, or the storage refuses', [
    'busy',
    STORAGE,
  ]),
};

/** Every route of the server, in the order of the document. */
export const ROUTES: readonly Route[] = [
  {
    method: 'get',
    path: '/checkpoint',
    served: '/checkpoint',
    id: 'checkpoint',
    tag: 'read',
    summary: 'The published checkpoint, with its cosignatures (C2SP tlog-checkpoint)',
    answers: {
      200: { description: 'A signed note', content: TEXT },
      404: { ...missing, description: 'Nothing is published yet', headers: ['Retry-After'] },
    },
  },
  {
    method: 'get',
    path: '/tile/{level}/{index}',
    served: '/tile/*',
    id: 'tile',
    tag: 'read',
    summary: 'A full tile of hashes (C2SP tlog-tiles)',
    inPath: { level, index },
    answers: tile,
  },
  {
    method: 'get',
    path: '/tile/{level}/{index}.p/{width}',
    served: '/tile/*',
    id: 'partialTile',
    tag: 'read',
    summary: 'The first hashes of a tile',
    inPath: { level, index, width },
    answers: tile,
  },
  {
    method: 'get',
    path: '/tile/entries/{index}',
    served: '/tile/*',
    id: 'bundle',
    tag: 'read',
    summary: '256 entries',
    inPath: { index },
    answers: bundle,
  },
  {
    method: 'get',
    path: '/tile/entries/{index}.p/{width}',
    served: '/tile/*',
    id: 'partialBundle',
    tag: 'read',
    summary: 'The first entries of a bundle',
    inPath: { index, width },
    answers: bundle,
  },
  {
    method: 'get',
    path: '/api/v1/checkpoint',
    served: '/api/v1/checkpoint',
    id: 'checkpointJson',
    tag: 'look up',
    summary: 'The published checkpoint in JSON',
    answers: {
      200: { description: 'The checkpoint', content: { 'application/json': 'checkpoint' } },
      404: { ...missing, description: 'Nothing is published yet' },
    },
  },
  {
    method: 'get',
    path: '/api/v1/entries/{index}',
    served: '/api/v1/entries/:index',
    id: 'entry',
    tag: 'look up',
    summary: 'An entry by its index, with its proof',
    inPath: ENTRY,
    answers: {
      200: { description: 'The entry', content: { 'application/json': 'entry' } },
      400: malformed,
      404: missing,
      ...broken,
    },
  },
  {
    method: 'get',
    path: '/api/v1/entries',
    served: '/api/v1/entries',
    id: 'entryByPayload',
    tag: 'look up',
    summary: 'An entry by the digest of its payload, with its proof',
    query: ENTRIES,
    answers: {
      200: { description: 'The entry', content: { 'application/json': 'entry' } },
      400: malformed,
      404: missing,
      ...broken,
    },
  },
  {
    method: 'get',
    path: '/api/v1/proofs/inclusion',
    served: '/api/v1/proofs/inclusion',
    id: 'inclusionProof',
    tag: 'look up',
    summary: 'An audit path',
    query: INCLUSION,
    answers: {
      200: { description: 'The path', content: { 'application/json': 'inclusionProof' } },
      400: malformed,
      404: missing,
      ...broken,
    },
  },
  {
    method: 'get',
    path: '/api/v1/proofs/consistency',
    served: '/api/v1/proofs/consistency',
    id: 'consistencyProof',
    tag: 'look up',
    summary: 'A consistency proof between two sizes',
    query: CONSISTENCY,
    answers: {
      200: { description: 'The proof', content: { 'application/json': 'consistencyProof' } },
      400: malformed,
      404: missing,
      ...broken,
    },
  },
  {
    method: 'get',
    path: '/api/v1/search',
    served: '/api/v1/search',
    id: 'search',
    tag: 'look up',
    summary: 'Entries by participant, run, type, digest and time, in pages',
    description:
      'All that is given must fit. Not with --admission none, where there is nothing to search by.',
    query: SEARCH,
    answers: {
      200: { description: 'A page', content: { 'application/json': 'found' } },
      400: malformed,
      500: broken[500],
      503: refused('The index is being made anew, too many search at once, or the storage refuses', [
        'index_unavailable',
        'busy',
        STORAGE,
      ]),
    },
  },
  {
    method: 'get',
    path: '/api/v1/events',
    served: '/api/v1/events',
    id: 'events',
    tag: 'look up',
    summary: 'Entries as they are published, as server-sent events',
    description:
      'Each has `event: entry`, `id` the index, and `data` of the schema `event`. Not with --admission none.',
    query: EVENTS,
    header: { 'Last-Event-ID': EVENTS.after },
    answers: {
      200: { description: 'The stream', content: { 'text/event-stream': { type: 'string' } } },
      400: malformed,
      503: refused('Too many readers', ['busy']),
    },
  },
  {
    method: 'post',
    path: '/add',
    served: '/add',
    id: 'add',
    tag: 'write',
    summary: 'Logs an entry; answered when it is published under a quorum',
    description:
      'The same payload again has the same index. After 429, 503 or no answer at all send the same bytes again.',
    body: {
      description: 'The entry; its media type is not looked at. With --admission none, any bytes',
      content: { 'application/json': 'envelope', 'application/octet-stream': {} },
    },
    answers: {
      200: {
        description: 'Logged and published',
        content: {
          'text/plain': { type: 'string', pattern: '^(0|[1-9][0-9]*)\\n$' },
          'application/json': 'entry',
          'text/x.tlog.proof': { type: 'string', pattern: '^c2sp\\.org/tlog-proof@v1\\n' },
        },
      },
      400: refused('Not an entry'),
      403: refused('Not admitted: the code is that of a rule of spec/attestations.md, "Admission"'),
      410: refused('The log takes no more entries', codesOf(410)),
      413: refused('Too large; the connection is closed', codesOf(413)),
      429: refused('Too many entries per second of one participant', codesOf(429)),
      500: broken[500],
      503: refused('Not now', [...codesOf(503).filter((code) => !OF_READERS.includes(code)), STORAGE]),
    },
  },
  {
    method: 'get',
    path: '/',
    served: '/',
    id: 'front',
    tag: 'watch',
    summary: 'For people: what this log is',
    answers: {
      200: { description: 'A page, or text', content: { ...TEXT, 'text/html': { type: 'string' } } },
    },
  },
  {
    method: 'get',
    path: '/healthz',
    served: '/healthz',
    id: 'healthz',
    tag: 'watch',
    summary: 'Whether the process answers',
    answers: { 200: { description: 'ok', content: { 'text/plain': { type: 'string', const: 'ok\n' } } } },
  },
  {
    method: 'get',
    path: '/readyz',
    served: '/readyz',
    id: 'readyz',
    tag: 'watch',
    summary: 'Whether entries are taken',
    answers: {
      200: { description: 'They are', content: { 'application/json': 'readiness' } },
      503: { description: 'They are not, and why', content: { 'application/json': 'readiness' } },
    },
  },
  {
    method: 'get',
    path: '/metrics',
    served: '/metrics',
    id: 'metrics',
    tag: 'watch',
    summary: 'For Prometheus, text format 0.0.4',
    answers: { 200: { description: 'Counts and gauges', content: TEXT } },
  },
  {
    method: 'get',
    path: '/api/v1/openapi.json',
    served: '/api/v1/openapi.json',
    id: 'openapi',
    tag: 'watch',
    summary: 'This document',
    answers: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { type: 'object' } } } },
  },
];
