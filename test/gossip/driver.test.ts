// When gossip asks whom, on a clock and with chance that the test owns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../../log-server/testing/manual-clock.js';
import { Gossip, type GossipNetwork, type Peer } from '../../witness/index.js';
import { Driver } from '../../witness/gossip/driver.js';
import { SigningLog } from '../helpers/signing-log.js';
import { cosignerKey } from './keys.js';
import { MemoryStore } from './world.js';

const log = new SigningLog();

/** How a peer answers; it has nothing to show. */
type Answer = () => Promise<undefined>;
const answers: Answer = () => Promise.resolve(undefined);
const fails: Answer = () => Promise.reject(new Error('down'));
const hangs: Answer = () => new Promise(() => undefined);

/** A driver that runs, and the seconds at which it asked each peer, and the log under its origin. */
async function drive(peers: Record<string, Answer>): Promise<{
  driver: Driver;
  clock: ManualClock;
  /** Whole seconds, so that each look is noted at the second at which it is due. */
  pass: (seconds: number) => Promise<void>;
  /** Seconds at which each was asked. */
  asked: ReadonlyMap<string, readonly number[]>;
  /** Seconds from one look to the next; then forgets all looks but the last. */
  gaps: (name: string) => number[];
  /** What the injected random gives: from 0 up to but not including 1. */
  chance: { value: number };
  set: (names: readonly string[]) => void;
}> {
  const clock = new ManualClock();
  const asked = new Map<string, number[]>();
  const note = (name: string): void => {
    asked.set(name, [...(asked.get(name) ?? []), clock.monotonic() / 1000]);
  };
  const nothing = (): Promise<undefined> => Promise.resolve(undefined);
  const network: GossipNetwork = {
    latest: ({ name }) => {
      note(name);
      return (peers[name] ?? answers)();
    },
    published: ({ origin }) => {
      note(origin);
      return nothing();
    },
    tiles: () => undefined,
    push: nothing,
    owed: nothing,
    evidenceList: () => Promise.resolve([]),
    evidence: nothing,
    pushEvidence: nothing,
  };
  const gossip = new Gossip({
    network,
    store: new MemoryStore(),
    clock,
    random: () => 0,
    own: () => undefined,
    ownKeys: [],
  });
  const chance = { value: 0.5 };
  const driver = new Driver(gossip, clock, () => chance.value);
  const set = (names: readonly string[]): void => {
    const all = names.map((name): Peer => ({
      name,
      vkeys: [cosignerKey(name).vkey],
      url: `http://${name}`,
      gossip: true,
    }));
    gossip.setPeers(all);
    driver.update(all);
  };
  set(Object.keys(peers));
  await gossip.setLogs([{ origin: log.origin, keys: [log.vkey], url: 'http://log.example' }]);
  return {
    driver,
    clock,
    asked,
    chance,
    set,
    async pass(seconds) {
      for (let i = 0; i < seconds; i++) {
        clock.advance(1000);
        await turn();
      }
    },
    gaps(name) {
      const times = asked.get(name) ?? [];
      asked.set(name, times.slice(-1));
      return times.slice(1).map((time, i) => time - (times[i] ?? 0));
    },
  };
}

test('peers are asked at intervals, give or take a quarter; failures double them, 32 times at most; one that hangs delays nobody', async () => {
  const peers: Record<string, Answer> = { good: answers, changing: answers, hanging: hangs };
  const { driver, clock, asked, pass, gaps, chance, set } = await drive(peers);
  // The first look comes after a tenth of the interval.
  await pass(6 + 60 + 60);
  for (const name of ['good', 'changing', log.origin]) {
    assert.deepEqual(asked.get(name), [6, 66, 126], name);
    gaps(name);
  }

  // At second 126 all of them sleep once more as chance was then.
  chance.value = 0;
  await pass(60 + 45);
  assert.deepEqual(gaps('good'), [60, 45]);
  chance.value = 1 - Number.EPSILON;
  await pass(45 + 75);
  assert.deepEqual(gaps('good'), [45, 75]);
  assert.deepEqual(gaps(log.origin), [60, 45, 45, 75]);
  gaps('changing');

  chance.value = 0.5;
  peers['changing'] = fails;
  await pass(75 + 120 + 240 + 480 + 960 + 1920 + 1920);
  assert.deepEqual(gaps('changing'), [75, 120, 240, 480, 960, 1920, 1920]);
  peers['changing'] = answers;
  await pass(1920 + 60 + 60);
  assert.deepEqual(gaps('changing'), [1920, 60, 60]);
  // And from the beginning when it fails again.
  peers['changing'] = fails;
  await pass(60 + 120 + 240);
  assert.deepEqual(gaps('changing'), [60, 120, 240]);

  // All the while the others were asked as ever, and the one that hangs is not asked twice.
  const steady = gaps('good');
  assert.ok(steady.length > 100);
  assert.deepEqual(new Set(steady.slice(1)), new Set([60]));
  assert.deepEqual(asked.get('hanging'), [6]);

  // Who is no peer any more is not asked, nor is anybody after the end.
  set(['changing']);
  assert.equal(clock.sleeping, 2, 'one peer and the logs');
  driver.close();
  assert.equal(clock.sleeping, 0);
  const before = [...asked].map(([name, times]) => [name, times.length]);
  await pass(4000);
  assert.deepEqual(
    [...asked].map(([name, times]) => [name, times.length]),
    before,
  );
});
