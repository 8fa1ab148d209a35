// What gossip makes of what others show, with a network and a disk that the test owns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareCheckpoints, verifyEvidence } from '../../evidence/index.js';
import {
  formatCheckpoint,
  formatNote,
  formatVkey,
  newSigningKey,
  parseNote,
  signNote,
  signNoteLine,
  type SigningKey,
  type Vkey,
} from '../../tlog/index.js';
import type { GossipLog, Reconciled } from '../../witness/index.js';
import { SigningLog, tilesOf } from '../helpers/signing-log.js';
import { addSignature, cosignerKey } from './keys.js';
import { World, type Node } from './world.js';

const STRANGER = { kind: 'stranger' } as const;
const log = new SigningLog();
/** The same key, another history from leaf 300 on. */
const fork = new SigningLog(log.origin, 'forged', 300);
const watched: GossipLog = { origin: log.origin, keys: [log.vkey] };

async function one(options?: Parameters<World['node']>[2]): Promise<{ world: World; node: Node }> {
  const world = new World();
  return { world, node: await world.node('w1.example', [watched], options) };
}

/** Whom the evidence of this witness convicts, by the keys of a reader. */
function convicted(node: Node, witnesses: readonly Vkey[] = []): string[] {
  const keys = { logs: [{ vkey: log.vkey }], witnesses: witnesses.map((vkey) => ({ vkey })) };
  return [...node.store.evidence.values()]
    .flatMap((bytes) => verifyEvidence(bytes, keys).convicted.map(({ name }) => name))
    .sort();
}

test('a smaller tree is lag, a larger one is learnt, and neither moves what was cosigned', async () => {
  const { node } = await one({ source: tilesOf(log, () => 700) });
  node.cosign(log.note(400));
  assert.deepEqual(await node.gossip.observe(log.note(350), STRANGER), { kind: 'consistent' });
  assert.deepEqual(await node.gossip.observe(log.note(600), STRANGER), { kind: 'consistent' });
  const { size, largestKnown, lag, alarms } = node.status;
  assert.deepEqual(
    { size, largestKnown, lag, alarms },
    { size: 400, largestKnown: 600, lag: 200, alarms: [] },
  );
});

test('two trees of one size convict at once, and the file is verified by a stranger', async () => {
  const { node } = await one();
  node.cosign(log.note(400));
  const outcome = await node.gossip.observe(fork.note(400), STRANGER);
  assert.equal(outcome.kind, 'contradiction');
  assert.deepEqual(convicted(node), [log.origin]);
  assert.deepEqual([...node.gossip.convictedKeys(log.origin)], [formatVkey(log.vkey)]);
});

test('a fork of another size convicts, by tiles kept before the address served the other history', async () => {
  const { node } = await one({ source: tilesOf(log, () => 700) });
  node.cosign(log.note(700));
  await node.gossip.idle();
  node.source = tilesOf(fork, () => 800);
  const outcome = await node.gossip.observe(fork.note(500), STRANGER);
  assert.equal(outcome.kind, 'contradiction');
  assert.deepEqual(convicted(node), [log.origin]);
});

test('a larger fork convicts by the tiles that its log serves', async () => {
  const { node } = await one({ source: tilesOf(fork, () => 800) });
  node.cosign(log.note(400));
  assert.equal((await node.gossip.observe(fork.note(800), STRANGER)).kind, 'contradiction');
  assert.deepEqual(convicted(node), [log.origin]);
  assert.equal(node.status.size, 400);
});

test('without tiles it is an alarm with its age, until a peer that vouches pays', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched]);
  const far = await world.node('w2.example', [watched], { source: tilesOf(fork, () => 800) });
  near.cosign(log.note(400));
  far.cosign(fork.note(800));
  await far.gossip.idle();
  await world.meet(near, far);
  const pays = far.manners;
  far.manners = { owed: () => Promise.resolve(undefined) };
  await near.gossip.round();
  const since = world.now;
  assert.deepEqual(
    near.status.alarms.map(({ kind }) => kind),
    ['unproven'],
  );
  world.now += 60_000;
  await near.gossip.round();
  assert.equal(near.status.alarms[0]?.since, since);
  assert.equal(near.store.evidence.size, 0);
  far.manners = pays;
  await near.gossip.round();
  assert.deepEqual(convicted(near), [log.origin]);
  assert.deepEqual(near.status.alarms, []);
});

