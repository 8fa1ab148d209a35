// spec/http/log.openapi.json against the server: every route is in it, and a running log gives every answer
// that it names, in every media type, as it says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  buildFreeze,
  entryId,
  formatEnvelope,
  isName,
  lastAnchor,
  parseEnvelope,
  sign,
} from '../attestation/index.js';
import { createApp } from '../log-server/http/app.js';
import type { LogView } from '../log-server/http/view.js';
import { initLog, startLog, type RunningLog } from '../log-server/index.js';
import { StorageError } from '../log-server/storage/error.js';
import { ORIGIN, testKey } from '../log-server/testing/fixture.js';
import { ManualClock } from '../log-server/testing/manual-clock.js';
import { participant } from '../log-server/testing/participant.js';
import { ScriptedWitness, networkOf } from '../log-server/testing/scripted-witness.js';
import { until } from '../log-server/testing/until.js';
import { readKeyFile } from '../system/index.js';
import { encodeHex, encodeUtf8, type SigningKey } from '../tlog/index.js';
import { ROUTES } from './docs/openapi-routes.js';
import { openapiDoc } from './docs/openapi.js';

interface Media {
  schema: object;
}
interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean; schema: { type: string } }[];
  responses: Record<string, { headers: object; content: Record<string, Media> }>;
}
type Document = Record<string, unknown> & { paths: Record<string, Record<string, Operation>> };

const document = JSON.parse(openapiDoc()) as Document;
const ajv = new Ajv2020({ strict: false, allErrors: false });
ajv.addFormat('stele-name', isName);
ajv.addSchema(document, 'log');

/** Fails unless a value is as the schema at this place of the document says. */
function validate(value: unknown, ...place: string[]): void {
  const pointer = place.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  const check = ajv.getSchema(`log#/${encodeURI(pointer)}`) ?? assert.fail(`no schema at ${pointer}`);
  assert.ok(check(value), `${pointer}: ${JSON.stringify(check.errors)} in ${JSON.stringify(value)}`);
}

/** What is asked, and of which log. */
interface Asked {
  readonly of?: RunningLog;
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: Uint8Array | string;
  /** Loopback address to ask from. */
  readonly from?: string;
}

interface Answered {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** One request. Of a stream, what comes first. */
function send(url: string, method: string, accept: string, { body, from }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const options = { method, agent: false, headers: { accept }, localAddress: from ?? '127.0.0.1' };
    const asking = request(url, options, (answer) => {
      const chunks: Buffer[] = [];
      const done = (): void => {
        const { statusCode = 0, headers } = answer;
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString() });
      };
      answer.on('end', done);
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const { 'content-type': type } = answer.headers;
        if (type !== 'text/event-stream' || !Buffer.concat(chunks).toString().includes('event: entry'))
          return;
        done();
        // The place of those that are to stay is kept.
        if (from === undefined) asking.destroy();
      });
      answer.on('error', () => undefined);
    });
    asking.on('error', reject);
    if (from !== undefined)
      open.push(() =>
        asking
          .removeAllListeners('error')
          .on('error', () => undefined)
          .destroy(),
      );
    asking.end(body);
  });
}

const open: (() => void)[] = [];
const root = mkdtempSync(join(tmpdir(), 'stele-openapi-'));
const clock = new ManualClock();
let log: RunningLog;
let plain: RunningLog;
/** Its witness never answers. */
let shut: RunningLog;
let operator: SigningKey;
let anchor: { index: number; leafHash: string };

const introduce = (about: string, key = operator): Uint8Array => participant(ORIGIN, key, about, anchor);

async function start(
  name: string,
  admission: 'charter' | 'none',
  policy = 'quorum none\n',
): Promise<RunningLog> {
  const folder = join(root, name);
  await initLog({ folder, origin: ORIGIN, admission, policy: encodeUtf8(policy), clock });
  return startLog({
    folder,
    admission,
    clock,
    listen: { host: '127.0.0.1', port: 0 },
    fetch: networkOf([]),
    limits: { ratePerParticipant: 1, burstPerParticipant: 4 },
  });
}

before(async () => {
  log = await start('charter', 'charter');
  plain = await start('plain', 'none');
  const witness = new ScriptedWitness('w', 10, clock);
  shut = await start('shut', 'none', `${witness.policyLine}\nquorum w\n`);
  await until(() => log.readiness().ready && plain.readiness().ready);
  operator = readKeyFile(join(root, 'charter', 'operator.key'));
  const { index, leafHash } = (await lastAnchor(log.storage.ledger)) ?? assert.fail('no anchor');
  anchor = { index, leafHash };
  await log.submit(introduce('lab-a'));
  await plain.submit(encodeUtf8('any bytes'));
});
after(async () => {
  for (const leave of open) leave();
  const closing = Promise.all([log, plain, shut].map((each) => each.close())).then(() => true);
  for (;;) {
    const turn = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
    if (await Promise.race([closing, turn])) break;
    clock.advance(1000);
  }
  rmSync(root, { recursive: true });
});

