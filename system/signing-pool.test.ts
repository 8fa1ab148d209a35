import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  emptyRoot,
  formatCheckpoint,
  newSigningKey,
  encodeUtf8,
  signatureLine,
  signNote,
  signNoteLine,
  signSubtree,
  type Clock,
} from '../tlog/index.js';
import { SigningPool, systemClock, type SigningPoolOptions } from './index.js';

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const ed25519 = newSigningKey('w.example', COSIGNATURE_ED25519, seed(1));
const mldsa = newSigningKey('w.example', COSIGNATURE_MLDSA44, seed(2));
const another = newSigningKey('v.example', COSIGNATURE_MLDSA44, seed(3));
const misbehaving = new URL('../test/helpers/bad-signing-worker.js', import.meta.url);

const pools: SigningPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});
function open(keys = [ed25519, mldsa], options: SigningPoolOptions = {}): SigningPool {
  const pool = new SigningPool(keys, options);
  pools.push(pool);
  return pool;
}

/** A checkpoint whose extension line, if any, is an order to the thread that misbehaves. */
function text(...orders: string[]): string {
  return formatCheckpoint({ origin: 'log.example', size: 0, rootHash: emptyRoot(), extensions: orders });
}

/** A clock whose sleepers the test wakes. */
class SleepersClock implements Clock {
  readonly #sleepers = new Set<() => void>();
  now = (): number => 0;
  monotonic = (): number => 0;
  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleepers.add(resolve);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(resolve);
        reject(signal.reason as Error);
      });
    });
  }
  get asleep(): number {
    return this.#sleepers.size;
  }
  wake(): void {
    for (const wake of this.#sleepers) wake();
  }
}

test('threads sign what the main thread would, in the order of the keys', async () => {
  const pool = open([mldsa, ed25519, another]);
  const expected = [mldsa, ed25519, another].map((key) => signNoteLine(text(), key, 7));
  assert.deepEqual(await pool.signNoteLines(text(), 7), expected);
  const many = Array.from({ length: 20 }, (_, i) => pool.signNoteLines(text(), i + 1));
  for (const [i, lines] of (await Promise.all(many)).entries()) {
    assert.equal(lines[0], signNoteLine(text(), mldsa, i + 1));
  }
  const subtree = { origin: 'log.example', start: 8, end: 13, hash: seed(9) };
  assert.deepEqual(
    await pool.signSubtreeLines(subtree, signNote(text(), [ed25519], 1)),
    [mldsa, another].map((key) => signatureLine(key.name, key.keyId, signSubtree(key, subtree, 0))),
  );
  assert.equal(pool.status().signed, 2 + 40 + 2);
  assert.equal(pool.status().waiting, 0);
});

test('no thread is started for Ed25519 alone, and what cannot be signed says why', async () => {
  const plain = open([ed25519]);
  assert.deepEqual(await plain.signNoteLines(text(), 7), [signNoteLine(text(), ed25519, 7)]);
  const reference = signNote(text(), [ed25519], 1);
  assert.deepEqual(
    await plain.signSubtreeLines({ origin: 'a', start: 0, end: 1, hash: seed(9) }, reference),
    [],
  );
  assert.equal(plain.status().threads, 0);
  const pool = open();
  await assert.rejects(pool.signNoteLines('no checkpoint\n', 7), { code: 'bad_checkpoint' });
  const wrong = { origin: 'log.example', start: 2, end: 1, hash: seed(9) };
  await assert.rejects(pool.signSubtreeLines(wrong, reference), { code: 'bad_subtree' });
  const right = { ...wrong, start: 0 };
  for (const note of [
    signNote(text(), [another], 1),
    Buffer.concat([reference, encodeUtf8(signNoteLine(text().replace('\n0\n', '\n1\n'), mldsa, 1))]),
    encodeUtf8('no note'),
  ]) {
    await assert.rejects(pool.signSubtreeLines(right, note), { code: 'bad_reference' });
  }
  assert.equal(pool.status().replaced, 0);
});

for (const order of ['exit', 'throw']) {
  test(`a thread that ends (${order}) answers with an error, once, and is replaced`, async () => {
    const pool = open([mldsa], { threads: 1, script: misbehaving });
    const asked = [
      pool.signNoteLines(text(), 5),
      pool.signNoteLines(text(order), 6),
      pool.signNoteLines(text(), 7),
    ];
    const [before, failed, after] = await Promise.allSettled(asked);
    assert.equal(before?.status, 'fulfilled');
    assert.ok(failed?.status === 'rejected');
    assert.equal((failed.reason as { code: string }).code, 'signing_failed');
    assert.deepEqual(after, { status: 'fulfilled', value: [signNoteLine(text(), mldsa, 7)] });
    const { signed, replaced, threads } = pool.status();
    assert.deepEqual([signed, replaced, threads], [2, 1, 1]);
  });
}

test('a thread that hangs is given up after a while, and is replaced', async () => {
  const clock = new SleepersClock();
  const pool = open([mldsa], { threads: 1, script: misbehaving, clock });
  const hangs = pool.signNoteLines(text('hang'), 6);
  const waits = pool.signNoteLines(text(), 7);
  assert.deepEqual([clock.asleep, pool.status().waiting], [1, 1]);
  clock.wake();
  await assert.rejects(hangs, { code: 'signing_failed' });
  assert.deepEqual(await waits, [signNoteLine(text(), mldsa, 7)]);
  // Nobody watches over what was answered.
  assert.equal(clock.asleep, 0);
});

test('a thread that cannot start is an error for each request, not for the program', async () => {
  const pool = open([mldsa], { threads: 1, script: new URL('./none.js', import.meta.url) });
  await assert.rejects(pool.signNoteLines(text(), 1), { code: 'signing_failed' });
  await assert.rejects(pool.signNoteLines(text(), 2), { code: 'signing_failed' });
});

test('what waits is bounded, and subtrees wait behind notes', async () => {
  const waiting = { notes: 3, subtrees: 1 };
  const pool = open([mldsa], { threads: 1, waiting });
  const order: string[] = [];
  const note = (name: string): Promise<void> =>
    pool.signNoteLines(text(), 1).then(() => void order.push(name));
  const subtree = { origin: 'log.example', start: 0, end: 1, hash: seed(9) };
  const reference = signNote(text(), [mldsa], 1);
  const asked = [
    note('first'),
    pool.signSubtreeLines(subtree, reference).then(() => void order.push('subtree')),
  ];
  await assert.rejects(pool.signSubtreeLines(subtree, reference), { code: 'signing_busy' });
  asked.push(note('second'), note('third'), note('fourth'));
  await assert.rejects(note('fifth'), { code: 'signing_busy' });
  await Promise.all(asked);
  assert.deepEqual(order, ['first', 'second', 'third', 'fourth', 'subtree']);
  assert.equal(pool.status().refused, 2);
});

test('closing refuses what waits, and no more is taken', async () => {
  const pool = open([mldsa], { threads: 1, script: misbehaving, clock: systemClock });
  const asked = [pool.signNoteLines(text('silent'), 1), pool.signNoteLines(text(), 2)];
  const refused = Promise.allSettled(asked);
  await pool.close();
  assert.ok((await refused).every(({ status }) => status === 'rejected'));
  await assert.rejects(pool.signNoteLines(text(), 3), { code: 'signing_failed' });
  assert.equal(pool.status().threads, 0);
});