test('a peer that pays with lies convicts nobody and moves nothing', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched]);
  const far = await world.node('w2.example', [watched]);
  near.cosign(log.note(400));
  far.cosign(log.note(800));
  await world.meet(near, far);
  for (const [oldRoot, proof] of [
    [fork.root(400), await fork.proof(400, 800)],
    [fork.root(400), await log.proof(400, 800)],
    [log.root(400), []],
    [new Uint8Array(3), []],
  ] as const) {
    far.manners = { owed: () => Promise.resolve({ oldRoot, proof }) };
    await near.gossip.round();
    assert.equal(near.store.evidence.size, 0);
    assert.equal(near.status.largestKnown, 400);
    assert.equal(near.status.alarms.length, 1);
  }
  far.manners = {
    owed: async (from, to) => ({ oldRoot: log.root(from), proof: await log.proof(from, to) }),
  };
  await near.gossip.round();
  assert.equal(near.status.largestKnown, 800);
  assert.deepEqual(near.status.alarms, []);
});

test('four witnesses behind two partitions, healed: convicted by the second round, by all of them', async () => {
  const world = new World();
  const sides = [log, log, fork, fork];
  const nodes: Node[] = [];
  for (const [i, side] of sides.entries()) {
    nodes.push(await world.node(`w${i}.example`, [watched], { source: tilesOf(side, () => 700 + 50 * i) }));
  }
  const half = (name: string): boolean => name < 'w2';
  world.cut = (from, to) => half(from) !== half(to);
  await world.meet(...nodes);
  for (const [i, node] of nodes.entries()) node.cosign((sides[i] ?? log).note(700 + 50 * i));
  await world.round();
  await world.round();
  for (const node of nodes) {
    assert.equal(node.store.evidence.size, 0);
    assert.equal(node.gossip.status().peers.filter(({ failures }) => failures > 0).length, 2);
  }
  world.cut = () => false;
  const before = nodes.map((node) => node.gossip.status().rounds);
  await world.round();
  await world.round();
  for (const [i, node] of nodes.entries()) {
    assert.ok(node.gossip.status().rounds <= (before[i] ?? 0) + 2);
    assert.deepEqual(convicted(node), [log.origin], node.name);
  }
});

test('a witness that cosigned both histories is convicted as well; honest ones never', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched], { source: tilesOf(log, () => 900) });
  const far = await world.node('w2.example', [watched], { source: tilesOf(fork, () => 900) });
  const liar = await world.node('w3.example', [watched]);
  near.cosign(log.note(600));
  far.cosign(fork.note(700));
  await near.gossip.idle();
  await far.gossip.idle();
  await world.meet(near, far, liar);
  // To each it shows what it wants to see: an earlier tree of this side, a later one of that.
  liar.cosign(log.note(500));
  await near.gossip.round();
  const both = addSignature(addSignature(fork.note(650), liar.key, 5), far.key, 5);
  await near.gossip.observe(both, STRANGER);
  const witnesses = [near.vkey, far.vkey, liar.vkey];
  assert.deepEqual(convicted(near, witnesses), [log.origin, liar.name]);
  await world.round();
  await world.round();
  for (const node of [near, far]) assert.deepEqual(convicted(node, witnesses), [log.origin, liar.name]);
});

