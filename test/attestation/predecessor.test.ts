// A log that goes on from another one: what its charter may say of that, and whose history it is held against.
import assert from 'node:assert/strict';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkPredecessor, predecessorOf, type Predecessor } from '../../attestation/index.js';
import { LogReader } from '../../client/index.js';
import { initLog, type InitOptions } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';
import {
  emptyRoot,
  encodeHex,
  encodeUtf8,
  formatVkey,
  newSigningKey,
  parsePolicy,
} from '../../tlog/index.js';
import { SigningLog, tilesOf } from '../helpers/signing-log.js';

const old = new SigningLog('log.example/old');
const forged = new SigningLog(old.origin, 'forged', 290);
const head: Predecessor = { origin: old.origin, size: 300, rootHash: encodeHex(old.root(300)) };

/** What a reader of the old log has, who was shown this much of this history. */
async function shown(history: SigningLog, size: number): Promise<Parameters<typeof checkPredecessor>[1]> {
  const policy = parsePolicy(encodeUtf8(`log ${formatVkey(history.vkey)}\nquorum none\n`));
  const reader = new LogReader(
    tilesOf(history, () => size),
    policy,
  );
  const { origin } = await reader.checkpoint();
  return { origin, size, rootAt: (at) => reader.rootAt(at) };
}

test('the last checkpoint of a log says what it was, under its own key alone', () => {
  assert.deepEqual(predecessorOf(old.note(300), [old.vkey]), head);
  const stranger = newSigningKey(old.origin, 1, new Uint8Array(32).fill(9));
  assert.throws(() => predecessorOf(old.note(300), [stranger.vkey]), { code: 'no_known_signature' });
  const other = new SigningLog('log.example/other');
  assert.throws(() => predecessorOf(old.note(300), [other.vkey]), { code: 'no_known_signature' });
  // A key speaks for the origin that is its name.
  const text = old.note(300);
  assert.throws(() => predecessorOf(text.subarray(0, 40), [old.vkey]), { name: 'TlogError' });
  assert.throws(() => predecessorOf(old.note(0, emptyRoot()), [old.vkey]), { code: 'bad_predecessor' });
});

test('a successor is held against the tree that its reader was shown', async () => {
  const terms = { predecessor: head };
  await checkPredecessor(terms, await shown(old, 300));
  await checkPredecessor(terms, await shown(old, 340));
  const fails = async (
    what: typeof terms | { predecessor: null },
    history: SigningLog,
    size: number,
    code: string,
  ): Promise<void> => assert.rejects(checkPredecessor(what, await shown(history, size)), { code });
  await fails(terms, forged, 300, 'not_a_successor');
  await fails(terms, forged, 340, 'not_a_successor');
  await fails(terms, old, 299, 'predecessor_unseen');
  await fails(terms, new SigningLog('log.example/other'), 340, 'bad_predecessor');
  await fails({ predecessor: null }, old, 340, 'bad_predecessor');
});

test('init: a successor has another name, and a charter to say it in; what is refused leaves nothing behind', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'stele-successor-'));
  t.after(() => rm(parent, { recursive: true }));
  const init = (folder: string, options: Partial<InitOptions>): ReturnType<typeof initLog> =>
    initLog({
      folder: join(parent, folder),
      origin: 'log.example/next',
      admission: 'charter',
      policy: encodeUtf8('quorum none\n'),
      clock: systemClock,
      predecessor: head,
      ...options,
    });
  await assert.rejects(init('a', { origin: old.origin }), { code: 'bad_predecessor' });
  await assert.rejects(init('a', { admission: 'none' }), { code: 'bad_predecessor' });
  await assert.rejects(access(join(parent, 'a', 'log.key')), { code: 'ENOENT' });
  assert.notEqual((await init('b', {})).charter, undefined);
});
