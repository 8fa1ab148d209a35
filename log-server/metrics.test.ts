import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { request } from 'node:http';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { encodeUtf8 } from '../tlog/index.js';
import { admitAnything } from './admission.js';
import { SubmissionError } from './errors.js';
import { deferred } from './signal.js';
import { startFixture } from './testing/fixture.js';
import { until } from './testing/until.js';

test('what a log measures of itself, as Prometheus reads it', async () => {
  const { log, close } = await startFixture();
  const add = (body: Uint8Array): Promise<Response> =>
    fetch(`${log.url}/add`, { method: 'POST', body: new Blob([body.slice()]) });
  assert.equal((await add(encodeUtf8('an entry'))).status, 200);
  assert.equal((await add(encodeUtf8('another'))).status, 200);
  assert.equal((await add(new Uint8Array(65_536))).status, 413);
  await fetch(`${log.url}/checkpoint`);
  await fetch(`${log.url}/somewhere/${'x'.repeat(100)}`);
  const answer = await fetch(`${log.url}/metrics`);
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  for (const line of [
    'stele_log_ready 1',
    'stele_log_state{state="ready"} 1',
    'stele_log_committed_entries 2',
    'stele_log_published_entries 2',
    'stele_log_submissions_total{outcome="logged"} 2',
    'stele_log_submissions_total{outcome="entry_too_large"} 1',
    'stele_log_submission_seconds_count 2',
    'stele_log_http_requests_total{route="add",status="200"} 2',
    'stele_log_http_requests_total{route="add",status="413"} 1',
    'stele_log_http_requests_total{route="checkpoint",status="200"} 1',
    'stele_log_http_requests_total{route="other",status="404"} 1',
    'stele_log_messages_total{level="alarm"} 0',
    'stele_log_alarm_timestamp_seconds 0',
  ]) {
    assert.ok(text.split('\n').includes(line), `expected ${line} in\n${text}`);
  }
  assert.match(text, /^stele_log_published_timestamp_seconds \d/m);
  assert.match(text, /^process_resident_memory_bytes \d{7,}$/m);
  // One HELP and one TYPE a family, and every line is one of a family.
  const families = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  assert.equal(new Set(families).size, families.length);
  await close();
});

test('a refusal that nobody waits for any more is counted as the refusal that it is', async () => {
  const refused = deferred<never>();
  const admission = { ...admitAnything, prepare: () => refused.promise };
  const { log, close } = await startFixture({ opened: { admission } });
  let answer: ServerResponse | undefined;
  const seen = (message: unknown): void => {
    answer ??= (message as { response: ServerResponse }).response;
  };
  subscribe('http.server.request.start', seen);
  const submitter = request(`${log.url}/add`, { method: 'POST' }).on('error', () => undefined);
  submitter.end('an entry');
  await until(() => answer !== undefined);
  unsubscribe('http.server.request.start', seen);
  assert.ok(answer);
  const gone = once(answer, 'close');
  submitter.destroy();
  await gone;
  refused.reject(new SubmissionError('bad_request', 'expected something else'));
  const text = await (await fetch(`${log.url}/metrics`)).text();
  assert.match(text, /^stele_log_http_requests_total\{route="add",status="400"\} 1$/m);
  assert.doesNotMatch(text, /route="add",status="200"\} [1-9]/);
  await close();
});
