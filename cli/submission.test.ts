import assert from 'node:assert/strict';
import test from 'node:test';
import { processContext } from './context.js';
import { sendEnvelope } from './submission.js';

const envelope = {
  payload: new Uint8Array(1),
  payloadType: 'application/vnd.in-toto+json',
  keyid: '00'.repeat(32),
  signature: new Uint8Array(64),
};

test('a clock that is set back does not lengthen the time for a log to answer', async () => {
  let now = 1_000_000_000;
  let elapsed = 0;
  let asked = 0;
  const context = {
    ...processContext(),
    now: () => now,
    monotonic: () => elapsed,
    sleep: (ms: number) => {
      elapsed += ms;
      now -= 60_000;
      return Promise.resolve();
    },
    fetch: () => {
      // A refusal ends it, however long it would go on.
      return Promise.resolve(new Response('', { status: ++asked > 20 ? 400 : 503 }));
    },
  };
  const sending = sendEnvelope(context, { log: 'http://log.example/', timeout: 10 }, envelope);
  await assert.rejects(sending, { message: /status 503/, status: 3 });
  assert.ok(asked < 6, `${asked} attempts in 10 seconds`);
});

test('an answer that is no object is told in words of ours', async () => {
  for (const body of ['null', '7', '[]', '"index"']) {
    const context = { ...processContext(), fetch: () => Promise.resolve(new Response(body)) };
    await assert.rejects(sendEnvelope(context, { log: 'http://log.example/', timeout: 1 }, envelope), {
      code: 'bad_reply',
      message: 'http://log.example/add: expected index, envelope and proof, found no JSON object',
    });
  }
});
