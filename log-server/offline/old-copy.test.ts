// Copies of a folder whose parts are of different times: what recover makes of them, and what it says.
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { lastAnchor } from '../../attestation/index.js';
import { readKeyFile } from '../../system/index.js';
import { encodeUtf8 } from '../../tlog/index.js';
import { effectsByEntries } from '../admission-charter.js';
import { initLog, startLog } from '../index.js';
import type { RunningLog } from '../index.js';
import { readKeyLives, storageOf } from '../log-keys.js';
import type { EffectsOf } from '../storage/types.js';
import { ORIGIN } from '../testing/fixture.js';
import { ManualClock } from '../testing/manual-clock.js';
import { participant } from '../testing/participant.js';
import { until } from '../testing/until.js';
import { check, recoverFolder, replyOfRecovery } from './check.js';
import { recover } from './recover.js';

const INTERVAL = 1200;
const now = new Date(0);

interface Copies {
  /** The folder of a log that has stopped. */
  readonly folder: string;
  /** A copy of it as it was when `first` had been done, with the tail of now. */
  readonly older: string;
}

type Work = (log: RunningLog, clock: ManualClock, folder: string) => Promise<void>;

/** A log in which two things were done, and a copy of its folder between, over which a newer tail was copied. */
async function newerTail(
  t: TestContext,
  admission: 'charter' | 'none',
  first: Work,
  then: Work,
): Promise<Copies> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-copy-'));
  t.after(() => rm(parent, { recursive: true }));
  const [folder, older] = [join(parent, 'log'), join(parent, 'older')];
  const clock = new ManualClock();
  const policy = encodeUtf8('quorum none\n');
  await initLog({ folder, origin: ORIGIN, admission, policy, clock, anchorInterval: INTERVAL });
  const run = async (work: Work): Promise<void> => {
    const log = await startLog({ folder, admission, clock, listen: { host: '127.0.0.1', port: 0 } });
    try {
      await until(() => log.readiness().ready);
      await work(log, clock, folder);
    } finally {
      await log.close();
    }
  };
  await run(first);
  await cp(folder, older, { recursive: true });
  await run(then);
  await cp(join(folder, 'data', 'tail'), join(older, 'data', 'tail'));
  return { folder, older };
}

const introduce =
  (about: string): Work =>
  async (log, _clock, folder) => {
    const { index, leafHash } = (await lastAnchor(log.storage.ledger)) ?? assert.fail('no anchor');
    const operator = readKeyFile(join(folder, 'operator.key'));
    await log.submit(participant(ORIGIN, operator, about, { index, leafHash }));
  };

/** Entries 3 to 9: anchor, participant, anchor, participant, an anchor of the tree of 7, two participants. */
const sevenMore: Work = async (log, clock, folder) => {
  // Overdue at a start, since what nobody cosigns has no time.
  await until(() => log.published()?.size === 4);
  for (const name of ['lab-2', 'lab-3']) {
    await introduce(name)(log, clock, folder);
    const before = log.storage.size;
    clock.advance(INTERVAL * 1000);
    await until(() => log.storage.size > before && log.published()?.size === log.storage.size);
  }
  for (const name of ['lab-4', 'lab-5']) await introduce(name)(log, clock, folder);
};

test('recover of an old copy with a newer tail: its anchors are heads, and no entry of it is left out', async (t) => {
  const { older } = await newerTail(t, 'charter', introduce('lab-1'), sevenMore);
  const done = await recoverFolder({ folder: older, from: [], now, fetch, onProgress: () => undefined });
  assert.equal(done.headFrom, 'the anchor at entry 7');
  assert.deepEqual([done.headSize, done.unsigned, done.size, done.remarks], [7, 3, 10, []]);
  const { lines } = replyOfRecovery(done);
  // They were signed, and another folder knows.
  assert.ok(lines.every((line) => !line.includes('never signed')));
  assert.match(lines.join('\n'), /^3 entries behind it, .* whether they were signed the witnesses say/m);
  assert.match(lines.at(-1) ?? '', /^the folder as it was is kept as .*data\.damaged-19700101T000000Z$/);
  const report = await check({ folder: older, source: undefined, vkeys: [], origin: undefined, fetch });
  assert.deepEqual([report.problems, report.size], [[], 10]);
});

test('recover keeps what replays of a tail, up to the entry that does not', async (t) => {
  const { older } = await newerTail(t, 'charter', introduce('lab-1'), sevenMore);
  const layout = storageOf(older, await readKeyLives(older));
  const { effects } = effectsByEntries(ORIGIN, true);
  const refusing: EffectsOf = (store, index, entry, treeRoot) =>
    index === 9 ? Promise.reject(new Error('not this one')) : effects(store, index, entry, treeRoot);
  const done = await recover({ ...layout, effects: refusing, from: [], now });
  assert.deepEqual([done.size, done.unsigned], [9, 2]);
  assert.deepEqual(done.remarks, [
    'entries from 9 on, which no head found covers, are left out: not this one',
  ]);
});

test('recover names entries of a tail that begins behind what the folder has', async (t) => {
  const { older } = await newerTail(
    t,
    'none',
    async (log) => {
      await log.submit(encodeUtf8('first'));
    },
    async (log) => {
      await Promise.all(Array.from({ length: 299 }, (_, i) => log.submit(encodeUtf8(`entry ${i}`))));
      await log.submit(encodeUtf8('last'));
    },
  );
  const { size, remarks } = await recoverFolder({
    folder: older,
    from: [],
    now,
    fetch,
    onProgress: () => undefined,
  });
  assert.equal(size, 1);
  assert.match(remarks.join(), /^[0-9]+ entries behind entry 1 are left out, since that one is in no place/);
});
