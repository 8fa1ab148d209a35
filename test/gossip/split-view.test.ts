// One key, two logs, four witnesses behind two partitions, healed: all of them processes of their own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { httpSource, LogReader, type VerifiedCheckpoint } from '../../client/index.js';
import { initLog } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';
import { concatBytes, encodeUtf8, formatVkey, parsePolicy, parseVkey } from '../../tlog/index.js';
import { readKeys } from '../../witness/folder.js';
import { addLog, addPeer } from '../../witness/index.js';
import { startScript } from '../helpers/process.js';
import { witnessFolder } from '../helpers/witness.js';
import { GossipChild, type GossipStatus } from './child.js';

const stele = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const ORIGIN = 'log.example/split';
/** Looks at a log's state, 50 ms apart, before a test that would hang fails. */
const PATIENCE = 600;
/** Entries from before the fork: a full tile, and a part of the next. */
const COMMON = 270;

/** One `stele-log` process over a folder of its own. */
interface Machine {
  readonly url: string;
  /** Sends this many entries, none of which any other machine has. */
  add(count: number): Promise<void>;
  /** The published checkpoint, as a client of this side's policy accepts it. */
  read(): Promise<VerifiedCheckpoint>;
  stop(): Promise<void>;
}

async function startLog(t: TestContext, folder: string, policy: Uint8Array): Promise<Machine> {
  await writeFile(join(folder, 'policy'), policy);
  const flags = ['--admission', 'none', '--publish-interval', '0', '--log-level', 'alarm'];
  const log = startScript('log-server/main', ['serve', '-f', folder, '-l', '127.0.0.1:0', ...flags]);
  t.after(() => log.process.kill('SIGKILL'));
  const url = await log.firstLine;
  const ready = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;
  for (let i = 0; !(await ready()); i++) {
    if (i === PATIENCE) throw new Error(`the log in ${folder} is not ready: ${log.stderr()}`);
    await pause(50);
  }
  return {
    url,
    async add(count) {
      const sent = Array.from({ length: count }, async (_, i) => {
        const answer = await fetch(`${url}/add`, { method: 'POST', body: `${folder}, entry ${i}` });
        assert.equal(answer.status, 200, await answer.text());
      });
      await Promise.all(sent);
    },
    read: () =>
      new LogReader(httpSource(url, { fetch, timer: systemClock }), parsePolicy(policy)).checkpoint(),
    async stop() {
      log.process.kill('SIGTERM');
      assert.equal(await log.ended, 0, log.stderr());
    },
  };
}

/** What this witness answers to a checkpoint that it has cosigned, shown to it again. */
async function again(witness: GossipChild, { size, note }: VerifiedCheckpoint): Promise<number> {
  const body = concatBytes(encodeUtf8(`old ${size}\n\n`), note) as Uint8Array<ArrayBuffer>;
  const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
  await response.arrayBuffer();
  return response.status;
}

