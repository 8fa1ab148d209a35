// A backup that was put back is found out: by what the logs publish, by what peers remember, at the start and
// later; then nothing is signed any more, and no restart and no command change that.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { WitnessClient, type AddCheckpointResult } from '../client/index.js';
import {
  encodeUtf8,
  formatNote,
  parseNote,
  parseSigningKey,
  signatureLine,
  signNote,
  type Vkey,
} from '../tlog/index.js';
import { addLog, addPeer, initFolder, layout, originHash, type GossipNetwork } from '../witness/index.js';
import { startScript, type Child } from './helpers/process.js';
import { SigningLog } from './helpers/signing-log.js';
import { serveFolder as serve, TestClock, witnessFolder, type TestWitness } from './helpers/witness.js';

const log = new SigningLog();
const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const last of cleanUp.splice(0).reverse()) await last();
});

type Target = { url: string; vkeys: readonly Vkey[] };

async function add(to: Target, oldSize: number, size: number): Promise<AddCheckpointResult> {
  const client = new WitnessClient({ url: to.url, vkeys: to.vkeys });
  return client.addCheckpoint({ oldSize, proof: await log.proof(oldSize, size), note: log.note(size) });
}

/** A witness that cosigned size 5, a copy of its folder from then, and that it cosigned 9 since. */
interface Backup {
  folder: string;
  copy: string;
  /** The note of size 9, with its cosignature. */
  later: Uint8Array;
}

async function backup(name = 'witness.example/restored'): Promise<Backup> {
  const folder = await witnessFolder({ name, logs: [log.vkey] });
  const copy = await mkdtemp(join(tmpdir(), 'stele-restored-'));
  cleanUp.push(async () => {
    await rm(folder, { recursive: true, force: true });
    await rm(copy, { recursive: true, force: true });
  });
  const first = await serveFolder(folder);
  assert.equal((await add(first, 0, 5)).kind, 'cosigned');
  await first.close();
  await cp(folder, copy, { recursive: true });
  const second = await serveFolder(folder);
  assert.equal((await add(second, 5, 9)).kind, 'cosigned');
  const later = await (await fetch(`${second.url}/${originHash(log.origin)}/checkpoint`)).text();
  await second.close();
  return { folder, copy, later: encodeUtf8(later) };
}

async function serveFolder(
  folder: string,
  options: Parameters<typeof serve>[1] = { gossip: { drive: 'manual' } },
): Promise<TestWitness> {
  const witness = await serve(folder, options);
  cleanUp.push(() => witness.close());
  return witness;
}