test('a witness is convicted that cosigned the very tree that we did, and another', async () => {
  for (const size of [600, 650]) {
    const world = new World();
    const near = await world.node('w1.example', [watched], { source: tilesOf(log, () => 900) });
    const far = await world.node('w2.example', [watched], { source: tilesOf(fork, () => 900) });
    const liar = await world.node('w3.example', [watched]);
    near.cosign(log.note(600));
    far.cosign(fork.note(size));
    await near.gossip.idle();
    await far.gossip.idle();
    await world.meet(near, far, liar);
    liar.cosign(log.note(600));
    await near.gossip.round();
    const both = addSignature(addSignature(fork.note(size), liar.key, 5), far.key, 5);
    await near.gossip.observe(both, STRANGER);
    await near.gossip.idle();
    assert.deepEqual(convicted(near, [near.vkey, far.vkey, liar.vkey]), [log.origin, liar.name], `${size}`);
  }
});

test('notes by nobody we know, forged lines, other logs, garbage: refused, and they spoil nothing', async () => {
  const { node } = await one({ source: tilesOf(log, () => 700) });
  node.cosign(log.note(400));
  const observe = async (note: Uint8Array): Promise<Reconciled['kind']> =>
    (await node.gossip.observe(note, STRANGER)).kind;
  const stranger = cosignerKey('stranger.example');
  const forged = { ...log.key, secret: new Uint8Array(32).fill(3) };
  assert.equal(await observe(signNote(fork.text(400), [stranger], 5)), 'untrusted');
  assert.equal(await observe(new SigningLog('other.example').note(400)), 'unknown-origin');
  assert.equal(await observe(new Uint8Array(10)), 'malformed');
  assert.equal(await observe(new Uint8Array(200_000)), 'malformed');
  // A line of the log's key over another text.
  const [line = ''] = new TextDecoder().decode(log.note(400)).split('\n').slice(-2);
  const moved = new TextEncoder().encode(`${fork.text(400)}\n${line}\n`);
  assert.equal(await observe(moved), 'untrusted');
  assert.equal(await observe(signNote(fork.text(400), [forged])), 'untrusted');
  // Before and after good lines they are left aside.
  const text = new TextDecoder().decode(log.note(500));
  const good = text.split('\n').slice(-2)[0] ?? '';
  const mixed = new TextEncoder().encode(`${log.text(500)}\n${line}\n${good}\n${line}\n`);
  assert.equal(await observe(mixed), 'consistent');
  assert.equal(node.status.largestKnown, 500);
  assert.equal(node.store.evidence.size, 0);
  assert.deepEqual(node.status.alarms, []);
});

test('a tree of size 0 with a root convicts by itself; with its own root it is nothing', async () => {
  const { node } = await one();
  node.cosign(log.note(400));
  assert.deepEqual(await node.gossip.observe(log.note(0), STRANGER), { kind: 'consistent' });
  assert.equal((await node.gossip.observe(log.note(0, log.root(1)), STRANGER)).kind, 'contradiction');
  assert.deepEqual(convicted(node), [log.origin]);
});

test('a tree of 2^53 - 1 leaves costs few tiles, displaces nothing and stays an alarm', async () => {
  const { world, node } = await one({ source: tilesOf(log, () => 700) });
  node.cosign(log.note(400));
  await node.gossip.idle();
  const before = world.asked.get('tile') ?? 0;
  const huge = log.note(Number.MAX_SAFE_INTEGER, log.root(7));
  assert.equal((await node.gossip.observe(huge, STRANGER)).kind, 'open');
  assert.ok((world.asked.get('tile') ?? 0) - before <= 64);
  assert.equal(node.status.largestKnown, 400);
  assert.deepEqual(await node.gossip.observe(log.note(600), STRANGER), { kind: 'consistent' });
  assert.equal(node.status.largestKnown, 600);
  assert.deepEqual(
    node.status.alarms.map(({ kind }) => kind),
    ['unproven'],
  );
});

test('what came first does not count more than what we cosign', async () => {
  const { node } = await one({ source: tilesOf(log, () => 700) });
  await node.gossip.observe(log.note(Number.MAX_SAFE_INTEGER, log.root(7)), STRANGER);
  node.cosign(log.note(400));
  await node.gossip.idle();
  assert.equal(node.status.largestKnown, 400);
  assert.deepEqual(await node.gossip.observe(log.note(600), STRANGER), { kind: 'consistent' });
  assert.equal(node.status.largestKnown, 600);
});

