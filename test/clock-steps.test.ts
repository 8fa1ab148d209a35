// Clocks that step, in either direction, under a log server and under witnesses. What is promised hangs
// on no clock: order and sizes come from the tree, waiting from the monotonic clock, and a witness never
// signs a time that its clock does not show or an earlier one after a later.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { initLog, startLog } from '../log-server/index.js';
import type { RunningLog } from '../log-server/index.js';
import { ManualClock } from '../log-server/testing/manual-clock.js';
import { until } from '../log-server/testing/until.js';
import { encodeUtf8, formatVkey, openCheckpoint, parseVkey } from '../tlog/index.js';
import { addLog } from '../witness/index.js';
import { type TestWitness, TestClock, startTestWitness } from './helpers/witness.js';

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

interface World {
  readonly clock: ManualClock;
  readonly clocks: readonly TestClock[];
  /** The messages of the log server. */
  readonly said: string[];
  readonly start: () => Promise<RunningLog>;
  /** Adds an entry; its index. Also looks at what was published: no witness's time ever fell. */
  readonly add: (log: RunningLog) => Promise<number>;
}

/** A log on a clock of its own, and three witnesses, each on its own; two of them are the quorum. */
async function world(t: TestContext): Promise<World> {
  const clock = new ManualClock(START);
  const clocks = [0, 1, 2].map(() => new TestClock(START));
  const witnesses: TestWitness[] = [];
  for (const [i, each] of clocks.entries()) {
    witnesses.push(await startTestWitness({ name: `w${i}.example`, clock: each }));
  }
  const parent = await mkdtemp(join(tmpdir(), 'stele-clocks-'));
  const folder = join(parent, 'log');
  const lines = witnesses.map(({ vkey, url }, i) => `witness w${i} ${formatVkey(vkey)} ${url}`);
  const made = await initLog({
    folder,
    origin: 'log.example/clocks',
    admission: 'none',
    policy: encodeUtf8([...lines, 'group most 2 w0 w1 w2', 'quorum most', ''].join('\n')),
    clock,
  });
  const vkey = parseVkey(made.vkey);
  for (const witness of witnesses) {
    await addLog(witness.folder, vkey);
    await witness.reload();
  }
  const running: RunningLog[] = [];
  t.after(async () => {
    await Promise.all(running.map((log) => log.close()));
    await Promise.all(witnesses.map((witness) => witness.remove()));
    await rm(parent, { recursive: true, force: true });
  });
  const said: string[] = [];
  const latest = new Map<string, number>();
  let entries = 0;
  return {
    clock,
    clocks,
    said,
    async start() {
      const log = await startLog({
        folder,
        admission: 'none',
        listen: { host: '127.0.0.1', port: 0 },
        clock,
        logger: { log: (_, message) => void said.push(message) },
        limits: { publishIntervalMs: 0, drainMs: 0 },
      });
      running.push(log);
      return log;
    },
    async add(log) {
      const { index, published } = await log.submit(encodeUtf8(`entry ${entries++}`));
      const vkeys = witnesses.map((witness) => witness.vkey);
      for (const { name, timestamp } of openCheckpoint(published.note, [vkey], vkeys).cosignatures) {
        assert.ok(timestamp >= (latest.get(name) ?? 0), `the time of ${name} fell`);
        latest.set(name, timestamp);
      }
      return index;
    },
  };
}

test("the log server's clock steps both ways while it runs: entries go on in their order", async (t) => {
  const { clock, start, add } = await world(t);
  const log = await start();
  await until(() => log.readiness().ready);
  let expected = 0;
  for (const step of [DAY, -2 * DAY, 40 * 365 * DAY, -50 * 365 * DAY]) {
    clock.step(step);
    assert.equal(await add(log), expected++);
    assert.equal(log.published()?.size, expected);
  }
});

test('a log server whose clock is ahead of its witnesses waits at the gate, and opens when it is right', async (t) => {
  const { clock, said, start, add } = await world(t);
  const first = await start();
  await until(() => first.readiness().ready);
  assert.equal(await add(first), 0);
  await first.close();

  clock.step(DAY);
  const ahead = await start();
  // A cosignature a day old may be one that was kept: it shows nothing of where the witness is now.
  await until(() => said.filter((message) => message === 'witness silent').length === 3);
  assert.equal(ahead.readiness().state, 'gate_closed');
  assert.deepEqual(ahead.readiness().awaited, ['w0', 'w1', 'w2']);
  await assert.rejects(add(ahead), { code: 'gate_closed' });
  clock.step(-DAY);
  await until(() => clock.sleeping === 3);
  clock.advance(30_000);
  await until(() => ahead.readiness().ready);
  assert.equal(await add(ahead), 1);
  await ahead.close();

  clock.step(-DAY);
  const behind = await start();
  await until(() => behind.readiness().ready);
  assert.equal(await add(behind), 2);
  assert.equal(behind.published()?.size, 3);
});

test('witnesses whose clocks step are silent, each in its way, and the rest goes on', async (t) => {
  const { clock, clocks, said, start, add } = await world(t);
  const silences = (): number => said.filter((message) => message === 'witness silent').length;
  const [one, two] = clocks;
  assert.ok(one && two);
  const log = await start();
  await until(() => log.readiness().ready);
  for (const each of clocks) each.pass(MINUTE);
  assert.equal(await add(log), 0);
  await until(() => cosigners(log) === 3);

  // Behind what it has signed: it waits until its clock shows a later time.
  one.wall -= 10 * MINUTE;
  assert.equal(await add(log), 1);
  assert.equal(cosigners(log), 2);
  one.pass(11 * MINUTE);
  for (const each of clocks.slice(1)) each.pass(11 * MINUTE);
  clock.advance(11 * MINUTE);
  await until(() => cosigners(log) === 3);

  // Ahead by more than an hour, all at once: it asks for a human, and signs nothing until then.
  const before = silences();
  two.wall += DAY;
  assert.equal(await add(log), 2);
  await until(() => silences() > before);
  clock.advance(10 * MINUTE);
  assert.equal(await add(log), 3);
  assert.equal(cosigners(log), 2);
  two.wall -= DAY;
  clock.advance(10 * MINUTE);
  assert.equal(await add(log), 4);
  assert.equal(cosigners(log), 2);
});

/** Signature lines of the published note but the log's own. */
function cosigners(log: RunningLog): number {
  const text = new TextDecoder().decode(log.published()?.note);
  return text.split('\n').filter((line) => line.startsWith('\u2014 w')).length;
}