/** What the log publishes: whatever is set. */
async function publishing(): Promise<{ url: string; note: Uint8Array | undefined }> {
  const published: { url: string; note: Uint8Array | undefined } = { url: '', note: undefined };
  const server = createServer((request, response) => {
    const { note } = published;
    const found = request.url === '/checkpoint' && note !== undefined;
    response.writeHead(found ? 200 : 404).end(found ? note : 'no\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  published.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return published;
}

/** Nothing is signed by it: 503 for any log, with the reason everywhere. */
async function isSpent(witness: TestWitness): Promise<void> {
  const result = await add(witness, 5, 6);
  assert.ok(result.kind === 'silent', JSON.stringify(result));
  assert.equal(result.retryAfter, 3600);
  const health = await fetch(`${witness.url}/healthz`);
  assert.equal(health.status, 503);
  assert.match(await health.text(), /older copy/);
  assert.match(witness.ailing() ?? '', /The key is spent/);
  assert.equal(witness.spent(), true);
  const status = (await (await fetch(`${witness.url}/status.json`)).json()) as {
    ok: boolean;
    reason: string;
  };
  assert.equal(status.ok, false);
  assert.match(status.reason, /of size 9 at \d+ for log\.example\/test, and the state says size 5/);
  // What it has is shown on: it is proof for others.
  assert.equal((await fetch(`${witness.url}/${originHash(log.origin)}/checkpoint`)).status, 200);
}

test('found by what the log publishes, before the first signature; it stays so without anybody to ask', async () => {
  const { copy, later } = await backup();
  const published = await publishing();
  published.note = later;
  const vkey = log.vkey;
  await rm(layout.log(copy, log.origin));
  await addLog(copy, vkey, undefined, published.url);
  const witness = await serveFolder(copy);
  await isSpent(witness);
  await witness.close();
  const mark = JSON.parse(await readFile(layout.restored(copy), 'utf8')) as { note: string };
  assert.equal(mark.note, Buffer.from(later).toString());
  // The log forgets, and the mark does not.
  published.note = undefined;
  const again = await serveFolder(copy);
  await isSpent(again);
  await again.close();
  // Whoever takes the mark away finds it found again.
  await rm(layout.restored(copy));
  published.note = later;
  const third = await serveFolder(copy);
  await isSpent(third);
});

test('found by what a peer remembers, before the first signature', async () => {
  const { copy, later } = await backup();
  const keys = await ownKeys(copy);
  const peerFolder = await witnessFolder({ name: 'witness.example/peer', logs: [log.vkey] });
  cleanUp.push(() => rm(peerFolder, { recursive: true, force: true }));
  await addPeer(peerFolder, keys, { url: 'http://127.0.0.1:1' });
  const peer = await serveFolder(peerFolder);
  // Somebody has shown the peer what the witness cosigned last. There are no tiles to prove anything by.
  await fetch(`${peer.url}/gossip/checkpoint`, { method: 'POST', body: Buffer.from(later) });
  await addPeer(copy, peer.vkeys, { url: peer.url });
  const witness = await serveFolder(copy);
  await isSpent(witness);
});

test('found at once when somebody shows it later, and in a round of gossip', async () => {
  for (const how of ['shown', 'round'] as const) {
    const { copy, later } = await backup();
    const published = await publishing();
    await rm(layout.log(copy, log.origin));
    await addLog(copy, log.vkey, undefined, published.url);
    const witness = await serveFolder(copy);
    if (how === 'shown') {
      const body = Buffer.from(later);
      await fetch(`${witness.url}/gossip/checkpoint`, { method: 'POST', body });
    } else {
      // Nobody knew better when it started.
      await witness.gossip.round();
      assert.equal(witness.spent(), false);
      published.note = later;
      await witness.gossip.round();
    }
    await isSpent(witness);
  }
});

test('what the state says itself, or less, is no finding; nor is what others or forgers sign', async () => {
  const { folder, copy, later } = await backup();
  const witness = await serveFolder(folder);
  const show = (note: Uint8Array | string): Promise<Response> =>
    fetch(`${witness.url}/gossip/checkpoint`, { method: 'POST', body: Buffer.from(note) });
  await show(later);
  await show(await readLatest(copy));
  const stranger = new SigningLog('witness.example/restored').key;
  await show(signNote(log.text(12), [log.key, stranger], 1_900_000_000));
  // Its own line, under a larger tree than it signed.
  const own = parseNote(later).signatures.filter(({ name }) => name === 'witness.example/restored');
  await show(formatNote({ text: log.text(12), signatures: [...parseNote(log.note(12)).signatures, ...own] }));
  assert.equal(witness.spent(), false);
  assert.equal((await add(witness, 9, 10)).kind, 'cosigned');
  await witness.close();
  const again = await serveFolder(folder);
  assert.equal((await add(again, 10, 10)).kind, 'cosigned');
});

test('forged lines under its own name do not hide the real one', async () => {
  const { copy, later } = await backup();
  const published = await publishing();
  await rm(layout.log(copy, log.origin));
  await addLog(copy, log.vkey, undefined, published.url);
  const name = 'witness.example/restored';
  const { text, signatures } = parseNote(later);
  const [real] = signatures.filter((signature) => signature.name === name);
  assert.ok(real);
  const forged = Array.from({ length: 126 }, (_, i) => ({
    line: signatureLine(name, real.keyId, new Uint8Array(72).fill(i + 1)),
  }));
  const ofLog = signatures.filter((signature) => signature.name !== name);
  published.note = formatNote({ text, signatures: [...ofLog, ...forged, real] });
  await isSpent(await serveFolder(copy));
});

test('one who does not answer is waited for no longer than a while, and asked again', async () => {
  const { copy, later } = await backup();
  await addPeer(copy, await peerKeys(), { url: 'http://127.0.0.1:1' });
  // It hangs at first, and then remembers.
  let asked = 0;
  const waiting: (() => void)[] = [];
  const network: GossipNetwork = {
    latest: () => (asked++ === 0 ? new Promise(() => undefined) : Promise.resolve(later)),
    published: () => Promise.resolve(undefined),
    tiles: () => undefined,
    push: () => Promise.resolve(),
    owed: () => Promise.resolve(undefined),
    evidenceList: () => Promise.resolve([]),
    evidence: () => Promise.resolve(undefined),
    pushEvidence: () => Promise.resolve(),
  };
  const clock = new (class extends TestClock {
    override sleep(ms: number, signal?: AbortSignal): Promise<void> {
      const until = super.sleep(ms, signal);
      if (ms !== 3000) return until;
      return Promise.race([until, new Promise<void>((resolve) => waiting.push(resolve))]);
    }
  })(Date.now() + 60_000);
  const witness = await serveFolder(copy, { clock, gossip: { drive: 'manual', network } });
  const result = add(witness, 5, 6);
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (const wake of waiting.splice(0)) wake();
  assert.equal((await result).kind, 'cosigned');
  clock.pass(60_000);
  await witness.reload();
  assert.ok((await add(witness, 6, 7)).kind === 'silent');
  assert.equal(witness.spent(), true);
});

async function peerKeys(): Promise<Vkey[]> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-peer-'));
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));
  return initFolder(join(folder, 'peer'), 'witness.example/slow', { ed25519: new Uint8Array(32).fill(9) });
}