test('a liar makes endless valid files; one is kept', async () => {
  const { node } = await one();
  node.cosign(log.note(400));
  for (let i = 0; i < 20; i++) await node.gossip.observe(log.note(400, log.root(i + 1)), STRANGER);
  await node.gossip.observe(log.note(0, log.root(1)), STRANGER);
  assert.equal(node.store.evidence.size, 1);
  const other = await one();
  other.node.cosign(log.note(300));
  await other.node.gossip.observe(log.note(300, log.root(2)), STRANGER);
  for (const bytes of other.node.store.evidence.values()) {
    assert.equal((await node.gossip.takeEvidence(bytes)).kind, 'known');
  }
  assert.equal(node.store.evidence.size, 1);
});

test('alarms that flood are bounded, and never push out what a peer showed', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched]);
  const far = await world.node('w2.example', [watched]);
  near.cosign(log.note(400));
  far.cosign(fork.note(777));
  await world.meet(near, far);
  await near.gossip.round();
  for (let i = 0; i < 100; i++) {
    const outcome = await near.gossip.observe(log.note(10_000 + i, log.root(i + 1)), STRANGER);
    assert.equal(outcome.kind, 'open');
  }
  assert.ok(near.status.alarms.length <= 40);
  assert.ok(near.status.dropped >= 60);
  assert.ok(near.status.alarms.some(({ detail }) => detail.includes('size 777')));
});

test('whoever repeats himself has nothing looked up again before the next round', async () => {
  const { world, node } = await one({ source: tilesOf(log, () => 700) });
  node.cosign(log.note(400));
  await node.gossip.idle();
  const huge = log.note(5000, log.root(7));
  await node.gossip.observe(huge, STRANGER);
  const before = world.asked.get('tile');
  for (let i = 0; i < 10; i++) await node.gossip.observe(huge, STRANGER);
  assert.equal(world.asked.get('tile'), before);
  // The round in which it was looked into ends; the next one looks again.
  await node.gossip.round();
  assert.equal(world.asked.get('tile'), before);
  await node.gossip.round();
  assert.ok((world.asked.get('tile') ?? 0) > (before ?? 0));
});

test('a peer that hangs or fails delays no other, and is said to', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched], { source: tilesOf(log, () => 700) });
  const hanging = await world.node('w2.example', [watched], {
    manners: { latest: () => new Promise(() => undefined) },
  });
  const rubbish = await world.node('w3.example', [watched], {
    manners: { latest: () => Promise.resolve(new Uint8Array(100).fill(65)) },
  });
  const failing = await world.node('w4.example', [watched], {
    manners: { latest: () => Promise.reject(new Error('redirected')) },
  });
  const good = await world.node('w5.example', [watched]);
  near.cosign(log.note(400));
  good.cosign(log.note(600));
  await world.meet(near, hanging, rubbish, failing, good);
  void near.gossip.pull(hanging.name);
  await near.gossip.pull(rubbish.name);
  await near.gossip.pull(good.name);
  await near.gossip.pull(failing.name);
  assert.equal(near.status.largestKnown, 600);
  const { peers } = near.gossip.status();
  const reasons = peers.map(({ failing: reason }) => reason);
  assert.equal(reasons[0], undefined, 'not known yet');
  assert.match(reasons[1] ?? '', /malformed/);
  assert.equal(reasons[2], 'redirected');
  assert.equal(reasons[3], undefined);
});

