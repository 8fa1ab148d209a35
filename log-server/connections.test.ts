// Strangers who take all the connections or all the memory that a log has: there is room for whoever submits.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { startFixture } from './testing/fixture.js';
import { until } from './testing/until.js';

const CONNECTIONS = 16;

for (const [what, bytes] of [
  ['ask for nothing', ''],
  ['drip', 'POST /add HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx'],
  ['have asked once', 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'],
] as const) {
  void test(
    `when all connections of a log are taken by some that ${what}, an entry is added`,
    { timeout: 30_000 },
    async () => {
      const { log, close } = await startFixture({ settings: { limits: { connections: CONNECTIONS } } });
      const { hostname, port } = new URL(log.url);
      const strangers: Socket[] = [];
      let closed = 0;
      for (let i = 0; i < 2 * CONNECTIONS; i++) {
        const socket = connect(Number(port), hostname).on('error', () => undefined);
        socket.resume().once('close', () => closed++);
        await once(socket, 'connect');
        if (bytes.length > 0) socket.write(bytes);
        strangers.push(socket);
      }
      // Whoever came later has the place of one that came before.
      await until(() => closed === CONNECTIONS);
      const answer = await fetch(`${log.url}/add`, { method: 'POST', body: 'entry' });
      assert.deepEqual([answer.status, await answer.text()], [200, '0\n']);
      await until(() => closed > CONNECTIONS);
      for (const socket of strangers) socket.destroy();
      await close();
    },
  );
}

void test('bodies that drip give way to an entry that comes whole', { timeout: 30_000 }, async () => {
  const { log, close } = await startFixture({ settings: { limits: { bodiesBytes: 100_000 } } });
  const { hostname, port } = new URL(log.url);
  const strangers: Socket[] = [];
  let answers = '';
  for (let i = 0; i < 6; i++) {
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (answers += chunk.toString()));
    socket.write(`POST /add HTTP/1.1\r\nhost: x\r\ncontent-length: 60001\r\n\r\n${'x'.repeat(60_000)}`);
    strangers.push(socket);
  }
  await until(() => answers.match(/^HTTP\/1\.1 503 /gm)?.length === 5);
  assert.match(answers, /busy/);
  assert.match(answers, /retry-after: 5\r\n/i);
  const answer = await fetch(`${log.url}/add`, { method: 'POST', body: 'y'.repeat(50_000) });
  assert.deepEqual([answer.status, await answer.text()], [200, '0\n']);
  await until(() => answers.match(/^HTTP\/1\.1 503 /gm)?.length === 6);
  for (const socket of strangers) socket.destroy();
  await close();
});

void test(
  'whoever sends bodies and takes no answer is cut off for who comes',
  { timeout: 30_000 },
  async (t) => {
    const answers: ServerResponse[] = [];
    const asked = (message: unknown): void => {
      answers.push((message as { response: ServerResponse }).response);
    };
    subscribe('http.server.request.start', asked);
    t.after(() => unsubscribe('http.server.request.start', asked));
    const { log, close } = await startFixture({ settings: { limits: { bodiesBytes: 100_000 } } });
    const { hostname, port } = new URL(log.url);
    const stranger = connect(Number(port), hostname).on('error', () => undefined);
    await once(stranger, 'connect');
    // Answers of 80 kB, until there is no room for them on the way to who reads none.
    const body = 'x'.repeat(60_000);
    const request = `POST /add HTTP/1.1\r\nhost: x\r\naccept: application/json\r\ncontent-length: 60000\r\n\r\n${body}`;
    let closed = false;
    stranger.pause().once('close', () => (closed = true));
    // Never so many ahead of their answers that he is cut off for that.
    const sending = (async (): Promise<void> => {
      const answered = (): number =>
        answers.filter(({ req, writableEnded }) => req.headers.accept === 'application/json' && writableEnded)
          .length;
      for (let i = 0; i < 400; i++) {
        stranger.write(request);
        await until(() => closed || i - answered() < 8);
        if (stranger.destroyed) break;
      }
    })();
    // The kernel may yet find room for an answer that does not leave: then the next one does not.
    let status = 0;
    for (
      let tries = 0;
      tries < 50 && !answers.some((each) => each.destroyed && !each.writableFinished);
      tries++
    ) {
      await until(() => answers.some((each) => each.writableEnded && !each.writableFinished));
      const answer = await fetch(`${log.url}/add`, { method: 'POST', body: 'y'.repeat(50_000) });
      status = answer.status;
      await answer.text();
    }
    assert.equal(status, 200);
    assert.ok(answers.length < 400);
    stranger.resume();
    await until(() => closed);
    await sending;
    await close();
  },
);
