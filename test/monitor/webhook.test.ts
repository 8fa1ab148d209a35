// A webhook that hangs, fails or refuses: nothing is lost, and nothing waits for it.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EVENT_SCHEMA, type MonitorEvent } from '../../cli/monitor/events.js';
import { Webhook, type WebhookOptions } from '../../cli/monitor/webhook.js';
import { Lab, look, plain } from './lab.js';

const root = mkdtempSync(join(tmpdir(), 'stele-webhook-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const URL = 'http://alerts.invalid/hook';

function match(index: number): MonitorEvent {
  return {
    schema: EVENT_SCHEMA,
    id: `00-${index}`,
    time: '',
    log: 'log.example',
    event: 'match',
    filter: 'f',
    index,
    leafHash: '',
  };
}

/** Somebody who takes events, or does what the test says. */
class Receiver {
  readonly taken: number[] = [];
  readonly pauses: number[] = [];
  answer: (index: number) => Promise<number> = () => Promise.resolve(200);

  async fetch(url: string, init: RequestInit): Promise<Response> {
    assert.equal(url, URL);
    assert.equal(init.redirect, 'manual');
    const { index } = JSON.parse(new TextDecoder().decode(init.body as ArrayBuffer)) as { index: number };
    const status = await this.answer(index);
    if (status === 200) this.taken.push(index);
    return new Response(null, { status });
  }

  webhook(folder: string, more: Partial<WebhookOptions> = {}): Webhook {
    return new Webhook({ ...this.options(folder), ...more });
  }

  options(folder: string): WebhookOptions {
    return {
      url: URL,
      folder,
      timeoutMs: 7000,
      say: () => undefined,
      context: {
        fetch: (url, init) => this.fetch(url, init),
        random: (count) => new Uint8Array(count),
        // Time-outs never strike here, and pauses are over at once.
        sleep: (ms, signal) =>
          ms === 7000
            ? new Promise((_, reject) =>
                signal?.addEventListener('abort', () => reject(new Error('called off')), { once: true }),
              )
            : new Promise((resolve) => {
                this.pauses.push(ms);
                setImmediate(resolve);
              }),
      },
    };
  }
}

const newFolder = (): string => join(root, String(++folders));
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
};

test('in order, again and again with longer pauses, and after a restart', async () => {
  const receiver = new Receiver();
  const folder = newFolder();
  const stop = new AbortController();
  let failures = 0;
  receiver.answer = (index) => Promise.resolve(index === 2 && failures++ < 12 ? 503 : 200);
  const webhook = receiver.webhook(folder);
  const running = webhook.run(stop.signal);
  webhook.take([match(1), match(2), match(3), match(2)]);
  await until(() => receiver.taken.length === 3);
  assert.deepEqual(receiver.taken, [1, 2, 3]);
  assert.equal(receiver.pauses.length, 12);
  assert.deepEqual(receiver.pauses.slice(0, 3), [750, 1500, 3000]);
  assert.equal(Math.max(...receiver.pauses), 225_000);
  receiver.answer = () => Promise.reject(new TypeError('fetch failed'));
  webhook.take([match(4), match(5)]);
  stop.abort();
  await running;
  receiver.answer = () => Promise.resolve(200);
  const again = receiver.webhook(folder);
  assert.equal(again.waiting, 2);
  // What was in the queue when the process ended is not taken in twice.
  again.take([match(5), match(6)]);
  assert.ok(await again.flush(new AbortController().signal));
  assert.deepEqual(receiver.taken, [1, 2, 3, 4, 5, 6]);
  assert.equal(receiver.webhook(folder).waiting, 0);
});

test('what is called malformed is set aside after three times, and does not block the rest', async () => {
  const receiver = new Receiver();
  const folder = newFolder();
  const stop = new AbortController();
  receiver.answer = (index) => Promise.resolve(index === 1 ? 400 : 200);
  const webhook = receiver.webhook(folder);
  webhook.take([match(1), match(2)]);
  const running = webhook.run(stop.signal);
  await until(() => receiver.taken.length === 1);
  stop.abort();
  await running;
  assert.deepEqual(receiver.taken, [2]);
  assert.equal(receiver.pauses.length, 2);
  assert.deepEqual(readdirSync(join(folder, 'webhook', 'refused')), ['000000000001 00-1.json']);
});

test('a redirect is not followed', async () => {
  const receiver = new Receiver();
  receiver.answer = () => Promise.resolve(307);
  const webhook = receiver.webhook(newFolder());
  webhook.take([match(1)]);
  assert.equal(await webhook.flush(new AbortController().signal), false);
  assert.equal(webhook.waiting, 1);
});

test('what is said of a failure names the server, not the address that lets one post there', async () => {
  const secret = 'http://hooks.invalid/services/T0KEN?key=S3CRET';
  const failing = (): Promise<Response> => Promise.reject(new TypeError(`fetch failed: ${secret}`));
  const status = (code: number) => () => Promise.resolve(new Response(null, { status: code }));
  for (const fetch of [failing, status(503), status(302), status(400)]) {
    const said: string[] = [];
    const stop = new AbortController();
    const receiver = new Receiver();
    const { context } = receiver.options(newFolder());
    const webhook = receiver.webhook(newFolder(), {
      url: secret,
      say: (text) => said.push(text),
      context: { ...context, fetch },
    });
    webhook.take([match(1)]);
    const running = webhook.run(stop.signal);
    await until(() => receiver.pauses.length > 2 || said.length > 1);
    stop.abort();
    await running;
    assert.match(said[0] ?? '', /^webhook: http:\/\/hooks\.invalid: /);
    assert.doesNotMatch(said.join(''), /T0KEN|S3CRET/);
  }
});

test('the queue has a bound: matches wait to be read, and beyond it events go to stdout alone', () => {
  const receiver = new Receiver();
  const folder = newFolder();
  const webhook = receiver.webhook(folder, { limits: { matches: 3, all: 5 } });
  webhook.take([match(1), match(2)]);
  assert.ok(webhook.room);
  webhook.take([match(3)]);
  assert.ok(!webhook.room);
  webhook.take([4, 5, 6, 7].map(match));
  assert.equal(webhook.waiting, 5);
  assert.equal(webhook.dropped, 2);
  assert.equal(readdirSync(join(folder, 'webhook')).length, 6);
});

test('a webhook that hangs stalls nothing: rounds go on, and what they find waits on disk', async () => {
  const lab = new Lab();
  try {
    const receiver = new Receiver();
    receiver.answer = () => new Promise(() => undefined);
    const webhook = receiver.webhook(lab.folder);
    const stop = new AbortController();
    const running = webhook.run(stop.signal);
    const follower = lab.follower({
      deliver: (events, delivered) => {
        webhook.take(events);
        delivered();
      },
      room: () => webhook.room,
    });
    const honest = plain();
    for (const [size, witnesses] of [
      [10, [0]],
      [9, [0]],
      [11, [0, 1]],
    ] as const) {
      await lab.publish(honest, size, witnesses);
      await look(follower);
    }
    // Quorum lost, went back; both mended.
    assert.equal(webhook.waiting, 4);
    stop.abort();
    await running;
    receiver.answer = () => Promise.resolve(200);
    const again = receiver.webhook(lab.folder);
    assert.ok(await again.flush(new AbortController().signal));
    assert.equal(receiver.taken.length, 4);
  } finally {
    lab.remove();
  }
});
