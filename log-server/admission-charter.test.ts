import assert from 'node:assert/strict';
import test from 'node:test';
import { KEYS, MemoryStore, keyId } from '../attestation/index.js';
import { encodeHex, encodeUtf8, publicKeyFromSeed, sha256 } from '../tlog/index.js';
import { CharterAdmission } from './admission-charter.js';
import { RateLimiter } from './rate.js';
import type { LogStorage } from './storage/types.js';
import { ORIGIN, testKey } from './testing/fixture.js';
import { ManualClock } from './testing/manual-clock.js';
import { participant } from './testing/participant.js';

/** Leaf hash of this log's anchor, entry 1. */
const OWN = '0'.repeat(64);

/** A ledger in which these keys belong to "operator", and what is admitted by it with a burst of two. */
function admission(keys: readonly { name: string; until: number | null; of?: string }[]): {
  clock: ManualClock;
  send: (name: string, anchor?: string) => Promise<string>;
} {
  const ledger = new MemoryStore();
  for (const { name, until, of = 'operator' } of keys) {
    const raw = publicKeyFromSeed(sha256(encodeUtf8(name)));
    const record = { key: encodeHex(raw), participant: of, uses: ['signing'], roles: [], from: 0, until };
    ledger.values.set(KEYS.key(keyId(raw)), encodeUtf8(JSON.stringify(record)));
  }
  const record = { index: 1, leafHash: OWN, lower: null, size: 1, upper: null };
  ledger.values.set(KEYS.anchorAt(1), encodeUtf8(JSON.stringify({ ordinal: 0 })));
  ledger.values.set(KEYS.anchor(0), encodeUtf8(JSON.stringify(record)));
  const storage = { origin: ORIGIN, size: 9, ledger, lookup: () => Promise.resolve(undefined) };
  const clock = new ManualClock();
  const rules = new CharterAdmission(storage as unknown as LogStorage, new RateLimiter(clock, 1, 2));
  let sent = 0;
  const send = async (name: string, anchor = OWN): Promise<string> => {
    const key = testKey(ORIGIN, 1, 1);
    const about = `lab-${sent++}`;
    const body = participant(ORIGIN, { ...key, secret: sha256(encodeUtf8(name)) }, about, {
      index: 1,
      leafHash: anchor,
    });
    return rules.prepare(body, 'submitter').then(
      () => 'taken',
      (error: unknown) => (error as { code: string }).code,
    );
  };
  return { clock, send };
}

void test('all keys of a participant have one share of the rate, and others have theirs', async () => {
  const { clock, send } = admission([
    { name: 'one', until: null },
    { name: 'two', until: null },
    { name: 'other', until: null, of: 'other' },
  ]);
  assert.deepEqual([await send('one'), await send('two')], ['taken', 'taken']);
  assert.deepEqual([await send('one'), await send('two')], ['rate_limited', 'rate_limited']);
  assert.equal(await send('other'), 'taken');
  clock.advance(1000);
  assert.deepEqual([await send('two'), await send('one')], ['taken', 'rate_limited']);
});

void test('whoever has a key that has ended uses up nothing of what its participant may send', async () => {
  const { send } = admission([
    { name: 'found', until: 5 },
    { name: 'one', until: null },
  ]);
  const answers = [await send('found'), await send('found'), await send('found')];
  assert.deepEqual(answers, ['taken', 'taken', 'rate_limited']);
  assert.equal(await send('one'), 'taken');
});

void test('whoever relays what was made for another log uses up nothing of what its signer may send', async () => {
  const { send } = admission([{ name: 'one', until: null }]);
  const other = '1'.repeat(64);
  const answers = [await send('one', other), await send('one', other), await send('one', other)];
  assert.deepEqual(answers, ['taken', 'taken', 'rate_limited']);
  assert.equal(await send('one'), 'taken');
});