test('news goes to peers that speak gossip: they learn it without asking', async () => {
  const world = new World();
  const source = tilesOf(log, () => 900);
  const near = await world.node('w1.example', [watched], { source });
  const far = await world.node('w2.example', [watched], { source });
  const mute = await world.node('w3.example', [watched], { source, c2sp: true });
  await world.meet(near, far, mute);
  const quiet = async (): Promise<void> => {
    // What one is told it may pass on.
    for (let i = 0; i < 3; i++) for (const node of world.nodes.values()) await node.gossip.idle();
  };
  far.cosign(log.note(400));
  await quiet();
  near.cosign(log.note(600));
  await quiet();
  assert.equal(far.status.largestKnown, 600, 'what a peer cosigned');
  assert.deepEqual(
    far.status.peers.map(({ name, size }) => [name, size]),
    [[near.name, 600]],
  );
  assert.deepEqual(await near.gossip.observe(log.note(700), STRANGER), { kind: 'consistent' });
  await quiet();
  assert.deepEqual([near.status.size, near.status.largestKnown], [600, 700]);
  assert.equal(far.status.largestKnown, 700, 'what a peer has learnt');
  assert.equal(far.status.size, 400, 'it moves nothing');
  assert.equal(mute.status.largestKnown, 0, 'who does not speak gossip is told nothing');
  // Nobody had a round, and nobody was asked.
  for (const node of world.nodes.values()) assert.equal(node.gossip.status().rounds, 0);
  assert.equal(world.asked.get('latest'), undefined);
  // The same again is no news.
  const told = world.asked.get('push');
  near.gossip.cosigned(log.origin);
  await quiet();
  assert.equal(world.asked.get('push'), told);
});

test('what is known survives a restart: tree, ages, convictions', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched], { source: tilesOf(log, () => 700) });
  near.cosign(log.note(400));
  await near.gossip.observe(log.note(600), STRANGER);
  await near.gossip.observe(log.note(5000, log.root(7)), STRANGER);
  await near.gossip.idle();
  const before = near.status;
  world.now += 3_600_000;
  await near.start(near.logs, []);
  assert.deepEqual(near.status, before);
  await near.gossip.observe(fork.note(600), STRANGER);
  await near.start(near.logs, []);
  assert.equal(near.gossip.convictedKeys(log.origin).size, 1);
  // A state that is no state is nothing but forgotten.
  near.store.states.set(log.origin, new Uint8Array([1, 2, 3]));
  await near.start(near.logs, []);
  assert.equal(near.status.largestKnown, 400);
  assert.equal(near.gossip.convictedKeys(log.origin).size, 1);
});

test('tiles kept are bounded, and suffice for trees since', async () => {
  const big = new SigningLog('log.example/big');
  const { node } = await one({ source: tilesOf(big, () => 90_000) });
  await node.start([{ origin: big.origin, keys: [big.vkey] }], []);
  for (let size = 1000; size <= 90_000; size += 8900) {
    node.cosign(big.note(size));
    await node.gossip.idle();
  }
  // Of 351 full tiles of level 0 the last 256, one of level 1, and three partial ones.
  assert.equal(node.store.tiles.size, 256 + 1 + 3);
  node.source = undefined;
  assert.deepEqual(await node.gossip.observe(big.note(60_123), STRANGER), { kind: 'consistent' });
  const owed = await node.gossip.consistency(big.origin, 61_000, 80_123);
  assert.deepEqual(owed, { oldRoot: big.root(61_000), proof: await big.proof(61_000, 80_123) });
});

test('a witness that lies about endless logs nobody watches fills no disk; about ours it is convicted as ever', async () => {
  const world = new World();
  const node = await world.node('w1.example', [watched]);
  const liar = await world.node('w2.example', [watched]);
  await world.meet(node, liar);
  const keys = { logs: [], witnesses: [{ vkey: liar.vkey }] };
  const lie = async (origin: string): Promise<Uint8Array> => {
    const note = (root: number): Uint8Array => {
      const text = formatCheckpoint({ origin, size: 9, rootHash: log.root(root), extensions: [] });
      return formatNote({ text, signatures: [{ line: signNoteLine(text, liar.key, 1_700_000_000) }] });
    };
    const [made] = (await compareCheckpoints([note(1), note(2)], keys)).evidence;
    assert.ok(made);
    return made.bytes;
  };
  for (let i = 0; i < 20; i++) await node.gossip.takeEvidence(await lie(`nobody-watches-${i}.example`));
  assert.equal(node.store.evidence.size, 1);
  assert.equal((await node.gossip.takeEvidence(await lie(log.origin))).kind, 'stored');
  assert.equal(node.store.evidence.size, 2);
});