/** The storage does this instead, until the answer has come. */
type Broken = Partial<
  Record<'readEntry' | 'readTile' | 'readBundle' | 'lookup' | 'rootAt' | 'ledger', Error>
>;

const bug = new Error('a bug');
const away = new StorageError('storage_failed', 'the disk is gone');

/** Breaks a log's storage; answers what mends it. */
function breakStorage({ storage }: RunningLog, broken: Broken): () => void {
  const before = Object.keys(broken).map(
    (name) => [name, Object.getOwnPropertyDescriptor(storage, name)] as const,
  );
  for (const [name, error] of Object.entries(broken))
    Object.defineProperty(storage, name, { configurable: true, value: () => Promise.reject(error) });
  return () => {
    for (const [name, own] of before)
      if (own === undefined) Reflect.deleteProperty(storage, name);
      else Object.defineProperty(storage, name, own);
  };
}

const EDGE = { level: '0', index: '000', width: '2' };
const BEYOND = { level: '0', index: '009', width: '2' };
const entry = { path: { index: '2' } };
const payload = (): string => encodeHex(entryId(parseEnvelope(introduce('lab-a'))));
let names = 0;

/** How each documented answer comes about. */
const CASES: Record<string, (Asked & { broken?: Broken }) | (() => Promise<Asked> | Asked)> = {
  'checkpoint 200': {},
  'checkpoint 404': () => ({ of: shut }),
  'tile 200': () => full({ path: EDGE }),
  'tile 404': { path: BEYOND },
  'tile 500': { path: EDGE, broken: { readTile: bug } },
  'tile 503': { path: EDGE, broken: { readTile: away } },
  'partialTile 200': { path: EDGE },
  'partialTile 404': { path: BEYOND },
  'partialTile 500': { path: EDGE, broken: { readTile: bug } },
  'partialTile 503': { path: EDGE, broken: { readTile: away } },
  'bundle 200': () => full({ path: EDGE }),
  'bundle 404': { path: BEYOND },
  'bundle 500': { path: EDGE, broken: { readBundle: bug } },
  'bundle 503': { path: EDGE, broken: { readBundle: away } },
  'partialBundle 200': { path: EDGE },
  'partialBundle 404': { path: BEYOND },
  'partialBundle 500': { path: EDGE, broken: { readBundle: bug } },
  'partialBundle 503': { path: EDGE, broken: { readBundle: away } },
  'checkpointJson 200': {},
  'checkpointJson 404': () => ({ of: shut }),
  'entry 200': entry,
  'entry 400': { path: { index: '02' } },
  'entry 404': { path: { index: '99' } },
  'entry 500': { ...entry, broken: { readEntry: bug } },
  'entry 503': { ...entry, broken: { readEntry: away } },
  'entryByPayload 200': () => ({ query: `payload=${payload()}` }),
  'entryByPayload 400': { query: 'payload=zz' },
  'entryByPayload 404': { query: `payload=${'0'.repeat(64)}` },
  'entryByPayload 500': { query: `payload=${'0'.repeat(64)}`, broken: { lookup: bug } },
  'entryByPayload 503': { query: `payload=${'0'.repeat(64)}`, broken: { lookup: away } },
  'inclusionProof 200': { query: 'index=1&size=3' },
  'inclusionProof 400': {},
  'inclusionProof 404': { query: 'index=1&size=99' },
  'inclusionProof 500': { query: 'index=1', broken: { rootAt: bug } },
  'inclusionProof 503': { query: 'index=1', broken: { rootAt: away } },
  'consistencyProof 200': { query: 'from=1&to=3' },
  'consistencyProof 400': {},
  'consistencyProof 404': { query: 'from=2&to=1' },
  'consistencyProof 500': { query: 'from=1', broken: { rootAt: bug } },
  'consistencyProof 503': { query: 'from=1', broken: { rootAt: away } },
  'search 200': async () => {
    await indexed();
    return { query: 'order=newest&limit=2' };
  },
  'search 400': { query: 'order=up' },
  'search 500': { broken: { ledger: bug } },
  'search 503': { broken: { readEntry: away } },
  'events 200': { query: 'after=0' },
  'events 400': { query: 'after=x' },
  'events 503': async () => {
    // Sixteen from one address are welcome.
    for (let i = open.length; i < 16; i++)
      await send(`${log.url}/api/v1/events?after=0`, 'GET', '*/*', { from: '127.0.0.2' });
    return { from: '127.0.0.2' };
  },
  'add 200': () => ({ body: introduce('lab-a') }),
  'add 400': { body: '{}' },
  'add 403': () => ({ body: introduce('lab-x', testKey('stranger', 1, 99)) }),
  'add 410': async () => {
    const freeze = (issuedAt: number): Uint8Array => {
      const given = { participant: 'operator', origin: ORIGIN, reason: 'planned', successor: null } as const;
      return formatEnvelope(sign(buildFreeze({ ...given, issuedAt, recentAnchor: anchor }), operator.secret));
    };
    clock.advance(10_000);
    if (log.readiness().state !== 'frozen') await log.submit(freeze(1));
    await until(() => log.readiness().state === 'frozen');
    return { body: freeze(2) };
  },
  'add 413': { body: new Uint8Array(300_000) },
  'add 429': async () => {
    for (;;) {
      const refused = await log.submit(introduce(`lab-${++names}`)).then(
        () => false,
        (error: unknown) => (error as { code?: string }).code === 'rate_limited',
      );
      if (refused) return { body: introduce('lab-never') };
    }
  },
  'add 500': () => {
    clock.advance(10_000);
    return { body: introduce('lab-bug'), broken: { lookup: bug } };
  },
  'add 503': () => ({ of: shut, body: 'x' }),
  'front 200': {},
  'healthz 200': {},
  'readyz 200': {},
  'readyz 503': () => ({ of: shut }),
  'metrics 200': {},
  'openapi 200': {},
};

