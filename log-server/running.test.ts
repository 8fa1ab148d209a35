import assert from 'node:assert/strict';
import test from 'node:test';
import { leafHash, openCheckpoint, parseBundle, verifyTlogProof } from '../tlog/index.js';
import { LOG_KEY, startFixture, testPolicy } from './testing/fixture.js';

void test('an entry is answered when a published checkpoint covers it', async () => {
  const { log, storage, close } = await startFixture();
  const answer = await fetch(`${log.url}/add`, { method: 'POST', body: 'hello' });
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), '0\n');
  const checkpoint = await fetch(`${log.url}/checkpoint`);
  assert.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  const opened = openCheckpoint(new Uint8Array(await checkpoint.arrayBuffer()), [LOG_KEY.vkey]);
  assert.equal(opened.checkpoint.size, 1);
  const bundle = await fetch(`${log.url}/tile/entries/000.p/1`);
  assert.deepEqual(parseBundle(new Uint8Array(await bundle.arrayBuffer())).map(String), [
    String(new TextEncoder().encode('hello')),
  ]);
  const proof = await fetch(`${log.url}/add`, {
    method: 'POST',
    body: 'again',
    headers: { accept: 'text/x.tlog.proof' },
  });
  assert.equal(proof.headers.get('content-type'), 'text/x.tlog.proof');
  const verified = verifyTlogProof({
    proof: new Uint8Array(await proof.arrayBuffer()),
    leafHash: leafHash(new TextEncoder().encode('again')),
    policy: testPolicy(),
  });
  assert.equal(verified.index, 1);
  await close();
  assert.deepEqual(storage.calls, [
    'writeSigned',
    'writePublished',
    'commit',
    'makeReadable',
    'writeSigned',
    'writePublished',
    'commit',
    'makeReadable',
    'writeSigned',
    'writePublished',
    'close',
  ]);
});
