// spec/http/witness.openapi.json against the witness: every route is in it, and a running one answers as it says.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { encodeBase64 } from '../tlog/index.js';
import { addGossipDoors, type DoorOptions } from '../witness/gossip/doors.js';
import { witnessApp, type AppOptions } from '../witness/http.js';
import { addViews, type ViewOptions } from '../witness/views.js';
import { WITNESS_OPENAPI_FILE, witnessOpenapiDoc } from './docs/openapi-witness.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness } from './helpers/witness.js';

interface Operation {
  operationId: string;
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}
const document = JSON.parse(witnessOpenapiDoc()) as { paths: Record<string, Record<string, Operation>> };

test('it is what the witness answers by, and OpenAPI', async () => {
  assert.equal(readFileSync(WITNESS_OPENAPI_FILE, 'utf8'), witnessOpenapiDoc(), 'npm run docs');
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
});

test('every route of the witness is in it, and no other', () => {
  // Nothing is asked here: what the routes are made of is not looked at.
  const app = witnessApp({} as AppOptions);
  const routes = new Hono<{ Bindings: HttpBindings }>();
  addViews(routes, {} as ViewOptions);
  addGossipDoors(routes, { clock: { monotonic: () => 0 } } as DoorOptions);
  const served = [...app.routes, ...routes.routes]
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:\w+/g, '*')}`);
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '*')}`),
  );
  assert.deepEqual([...new Set(served)].sort(), described.sort());
});

test('another method than a path has is 405, and Allow says which it has', async (t) => {
  const witness = await startTestWitness({ logs: [] });
  t.after(() => witness.remove());
  for (const [path, methods] of Object.entries(document.paths)) {
    const url = witness.url + path.replace(/\{\w+\}/g, '0'.repeat(64));
    const taken = Object.keys(methods).map((method) => method.toUpperCase());
    if (taken.includes('GET')) taken.push('HEAD');
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      // Which is the checkpoint of the log whose hash is "gossip".
      if (taken.includes(method) || (method === 'GET' && path === '/gossip/checkpoint')) continue;
      const { status, headers } = await fetch(url, { method });
      assert.deepEqual([status, headers.get('allow')], [405, taken.sort().join(', ')], `${method} ${path}`);
    }
  }
});

test('a running witness answers as it says', async (t) => {
  const log = new SigningLog('log.example/openapi');
  const witness = await startTestWitness({ logs: [log.vkey], mldsa: true });
  t.after(() => witness.remove());
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const add = (old: number, note: Uint8Array, ...proof: string[]): string =>
    [`old ${old}`, ...proof, '', text(note)].join('\n');
  const hash = createHash('sha256').update(log.origin).digest('hex');
  const other = new SigningLog('log.example/other');
  const wrong = encodeBase64(new Uint8Array(32));
  const cases: [door: string, status: number, method: string, path: string, body?: string][] = [
    ['latest', 404, 'GET', `/${hash}/checkpoint`],
    ['addCheckpoint', 200, 'POST', '/add-checkpoint', add(0, log.note(5))],
    ['addCheckpoint', 400, 'POST', '/add-checkpoint', 'new 1\n'],
    ['addCheckpoint', 403, 'POST', '/add-checkpoint', add(5, log.note(9)).replace(/.{9}\n$/, 'AAAAAAAA=\n')],
    ['addCheckpoint', 404, 'POST', '/add-checkpoint', add(0, other.note(5))],
    ['addCheckpoint', 409, 'POST', '/add-checkpoint', add(0, log.note(9))],
    ['addCheckpoint', 413, 'POST', '/add-checkpoint', 'x'.repeat(200_000)],
    ['addCheckpoint', 422, 'POST', '/add-checkpoint', add(5, log.note(9), wrong)],
    ['addCheckpoint', 405, 'PUT', '/add-checkpoint', ''],
    ['signSubtree', 400, 'POST', '/sign-subtree', 'subtree\n'],
    ['latest', 200, 'GET', `/${hash}/checkpoint`],
    ['report', 200, 'POST', '/gossip/checkpoint', text(log.note(5))],
    ['report', 202, 'POST', '/gossip/checkpoint', text(log.note(9))],
    ['report', 400, 'POST', '/gossip/checkpoint', 'nothing'],
    ['report', 404, 'POST', '/gossip/checkpoint', text(other.note(5))],
    ['giveEvidence', 400, 'POST', '/gossip/evidence', 'nothing'],
    ['evidenceList', 200, 'GET', '/gossip/evidence'],
    ['evidence', 404, 'GET', `/gossip/evidence/${hash}`],
    ['consistency', 400, 'GET', `/${hash}/consistency/5/1`],
    ['consistency', 404, 'GET', `/${hash}/consistency/1/5`],
    ['seen', 404, 'GET', `/seen/${hash}/${hash}/checkpoint`],
    ['status', 200, 'GET', '/status.json'],
    ['healthz', 200, 'GET', '/healthz'],
    ['metrics', 200, 'GET', '/metrics'],
    ['page', 200, 'GET', '/'],
  ];
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  assert.deepEqual(
    [...new Set(cases.map(([door]) => door))].sort(),
    operations.map(({ operationId }) => operationId).sort(),
    'each door is asked',
  );
  for (const [door, status, method, path, body] of cases) {
    const answer = await fetch(`${witness.url}${path}`, { method, ...(body !== undefined && { body }) });
    const said = await answer.text();
    assert.equal(answer.status, status, `${method} ${path}: ${said}`);
    const described = operations.find(({ operationId }) => operationId === door)?.responses[status];
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    const media = described?.content[type];
    assert.ok(media, `${door} ${status} ${type}`);
    if (type !== 'application/json') continue;
    const check = new Ajv2020({ strict: false, validateFormats: false }).compile(media.schema);
    assert.ok(check(JSON.parse(said)), `${door}: ${JSON.stringify(check.errors)}`);
  }
});
