import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { encodeUtf8 } from '../../tlog/index.js';
import { deferred } from '../signal.js';
import { ManualClock } from '../testing/manual-clock.js';
import { createApp } from './app.js';
import { ReadingTurns } from './reading-turns.js';
import type { LogView } from './view.js';

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};
const here = new AbortController().signal;

/** Who is at work, and what ends it. */
class Desk {
  readonly turns = new ReadingTurns();
  readonly atWork: { name: string; end: () => void }[] = [];

  get names(): string {
    return this.atWork.map(({ name }) => name).join(' ');
  }

  ask(name: string, gone: AbortSignal = here): void {
    void this.turns.run(
      name.slice(0, -1),
      gone,
      () =>
        new Promise<void>((resolve) => {
          this.atWork.push({ name, end: resolve });
        }),
    );
  }

  async endFirst(): Promise<string> {
    this.atWork.shift()?.end();
    await turns(1);
    return this.names;
  }
}

test('two read at one time, one of an address, and each address has a turn before any has its second', async () => {
  const desk = new Desk();
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'c2']) desk.ask(name);
  await turns(1);
  assert.equal(desk.names, 'a1 b1');
  assert.equal(await desk.endFirst(), 'b1 c1');
  assert.equal(await desk.endFirst(), 'c1 a2');
  assert.equal(await desk.endFirst(), 'a2 c2');
  assert.equal(await desk.endFirst(), 'c2 a3');
  assert.equal(await desk.endFirst(), 'a3');
  assert.equal(await desk.endFirst(), 'a4');
  assert.equal(await desk.endFirst(), '');
});

test('a proxy on this machine may have all turns; who has gone has none', async () => {
  const desk = new Desk();
  const leaving = new AbortController();
  desk.ask('127.0.0.11');
  desk.ask('127.0.0.12');
  desk.ask('127.0.0.13', leaving.signal);
  desk.ask('b1', leaving.signal);
  desk.ask('c1', AbortSignal.abort());
  desk.ask('c2');
  await turns(1);
  assert.equal(desk.names, '127.0.0.11 127.0.0.12');
  leaving.abort();
  assert.equal(await desk.endFirst(), '127.0.0.12 c2');
  assert.equal(await desk.endFirst(), 'c2');
  assert.equal(await desk.endFirst(), '');
});

/** The routes over a log of entries that are no statements. */
function serve(): {
  read: () => number;
  lines: string[];
  searching: { gone: AbortSignal; end: () => void }[];
  ask: (path: string, address: string) => { answer: Promise<Response>; outgoing: ServerResponse };
} {
  let read = 0;
  const lines: string[] = [];
  const searching: { gone: AbortSignal; end: () => void }[] = [];
  const view = {
    storage: {
      readEntry: () => {
        read++;
        return Promise.resolve(encodeUtf8('an entry'));
      },
    },
    search: {
      search: (_: unknown, gone: AbortSignal) => {
        const answer = deferred<object>();
        const end = (): void => answer.resolve({ size: 0, entries: [], next: undefined });
        searching.push({ gone, end });
        gone.addEventListener('abort', end);
        return answer.promise;
      },
    },
    published: () => ({ size: 256 }),
    news: () => new Promise<void>(() => undefined),
    clock: new ManualClock(),
    signal: here,
    answerBytes: 0,
    nextRequestId: () => 'r',
    logger: { log: (level: string) => lines.push(level) },
    metrics: { answered: () => undefined },
  };
  const app = createApp(view as unknown as LogView);
  return {
    read: () => read,
    lines,
    searching,
    ask: (path, address) => {
      const incoming = new IncomingMessage(new Socket());
      Object.defineProperty(incoming.socket, 'remoteAddress', { value: address });
      const outgoing = new ServerResponse(incoming);
      return { answer: Promise.resolve(app.request(path, {}, { incoming, outgoing })), outgoing };
    },
  };
}

test('searches under way are bounded, by address too, and a refusal is no line for the operator', async () => {
  const { ask, searching, lines } = serve();
  const status = async (address: string): Promise<number> =>
    Promise.race([
      ask('/api/v1/search', address).answer.then((answer) => answer.status),
      turns(20).then(() => 0),
    ]);
  for (let i = 0; i < 8; i++) assert.equal(await status('192.0.2.1'), 0);
  assert.equal(await status('192.0.2.1'), 503);
  for (let i = 0; i < 56; i++) assert.equal(await status('127.0.0.1'), 0);
  const refused = await ask('/api/v1/search', '192.0.2.2').answer;
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
  assert.match(await refused.text(), /"code":"busy"/);
  assert.equal(searching.length, 2, 'at work');
  assert.ok(!lines.includes('error'), lines.join(' '));
  searching[0]?.end();
  await turns(5);
  assert.equal(await status('192.0.2.2'), 0);
});

test('a search ends with the connection of who asked, at work or waiting, and its place is free', async () => {
  const { ask, searching } = serve();
  const asked = Array.from({ length: 8 }, () => ask('/api/v1/search', '192.0.2.1'));
  await turns(5);
  assert.equal(searching.length, 1);
  for (const { outgoing } of asked) outgoing.emit('close');
  for (const { answer } of asked) await answer;
  assert.equal(searching[0]?.gone.aborted, true);
  assert.equal(searching.length, 1, 'those that waited were never begun');
  void ask('/api/v1/search', '192.0.2.1').answer;
  await turns(5);
  assert.equal(searching.length, 2);
});

test('others have their turn while entries are read for a reader of events', async () => {
  const { ask, read } = serve();
  await ask('/api/v1/events?after=0', '192.0.2.1').answer;
  await turns(1);
  assert.ok(read() > 0 && read() < 64, `${read()} entries in one turn of the event loop`);
  for (let i = 0; i < 200 && read() < 255; i++) await turns(1);
  assert.equal(read(), 255);
});