test('whoever shows the same tree in other words first keeps no signature of its log from convicting', async () => {
  const { world, node } = await one();
  const helper = await world.node('w2.example', [watched]);
  await node.start([watched], [helper.peer]);
  node.cosign(log.note(700));
  // The log's accomplice: the tree of its fork, in a text that the log never signed.
  const text = `${parseNote(fork.note(500)).text}other words\n`;
  const line = signNoteLine(text, helper.key, 1_700_000_000);
  const decoy = formatNote({ text, signatures: [{ line }] });
  assert.equal((await node.gossip.observe(decoy, STRANGER)).kind, 'open');
  assert.equal((await node.gossip.observe(fork.note(500), { kind: 'peer', name: helper.name })).kind, 'open');
  // The same words by the same key again, and others by it, are no news.
  assert.equal((await node.gossip.observe(decoy, STRANGER)).kind, 'open');
  assert.ok(node.status.alarms.filter(({ kind }) => kind === 'unproven').length <= 2);
  node.source = tilesOf(log, () => 700);
  for (let i = 0; i < 3; i++) await node.gossip.round();
  await node.gossip.idle();
  assert.deepEqual(convicted(node), [log.origin]);
  assert.ok(node.status.alarms.every(({ kind }) => kind !== 'unproven'));
});

test('of a flood only what has kept its place is looked into, while tiles are slow', async () => {
  const { world, node } = await one({ source: tilesOf(log, () => 700) });
  node.cosign(log.note(700));
  await node.gossip.idle();
  const { source } = node;
  assert.ok(source);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  node.source = { ...source, tile: (tile) => held.then(() => source.tile(tile)) };
  const before = world.asked.get('tile') ?? 0;
  const looks = Array.from({ length: 300 }, (_, i) =>
    node.gossip.observe(log.note(10_000 + i, log.root(i + 1)), STRANGER),
  );
  await new Promise((resolve) => setImmediate(resolve));
  release();
  for (const { kind } of await Promise.all(looks)) assert.equal(kind, 'open');
  const asked = (world.asked.get('tile') ?? 0) - before;
  assert.ok(asked > 0 && asked <= 300, `${asked} tiles`);
  assert.ok(node.status.dropped >= 260);
});

/** So many lines under this key's name and ID that it never made, each another one, of a time later than all. */
function forgedLines({ vkey }: SigningKey, count: number): { line: string }[] {
  return Array.from({ length: count }, (_, i) => {
    const time = vkey.type === 1 ? 0 : 8;
    const bytes = Buffer.alloc(4 + time + (vkey.type === 6 ? 2420 : 64), i + 1);
    bytes.writeUInt32BE(vkey.keyId, 0);
    if (time > 0) bytes.writeBigUInt64BE(2_000_000_000n, 4);
    return { line: `— ${vkey.name} ${bytes.toString('base64')}\n` };
  });
}

/** The note with forged lines before its own. */
function hidden(note: Uint8Array, key: SigningKey, count: number): Uint8Array {
  const { text, signatures } = parseNote(note);
  return formatNote({ text, signatures: [...forgedLines(key, count), ...signatures] });
}

test('no number of forged lines before a good one hides it, of a log or of a witness', async () => {
  const { node } = await one();
  node.cosign(log.note(400));
  assert.equal(
    (await node.gossip.observe(hidden(fork.note(400), log.key, 127), STRANGER)).kind,
    'contradiction',
  );
  assert.deepEqual(convicted(node), [log.origin]);

  const other = await one({ source: tilesOf(log, () => 700) });
  const pq = newSigningKey('w2.example', 6, new Uint8Array(32).fill(9));
  await other.node.start([watched], [{ name: 'w2.example', vkeys: [pq.vkey], gossip: true }]);
  other.node.cosign(log.note(400));
  const line = signNoteLine(log.text(600), pq, 1_700_000_000);
  const note = formatNote({ text: log.text(600), signatures: [{ line }] });
  assert.deepEqual(await other.node.gossip.observe(hidden(note, pq, 30), { kind: 'log' }), {
    kind: 'consistent',
  });
  assert.deepEqual(
    other.node.status.peers.map(({ name, size }) => [name, size]),
    [['w2.example', 600]],
  );
});

