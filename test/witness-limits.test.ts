// Strangers who take all the room that a witness has: it is made for whoever asks.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { WitnessClient } from '../client/index.js';
import { startWitness, type Limits, type Step } from '../witness/index.js';
import { SigningLog } from './helpers/signing-log.js';
import { witnessFolder } from './helpers/witness.js';

const log = new SigningLog();

class Strangers {
  readonly #port: number;
  readonly sockets: Socket[] = [];
  closed = 0;
  answers = '';

  constructor(url: string) {
    this.#port = Number(new URL(url).port);
  }

  /** Opens connections one after the other, sends these bytes on each, and leaves them open. */
  async open(count: number, bytes: string | Uint8Array = '', from = '127.0.0.1'): Promise<Socket[]> {
    const opened: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress: from });
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => (this.answers += chunk.toString()));
      socket.on('close', () => this.closed++);
      await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
      if (bytes.length > 0) socket.write(bytes);
      opened.push(socket);
    }
    this.sockets.push(...opened);
    return opened;
  }

  /** Resolves when so many have been closed by the witness. */
  async untilClosed(count: number): Promise<void> {
    while (this.closed < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface World {
  strangers: Strangers;
  /** Asks for a cosignature on the next size; the answer's kind. */
  ask: () => Promise<string>;
}

async function world(t: TestContext, limits: Partial<Limits>, step?: Step): Promise<World> {
  const folder = await witnessFolder({ logs: [log.vkey] });
  const witness = await startWitness({
    folder,
    listen: { host: '127.0.0.1', port: 0 },
    limits: { drainMs: 100, ...limits },
    ...(step && { step }),
  });
  const strangers = new Strangers(witness.url);
  t.after(async () => {
    for (const socket of strangers.sockets) socket.destroy();
    await witness.close();
    await rm(folder, { recursive: true });
  });
  let size = 0;
  return {
    strangers,
    async ask() {
      const oldSize = size++;
      const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
      const proof = await log.proof(oldSize, size);
      return (await client.addCheckpoint({ oldSize, proof, note: log.note(size) })).kind;
    },
  };
}

const begun = `POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nold `;

for (const [what, bytes] of [
  ['ask for nothing', ''],
  ['drip', begun],
  ['have asked once', 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'],
] as const) {
  test(
    `when all places are taken by connections that ${what}, a log is cosigned`,
    { timeout: 10_000 },
    async (t) => {
      const { strangers, ask } = await world(t, { connections: 16 });
      await strangers.open(40, bytes);
      // Whoever came later has the place of one that came before.
      await strangers.untilClosed(24);
      assert.equal(await ask(), 'cosigned');
      await strangers.untilClosed(25);
      assert.equal(strangers.closed, 25);
    },
  );
}

test('the address that holds most places gives first', { timeout: 10_000 }, async (t) => {
  const { strangers } = await world(t, { connections: 64 });
  const few = await strangers.open(3, '', '127.0.0.2');
  await strangers.open(80, begun, '127.0.0.3');
  await strangers.untilClosed(19);
  assert.deepEqual(
    few.map((socket) => socket.closed),
    [false, false, false],
  );
});

test('a connection that waits for its answer is not closed', { timeout: 10_000 }, async (t) => {
  let reached: () => void = () => undefined;
  let go: () => void = () => undefined;
  const stalled = new Promise<void>((resolve) => (reached = resolve));
  const on = new Promise<void>((resolve) => (go = resolve));
  const { strangers, ask } = await world(t, { connections: 4 }, (name) => {
    if (name !== 'decided') return undefined;
    reached();
    return on;
  });
  const asked = ask();
  await stalled;
  await strangers.open(20);
  await strangers.untilClosed(17);
  go();
  assert.equal(await asked, 'cosigned');
});

test('bodies that drip give way to one that comes whole', { timeout: 10_000 }, async (t) => {
  const { strangers, ask } = await world(t, { bodies: 100_000 });
  const drip = `POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 60001\r\n\r\n${'x'.repeat(60_000)}`;
  await strangers.open(6, drip);
  await strangers.untilClosed(5);
  assert.equal(strangers.answers.match(/^HTTP\/1\.1 503 /gm)?.length, 5);
  assert.match(strangers.answers, /retry-after: 1\r\n/i);
  assert.equal(await ask(), 'cosigned');
});

test('bodies that are being answered count, and are not given up', { timeout: 10_000 }, async (t) => {
  let go: () => void = () => undefined;
  const on = new Promise<void>((resolve) => (go = resolve));
  let waiting = 0;
  const { strangers } = await world(t, { bodies: 100_000 }, (name) => {
    if (name !== 'decided') return undefined;
    waiting++;
    return on;
  });
  // What anybody can send: what the log has signed, and lines of keys that nobody knows.
  const line = `— stranger.example ${Buffer.alloc(30_000, 1).toString('base64')}\n`;
  const body = `old 0\n\n${Buffer.from(log.note(1)).toString()}${line}`;
  const request = `POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  await strangers.open(4, request);
  await strangers.untilClosed(2);
  assert.equal(waiting, 2);
  assert.equal(strangers.answers.match(/^HTTP\/1\.1 503 /gm)?.length, 2);
  go();
  while (!/^HTTP\/1\.1 200 /m.test(strangers.answers)) await new Promise((resolve) => setTimeout(resolve, 5));
});
