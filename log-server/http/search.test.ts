import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Hono } from 'hono';
import { encodeUtf8 } from '../../tlog/index.js';
import { ManualClock } from '../testing/manual-clock.js';
import { searchRoutes } from './search.js';
import type { HttpEnv, LogView } from './view.js';

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('of a reader of events who takes nothing, no more than a bound is kept, and it is read no further for him', async () => {
  const entry = encodeUtf8('an entry');
  const clock = new ManualClock();
  const ending = new AbortController();
  let read = 0;
  const view = {
    storage: {
      readEntry: () => {
        read++;
        return Promise.resolve(entry);
      },
    },
    search: {},
    published: () => ({ size: 50_000 }),
    news: () => new Promise<void>(() => undefined),
    clock,
    signal: ending.signal,
  };
  const app = new Hono<HttpEnv>();
  app.use((c, next) => {
    c.set('requestId', '1');
    return next();
  });
  searchRoutes(app, view as unknown as LogView);
  // Nothing is ever taken of an answer that has no connection.
  const incoming = new IncomingMessage(new Socket());
  const outgoing = new ServerResponse(incoming);
  await app.request('/api/v1/events?after=0', {}, { incoming, outgoing });

  /** Until it stands still; reading all entries takes fewer turns than the bound. */
  const still = async (): Promise<number> => {
    for (let before = -1, i = 0; before !== read && i < 100_000; i++) {
      before = read;
      await turns(10);
    }
    return read;
  };
  const first = await still();
  const kept = outgoing.writableLength;
  assert.ok(first > 1000 && first < 49_999, `${first} entries were read`);
  assert.ok(kept > 256 * 1024 && kept < 257 * 1024, `${kept} bytes are kept`);
  for (let i = 0; i < 10; i++) {
    clock.advance(15_000);
    await turns(3);
  }
  assert.equal(outgoing.writableLength, kept, 'nor is he told that the log is still here');
  // He takes: it goes on, here by one entry, since what he took is still counted.
  outgoing.emit('drain');
  assert.equal(await still(), first + 1);
  outgoing.destroy();
  outgoing.emit('close');
  assert.equal(await still(), first + 1);
});
