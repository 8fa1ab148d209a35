// A log over a folder that is not the only one: an older copy, and a second copy that runs too.
import assert from 'node:assert/strict';
import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeHex, parseCheckpoint, parseNote, parsePolicy } from '../tlog/index.js';
import { CrashRun, KEYS_KNOWN } from './crash/crash-run.js';

test('an older copy of folder and key: the witnesses have seen more, so it signs nothing', async (t) => {
  const run = await CrashRun.make('none');
  t.after(() => run.remove());
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(20);
  const before = (await run.readiness()).published;
  await run.stop();
  const older = `${run.folder}-older`;
  await cp(run.folder, older, { recursive: true });
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(20);
  await run.stop();
  const notes = run.recorder.notes.length;

  await rename(run.folder, `${run.folder}-newer`);
  await rename(older, run.folder);
  assert.ok(await run.start());
  await until(async () => (await run.readiness()).state === 'behind_witness');
  const { published } = await run.readiness();
  assert.equal(published, before, 'it serves what it last published');
  const refused = await fetch(`${run.url}/add`, { method: 'POST', body: 'x' });
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /"code":"gate_closed"/);
  await run.stop(true);

  // The newer folder back in place: everything is in order again, and nothing else was ever signed.
  await rm(run.folder, { recursive: true });
  await rename(`${run.folder}-newer`, run.folder);
  const signed = new Set(run.recorder.notes.map(encodeHex)).size;
  assert.equal(signed, notes, 'the older copy has shown the last note it had signed, and no other');
  await run.judge();
});

test('an older copy of the data alone: refused before anybody is asked', async (t) => {
  const run = await CrashRun.make('none');
  t.after(() => run.remove());
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(10);
  await run.stop();
  await cp(join(run.folder, 'data'), `${run.folder}-data`, { recursive: true });
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(10);
  await run.stop();
  await rm(join(run.folder, 'data'), { recursive: true });
  await rename(`${run.folder}-data`, join(run.folder, 'data'));
  assert.equal(await run.start(), false);
  assert.match(run.said(), /state_rolled_back/);
});

test('two folders, one key: one history reaches the quorum, the other stops, and the key is convicted', async (t) => {
  const one = await CrashRun.make('none');
  t.after(() => one.remove());
  assert.ok(await one.start());
  assert.ok(await one.ready());
  await one.load(10);
  const before = (await one.readiness()).published;
  await one.stop();
  const two = await one.copy(`${one.folder}-two`);
  t.after(() => two.kill());
  // Both pass the gate: both hold what the witnesses hold.
  assert.ok(await one.start());
  assert.ok(await one.ready());
  assert.ok(await two.start());
  assert.ok(await two.ready());
  assert.equal((await fetch(`${one.url}/add`, { method: 'POST', body: 'one history' })).status, 200);
  const submitted = fetch(`${two.url}/add`, { method: 'POST', body: 'another history' });
  await until(async () => (await two.readiness()).state === 'stopped');
  assert.equal((await submitted).status, 503);
  const { published } = await two.readiness();
  assert.equal(published, before, 'the other history was never published');

  // Both signatures exist, and convict the key: two notes of one size with different roots.
  const heads = one.recorder.notes.map((note) => parseCheckpoint(parseNote(note).text));
  const roots = new Map<number, Set<string>>();
  for (const { size, rootHash } of heads)
    roots.set(size, (roots.get(size) ?? new Set()).add(encodeHex(rootHash)));
  assert.equal(roots.get(before + 1)?.size, 2, 'two heads of one size were signed');
  // Every witness has seen both. From now on the key's word counts nowhere: the first history has ended too.
  const checkpoint = await (await fetch(`${one.url}/checkpoint`)).text();
  const { witnesses } = parsePolicy(await readFile(join(one.folder, 'policy')));
  for (const [i, { url = '' }] of witnesses.entries()) {
    const list = new URL('gossip/evidence', `${url}/`);
    // A file for each key of the log that the witness knows, and until the last is kept the other key counts. There may
    // be one more, of a note under each key: it depends on the order in which the witness heard of them.
    const files = KEYS_KNOWN[i] ?? 0;
    await until(async () => {
      const kept = (await (await fetch(list)).text()).match(/^[0-9a-f]{64}$/gm) ?? [];
      return kept.length >= files;
    });
    const body = `old ${before + 1}\n\n${checkpoint}`;
    assert.equal((await fetch(`${url}/add-checkpoint`, { method: 'POST', body })).status, 403);
  }
  assert.equal((await one.readiness()).published, before + 1);
  await two.stop(true);
  await one.stop();
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the condition did not come true: ${condition.toString()}`);
}