test('a live split view over two partitions, healed: convicted by the second round of gossip', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'stele-split-'));
  t.after(() => rm(parent, { recursive: true, force: true, maxRetries: 5 }));
  const witnesses: GossipChild[] = [];
  for (let i = 0; i < 4; i++) {
    const folder = await witnessFolder({ name: `witness.example/w${i}` });
    t.after(() => rm(folder, { recursive: true }));
    const witness = new GossipChild(folder);
    t.after(() => witness.kill());
    witnesses.push(witness);
  }
  await Promise.all(witnesses.map((witness) => witness.start()));
  const vkeys = await Promise.all(
    witnesses.map(async ({ folder }) => {
      const [key] = await readKeys(folder);
      assert.ok(key);
      return key.vkey;
    }),
  );
  /** The policy whose quorum is all of these witnesses. */
  const all = (...of: number[]): Uint8Array => {
    const lines = of.map(
      (i) => `witness w${i} ${formatVkey(vkeys[i] ?? assert.fail())} ${witnesses[i]?.url}`,
    );
    const names = of.map((i) => `w${i}`).join(' ');
    return encodeUtf8([...lines, `group all ${of.length} ${names}`, 'quorum all', ''].join('\n'));
  };

  // The log before it had witnesses: one history. (Under a policy its folder would remember whom to ask.)
  const folders = [join(parent, 'one'), join(parent, 'two')] as const;
  const made = await initLog({
    folder: folders[0],
    origin: ORIGIN,
    admission: 'none',
    policy: encodeUtf8('quorum none\n'),
    clock: systemClock,
  });
  const log = encodeUtf8(`log ${made.vkey}\n`);
  const before = await startLog(t, folders[0], made.policy);
  await before.add(COMMON);
  assert.equal((await before.read()).size, COMMON);
  await before.stop();
  const show = async (of: readonly GossipChild[], url?: string): Promise<void> => {
    for (const witness of of) {
      await addLog(witness.folder, parseVkey(made.vkey), ORIGIN, url);
      await witness.ask('reload');
    }
  };
  await show(witnesses);

  // Folder and key go to a second machine, and each serves a half of the world.
  await cp(folders[0], folders[1], { recursive: true });
  const policies = [concatBytes(log, all(0, 1)), concatBytes(log, all(2, 3))] as const;
  const halves = [witnesses.slice(0, 2), witnesses.slice(2)] as const;
  const logs = await Promise.all([
    startLog(t, folders[0], policies[0]),
    startLog(t, folders[1], policies[1]),
  ]);
  /** Makes peers of those that can reach each other. */
  const connect = async (reach: (a: number, b: number) => boolean): Promise<void> => {
    for (const [a, witness] of witnesses.entries()) {
      for (const [b, other] of witnesses.entries()) {
        const vkey = vkeys[b];
        if (a !== b && vkey && reach(a, b)) await addPeer(witness.folder, [vkey], { url: other.url });
      }
      await witness.ask('reload');
    }
  };
  await connect((a, b) => a < 2 === b < 2);
  for (const side of [0, 1] as const) await show(halves[side], logs[side].url);
  await logs[0].add(10);
  await logs[1].add(30);
  // Each half has a tree that its clients accept, by policies that could not be met together.
  const heads = [await logs[0].read(), await logs[1].read()] as const;
  assert.deepEqual(
    heads.map(({ size }) => size),
    [COMMON + 10, COMMON + 30],
  );
  for (let round = 0; round < 2; round++) {
    for (const witness of witnesses) assert.deepEqual((await witness.ask('round')).convicted, []);
  }
  for (const [i, witness] of witnesses.entries())
    assert.equal(await again(witness, heads[i < 2 ? 0 : 1]), 200);

  await connect(() => true);
  const found: GossipStatus[] = [];
  for (let round = 0; round < 2; round++) {
    found.splice(0);
    for (const witness of witnesses) found.push(await witness.ask('round'));
  }
  for (const [i, { rounds, convicted }] of found.entries()) {
    assert.equal(rounds, 4, 'two rounds before the partition healed, two after');
    assert.deepEqual(
      convicted.map((each) => [each.role, each.convicted]),
      [['log', [made.vkey]]],
      `w${i}`,
    );
    // A convicted key is an untrusted key, for whatever it signed.
    const witness = witnesses[i] ?? assert.fail();
    assert.equal(await again(witness, heads[0]), 403);
    assert.equal(await again(witness, heads[1]), 403);
  }
  // Over SIGKILL too.
  const first = witnesses[0] ?? assert.fail();
  await first.kill();
  await first.start();
  assert.equal(await again(first, heads[0]), 403);

  // The file stands by itself: in a folder with nothing but it and the policy.
  const [evidence] = found[0]?.convicted ?? [];
  const served = await fetch(`${first.url}/gossip/evidence/${evidence?.sha256}`);
  assert.equal(served.status, 200);
  assert.equal(served.headers.get('access-control-allow-origin'), '*');
  const court = join(parent, 'court');
  await mkdir(court);
  await writeFile(join(court, 'file.evidence'), Buffer.from(await served.arrayBuffer()));
  await writeFile(join(court, 'policy'), policies[1]);
  const args = [stele, 'evidence', 'verify', 'file.evidence', '--policy', 'policy'];
  const verified = spawnSync(process.execPath, args, { cwd: court, encoding: 'utf8' });
  assert.equal(verified.status, 0, verified.stderr);
  assert.match(verified.stdout, /log\.example\/split/);
});