test('whoever shows forged lines without end pays from his own share, until the next round', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched], { source: tilesOf(log, () => 700) });
  const liar = await world.node('w2.example', [watched]);
  const good = await world.node('w3.example', [watched]);
  await world.meet(near, liar, good);
  near.cosign(log.note(700));
  await near.gossip.idle();
  const shown = async (node: Node, size: number): Promise<Reconciled['kind']> =>
    (await near.gossip.observe(hidden(log.note(size), log.key, 127), { kind: 'peer', name: node.name })).kind;
  const outcomes: string[] = [];
  for (let size = 500; size < 525; size++) outcomes.push(await shown(liar, size));
  assert.equal(outcomes[0], 'consistent');
  assert.equal(outcomes.at(-1), 'open');
  // Nobody else's is spent: of another peer's notes, the log's and strangers' all is read.
  assert.equal(await shown(good, 530), 'consistent');
  assert.equal((await near.gossip.observe(hidden(log.note(531), log.key, 127), STRANGER)).kind, 'consistent');
  assert.equal(
    (await near.gossip.observe(log.note(532), { kind: 'peer', name: liar.name })).kind,
    'consistent',
  );

  // What a pull could not read to the end is not taken for read: the next round does.
  const known = (): number | undefined => near.status.peers.find(({ name }) => name === liar.name)?.size;
  liar.manners = {
    latest: () => {
      const { text, signatures } = parseNote(addSignature(log.note(640), liar.key, 1_700_000_000));
      const forged = forgedLines(liar.key, 126);
      return Promise.resolve(formatNote({ text, signatures: [...forged, ...signatures] }));
    },
  };
  await near.gossip.pull(liar.name);
  assert.equal(known(), 0);
  await near.gossip.retry();
  await near.gossip.pull(liar.name);
  assert.equal(known(), 640);
});

test('a witness that signs endless trees pushes nobody else’s alarm out, nor the first of its own', async () => {
  const world = new World();
  const near = await world.node('w1.example', [watched], { source: tilesOf(log, () => 700) });
  const [liar, other] = ['w2.example', 'w3.example'].map(cosignerKey) as [SigningKey, SigningKey];
  await near.start(
    [watched],
    [liar, other].map(({ vkey }) => ({ name: vkey.name, vkeys: [vkey], gossip: true })),
  );
  near.cosign(log.note(700));
  await near.gossip.idle();
  const signs = (key: SigningKey, size: number): Promise<Reconciled> => {
    const text = log.text(size, log.root(size + 1));
    const line = signNoteLine(text, key, 1_700_000_000);
    return near.gossip.observe(formatNote({ text, signatures: [{ line }] }), STRANGER);
  };
  assert.equal((await signs(other, 600)).kind, 'contradiction');
  const since = world.now;
  for (let size = 500; size < 600; size++) {
    world.now += 1000;
    assert.equal((await signs(liar, size)).kind, 'contradiction');
  }
  const sizes = (): (string | undefined)[] =>
    near.status.alarms.map(({ detail }) => /^size (\d+)/.exec(detail)?.[1]);
  assert.equal(near.status.alarms.length, 64);
  assert.deepEqual([sizes()[0], near.status.alarms[0]?.since], ['600', since]);
  assert.deepEqual([sizes()[1], sizes().at(-1)], ['500', '599']);
  assert.equal(near.status.dropped, 101 - 64);
  // Over a restart too.
  await near.gossip.idle();
  await near.start(
    near.logs,
    [liar, other].map(({ vkey }) => ({ name: vkey.name, vkeys: [vkey], gossip: true })),
  );
  assert.equal((await signs(liar, 499)).kind, 'contradiction');
  assert.deepEqual([sizes()[0], sizes()[1], sizes().at(-1)], ['600', '500', '499']);
  assert.equal(near.status.dropped, 102 - 64);
});