async function ownKeys(folder: string): Promise<Vkey[]> {
  return [parseSigningKey((await readFile(layout.key(folder), 'utf8')).trimEnd()).vkey];
}

/** What the copy's own state says: size 5. */
async function readLatest(copy: string): Promise<string> {
  const witness = await serveFolder(copy);
  const note = await (await fetch(`${witness.url}/${originHash(log.origin)}/checkpoint`)).text();
  await witness.close();
  return note;
}

test('live: folder copied, witness advanced, copy put back: `serve` signs nothing and ends with status 1', async () => {
  const root = await mkdtemp(join(tmpdir(), 'stele-live-'));
  cleanUp.push(() => rm(root, { recursive: true, force: true }));
  const north = join(root, 'north');
  const south = join(root, 'south');
  const northKeys = await initFolder(north, 'witness.example/north', { ed25519: new Uint8Array(32).fill(1) });
  const southKeys = await initFolder(south, 'witness.example/south', { ed25519: new Uint8Array(32).fill(2) });
  await addLog(north, log.vkey);
  await addLog(south, log.vkey);
  const start = async (folder: string): Promise<{ child: Child; url: string }> => {
    const child = startScript('witness/main', ['serve', '--folder', folder, '--listen', '127.0.0.1:0']);
    cleanUp.push(async () => {
      child.process.kill('SIGKILL');
      await child.ended;
    });
    return { child, url: await child.firstLine };
  };
  const stop = async ({ child }: { child: Child }): Promise<number | string> => {
    child.process.kill('SIGTERM');
    return child.ended;
  };
  await addPeer(south, northKeys, { url: 'http://127.0.0.1:1' });
  const other = await start(south);
  await addPeer(north, southKeys, { url: other.url });

  const first = await start(north);
  assert.equal((await add({ url: first.url, vkeys: northKeys }, 0, 5)).kind, 'cosigned');
  assert.equal(await stop(first), 0);
  await cp(north, join(root, 'backup'), { recursive: true });
  const second = await start(north);
  assert.equal((await add({ url: second.url, vkeys: northKeys }, 5, 9)).kind, 'cosigned');
  // It tells its peer what it cosigned.
  const nameHash = originHash('witness.example/north');
  const seen = `${other.url}/seen/${nameHash}/${originHash(log.origin)}/checkpoint`;
  while (!(await (await fetch(seen)).text()).includes('\n9\n')) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  second.child.process.kill('SIGKILL');
  await second.child.ended;
  await rm(north, { recursive: true });
  await cp(join(root, 'backup'), north, { recursive: true });

  const restored = await start(north);
  const result = await add({ url: restored.url, vkeys: northKeys }, 5, 6);
  assert.equal(result.kind, 'silent', JSON.stringify(result));
  assert.equal((await fetch(`${restored.url}/healthz`)).status, 503);
  assert.equal(await stop(restored), 1);
  assert.match(restored.child.stderr(), /"event":"restored-backup"/);
  // Nor after a restart, with nobody left to ask.
  await stop(other);
  const alone = await start(north);
  assert.equal((await add({ url: alone.url, vkeys: northKeys }, 5, 6)).kind, 'silent');
  assert.equal(await stop(alone), 1);
});