/** The other log gets enough entries for a full tile, once. */
async function full(asked: Asked): Promise<Asked> {
  const missing = Math.max(0, 256 - plain.storage.size);
  await Promise.all(Array.from({ length: missing }, (_, i) => plain.submit(encodeUtf8(`${i}`))));
  return { ...asked, of: plain };
}

/** The index knows what is published. */
async function indexed(): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const { status, body } = await send(`${log.url}/api/v1/search`, 'GET', '*/*', {});
    if (status === 200 && (JSON.parse(body) as { indexed: number }).indexed === log.published()?.size) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail('the index does not catch up');
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test('it is OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
});

test('every route of the server is in it, and no other', () => {
  // Handlers are not called.
  const app = createApp({ answerBytes: 0 } as LogView);
  const served = new Set(
    app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method.toLowerCase()} ${path}`),
  );
  assert.deepEqual(new Set(ROUTES.map(({ method, served }) => `${method} ${served}`)), served);
});

for (const { path, method, operation } of operations) {
  const { operationId, responses } = operation;
  for (const [status, { content, headers }] of Object.entries(responses)) {
    // What ends this log comes last.
    if (status === '410') continue;
    test(`${operationId} ${status}`, () => walk(path, method, operation, status, content, headers));
  }
}

async function walk(
  path: string,
  method: string,
  { operationId }: Operation,
  status: string,
  content: Record<string, Media>,
  headers: object,
): Promise<void> {
  for (const type of Object.keys(content)) {
    const made = CASES[`${operationId} ${status}`] ?? assert.fail('nothing here makes this answer');
    const asked: Asked & { broken?: Broken } = typeof made === 'function' ? await made() : made;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => asked.path?.[name] ?? assert.fail(name));
    const of = asked.of ?? log;
    const mend = breakStorage(of, asked.broken ?? {});
    const url = `${of.url}${filled}${asked.query === undefined ? '' : `?${asked.query}`}`;
    const answer = await send(url, method.toUpperCase(), type, asked).finally(mend);
    assert.equal(answer.status, Number(status), answer.body);
    assert.equal(String(answer.headers['content-type']).split(';')[0], type);
    for (const name of ['x-request-id', 'retry-after', 'content-encoding']) {
      const documented = Object.keys(headers).some((each) => each.toLowerCase() === name);
      assert.ok(documented || answer.headers[name] === undefined, `${name} is not documented`);
    }
    assert.ok(answer.headers['x-request-id']);
    const place = ['paths', path, method, 'responses', status, 'content', type, 'schema'];
    if (type === 'application/json') validate(JSON.parse(answer.body), ...place);
    else if (type === 'text/event-stream') {
      const data = [...answer.body.matchAll(/^data: (.*)$/gm)].map(
        ([, text]) => JSON.parse(text ?? '') as unknown,
      );
      assert.ok(data.length > 0);
      for (const each of data) validate(each, 'components', 'schemas', 'event');
    } else if (type.startsWith('text/')) validate(answer.body, ...place);
  }
}

test('one search more than there is room for is as the document says', async () => {
  const { storage } = log;
  const read = storage.readEntry.bind(storage);
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const value = (index: number): Promise<Uint8Array> => held.then(() => read(index));
  Object.defineProperty(storage, 'readEntry', { configurable: true, value });
  const asking = Array.from({ length: 65 }, () => send(`${log.url}/api/v1/search`, 'GET', '*/*', {}));
  const first = await Promise.race(asking);
  Reflect.deleteProperty(storage, 'readEntry');
  goOn();
  for (const { status } of await Promise.all(asking)) assert.ok(status === 200 || status === 503);
  assert.equal(first.status, 503);
  const place = ['/api/v1/search', 'get', 'responses', '503', 'content', 'application/json', 'schema'];
  const answer = JSON.parse(first.body) as { error: { code: string } };
  assert.equal(answer.error.code, 'busy');
  validate(answer, 'paths', ...place);
});

test('a log of any bytes has nothing to search by, and says where its entries are', async () => {
  for (const path of ['search', 'events']) {
    const { status, body } = await send(`${plain.url}/api/v1/${path}`, 'GET', '*/*', {});
    const { error } = JSON.parse(body) as { error: { code: string; hint: string } };
    assert.deepEqual([status, error.code], [400, 'bad_request'], path);
    assert.match(error.hint, /\/api\/v1\/entries/);
  }
});

test('another method than a path has is 405, and Allow says which it has', async () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    const url =
      log.url + path.replace(/\{(\w+)\}/g, (_, name: string) => ({ ...EDGE, ...entry.path })[name] ?? '');
    const taken = new Set(Object.keys(methods).map((method) => method.toUpperCase()));
    if (taken.has('GET')) taken.add('HEAD');
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']) {
      if (taken.has(method)) continue;
      const { status, headers, body } = await send(url, method, '*/*', {});
      assert.deepEqual([status, headers['allow']], [405, [...taken].join(', ')], `${method} ${url}`);
      assert.ok(headers['x-request-id']);
      if (method !== 'HEAD') validate(JSON.parse(body), 'components', 'schemas', 'error');
    }
  }
});

test('whatever parameter a request has, what is none is 400', async () => {
  for (const { path, method, operation } of operations) {
    for (const { name, in: where, schema } of operation.parameters ?? []) {
      if (where === 'header' || path.startsWith('/tile/')) continue;
      const bad = schema.type === 'integer' ? '1x' : '%20';
      const url = where === 'path' ? path.replace(`{${name}}`, bad) : `${path}?${name}=${bad}`;
      const { status, body } = await send(log.url + url, method.toUpperCase(), 'application/json', {});
      assert.equal(status, 400, `${url}: ${body}`);
    }
    if (operation.parameters?.some((parameter) => parameter.in === 'query')) {
      const { status } = await send(`${log.url}${path}?no-such=1`, 'GET', '*/*', {});
      assert.equal(status, 400, path);
    }
  }
});

test('entries of either kind of log, and what the envelope carries', async () => {
  for (const [of, kind] of [
    [log, 'attestedEntry'],
    [plain, 'plainEntry'],
  ] as const) {
    for (let index = 0; index < Math.min(of.storage.size, 4); index++) {
      const { body } = await send(`${of.url}/api/v1/entries/${index}`, 'GET', '*/*', {});
      const found = JSON.parse(body) as { envelope?: { payload: string } };
      validate(found, 'components', 'schemas', kind);
      if (found.envelope === undefined) continue;
      const statement: unknown = JSON.parse(Buffer.from(found.envelope.payload, 'base64').toString());
      validate(statement, 'components', 'schemas', 'anyStatement');
      const bent = { ...(statement as object), predicate: {} };
      assert.throws(() => validate(bent, 'components', 'schemas', 'anyStatement'));
    }
  }
});

test('each parameter of a search, by itself, narrows it', async () => {
  await indexed();
  const search = document.paths['/api/v1/search']?.['get']?.parameters ?? [];
  const examples: Record<string, [string, number[]]> = {
    participant: ['lab-a', [2]],
    run: ['none', []],
    type: ['charter', [0]],
    digest: [payload(), [2]],
    from: ['9007199254740991', []],
    until: ['0', []],
    order: ['newest', [2, 1, 0]],
    after: ['0', [1, 2]],
    limit: ['1', [0]],
  };
  assert.deepEqual(
    search.map(({ name }) => name),
    Object.keys(examples),
  );
  for (const [name, [value, expected]] of Object.entries(examples)) {
    const { body } = await send(`${log.url}/api/v1/search?${name}=${value}`, 'GET', '*/*', {});
    const { entries } = JSON.parse(body) as { entries: { index: number }[] };
    assert.deepEqual(
      entries.map(({ index }) => index).filter((index) => index < 3),
      expected,
      name,
    );
  }
});

test('add 410: the log has ended', () => {
  const { post } = document.paths['/add'] ?? {};
  const gone = post?.responses['410'];
  assert.ok(post && gone);
  return walk('/add', 'post', post, '410', gone.content, gone.headers);
});

test('every case is of a documented answer', () => {
  const documented = operations.flatMap(({ operation }) =>
    Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`),
  );
  assert.deepEqual(Object.keys(CASES).sort(), documented.sort());
});
