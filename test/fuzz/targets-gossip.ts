import assert from 'node:assert/strict';
import { parsePage } from '../../cli/log-search.js';
import { StateLimitError } from '../../cli/record/state-scanner.js';
import { parseTrainerState } from '../../cli/record/trainer-state.js';
import { readClaim, type Fetch } from '../../client/index.js';
import { concatBytes, decodeUtf8, encodeHex, encodeUtf8, sha256, SteleError } from '../../tlog/index.js';
import { openHead, readNote, treeKey, type Head } from '../../witness/gossip/head.js';
import { httpNetwork } from '../../witness/gossip/http-network.js';
import { formatOwed, parseOwed } from '../../witness/gossip/owed.js';
import { Watched } from '../../witness/gossip/watched.js';
import { beginning, formatGroup, formatJournal, parseJournal } from '../../witness/journal-file.js';
import { formatStateLine, initialState, nextState, type LogState } from '../../witness/state-file.js';
import { addSignature, cosignerKey } from '../gossip/keys.js';
import { MemoryStore, World } from '../gossip/world.js';
import { SigningLog, tilesOf } from '../helpers/signing-log.js';
import { stateText } from '../record/trainer.js';
import type { FuzzTarget } from './target.js';

const log = new SigningLog();
const fork = new SigningLog(log.origin, 'forged', 3);
const peer = cosignerKey('peer.example');
const keys = { logs: [log.vkey], witnesses: [peer.vkey] };
const cosigned = (note: Uint8Array): Uint8Array => addSignature(note, peer, 1_700_000_000);
const bad = log.note(0, new Uint8Array(32).fill(1));
/** What the log, or the peer, ever signed; tiles there are up to size 12. */
const notes = [
  ...[0, 5, 7, 12, 20].map((size) => log.note(size)),
  ...[5, 7, 9].map((size) => fork.note(size)),
  bad,
  cosigned(log.note(12)),
  cosigned(fork.note(9)),
];

/** A refusal, for the fuzzer to tell from others. */
function refuse(code: string): never {
  throw new SteleError(code, 'refused');
}

/** An exchange that is answered with these bytes. */
const answered =
  (bytes: Uint8Array): Fetch =>
  () =>
    Promise.resolve(new Response(Uint8Array.from(bytes)));

const owed: FuzzTarget = {
  name: 'gossip: what a peer owes',
  seeds: await Promise.all(
    [5, 7, 12].map(async (size) =>
      encodeUtf8(formatOwed({ oldRoot: log.root(size), proof: await log.proof(size, 12) })),
    ),
  ),
  run(bytes) {
    assert.equal(formatOwed(parseOwed(bytes)), decodeUtf8(bytes));
  },
};

const hashes = [1, 2, 3].map((byte) => encodeHex(sha256(Uint8Array.of(byte))));
const listOf = (bytes: Uint8Array): Promise<readonly string[]> =>
  httpNetwork({ fetch: answered(bytes) }).evidenceList({
    name: peer.name,
    vkeys: [peer.vkey],
    url: 'http://peer.example',
    gossip: true,
  });

/** Names become part of an address: they are hashes, whatever the peer says. */
const evidenceList: FuzzTarget = {
  name: "gossip: a peer's list of evidence",
  seeds: [encodeUtf8(`${hashes.join('\n')}\n`), encodeUtf8(`${hashes[0] ?? ''}\n`)],
  iterations: 1000,
  async run(bytes) {
    const list = await listOf(bytes);
    for (const name of list) assert.match(name, /^[0-9a-f]{64}$/);
    assert.deepEqual(await listOf(encodeUtf8(list.map((name) => `${name}\n`).join(''))), list);
  },
};

function opened(note: Uint8Array): Head {
  const head = openHead(readNote(note), keys);
  if (head === undefined) throw new Error('expected a note by a known key');
  return head;
}

const signed = new Set(notes.map((note) => treeKey(opened(note))));
const watched = (): Watched => new Watched({ origin: log.origin, keys: keys.logs }, new MemoryStore());

function full(): Watched {
  const w = watched();
  w.base = opened(cosigned(log.note(12)));
  const from = { kind: 'peer', name: peer.name } as const;
  w.open.add(opened(fork.note(9)), from, 1_700_000_000_000, () => 0);
  w.open.add(opened(log.note(20)), { kind: 'stranger' }, 1_700_000_000_000, () => 0);
  Object.assign(w.seenOf(peer.name), { size: 12, timestamp: 1_700_000_000, ours: w.base, wentBack: 5 });
  w.alarm('5/ab', peer.name, { kind: 'contradiction', since: 1_700_000_000_000, detail: 'another root' });
  w.noTiles = { kind: 'no-tiles', since: 1_700_000_000_000, detail: 'not found' };
  w.open.dropped = 3;
  return w;
}

/** The first line of a saved state. */
const lineOf = (w: Watched): string => decodeUtf8(w.format()).split('\n', 1)[0] ?? '';
const lines = [lineOf(watched()), lineOf(full())];

function restored(line: Uint8Array): Watched {
  const content = concatBytes(line, encodeUtf8('\n'));
  const w = watched();
  const check = encodeUtf8(`sha256 ${encodeHex(sha256(content))}\n`);
  return w.restore(concatBytes(content, check), keys) ? w : refuse('not_restored');
}

/** The line of a saved state, under a checksum that is right: not even then is a tree believed that nobody signed. */
const saved: FuzzTarget = {
  name: 'gossip: saved states',
  seeds: lines.map((line) => encodeUtf8(line)),
  iterations: 1000,
  run(bytes) {
    const first = restored(bytes);
    const heads = [first.base, ...first.open.all().map(({ head }) => head)];
    for (const { ours } of first.seen.values()) heads.push(ours);
    for (const head of heads) assert.ok(head === undefined || signed.has(treeKey(head)));
    const text = decodeUtf8(bytes);
    if (lines.includes(text)) assert.equal(lineOf(first), text);
    // Numbers beyond JSON's become null at the first writing.
    const second = restored(encodeUtf8(lineOf(first)));
    assert.equal(lineOf(restored(encodeUtf8(lineOf(second)))), lineOf(second));
  },
};

/** A witness that has cosigned size 7 is shown what anybody may send. Only what is the log's own is consistent. */
const take: FuzzTarget = {
  name: 'gossip: notes at the doors',
  seeds: notes,
  iterations: 400,
  async run(bytes) {
    const node = await new World().node('self.example', [], { source: tilesOf(log, () => 12) });
    await node.start(
      [{ origin: log.origin, keys: keys.logs, url: 'http://log.example' }],
      [{ name: peer.name, vkeys: [peer.vkey], gossip: true }],
    );
    node.cosign(log.note(7));
    await node.gossip.idle();
    const { settled } = await node.gossip.take(bytes, { kind: 'stranger' });
    const { kind } = await settled;
    await node.gossip.idle();
    assert.equal(node.status.size, 7);
    for (const { convicted } of node.gossip.evidenceList())
      for (const key of convicted)
        assert.ok(key.startsWith(`${log.origin}+`), 'a key that signed one history');
    if (kind === 'malformed' || kind === 'unknown-origin' || kind === 'untrusted') return refuse(kind);
    const head = opened(bytes);
    assert.ok(signed.has(treeKey(head)), 'a tree that nobody signed');
    const ours =
      head.size <= 20 && treeKey(head) === treeKey({ size: head.size, rootHash: log.root(head.size) });
    if (kind === 'consistent') assert.ok(ours, 'another history was taken for the log’s');
    if (kind === 'contradiction') assert.ok(!ours, 'the log’s own history was contradicted');
  },
};

/** The states of a log after each of these notes. */
function statesOf(origin: string, shown: readonly Uint8Array[]): LogState[] {
  const states = [initialState(origin)];
  for (const note of shown)
    states.push(nextState(states.at(-1) ?? initialState(origin), 1_700_000_000, decodeUtf8(note)));
  return states;
}

const other = new SigningLog('log.example/other');
const [a0, a1, a2] = statesOf(log.origin, [cosigned(log.note(5)), log.note(12)]) as [
  LogState,
  LogState,
  LogState,
];
const [b0, b1] = statesOf(other.origin, [other.note(3)]) as [LogState, LogState];

function journalOf(first: readonly LogState[], ...groups: (readonly LogState[])[]): Uint8Array {
  const { bytes, checksum, end } = formatJournal(first, 4 * 4096);
  let [before, at] = [checksum, end];
  for (const [i, states] of groups.entries()) {
    const group = formatGroup(i + 1, before, states);
    bytes.set(group.bytes, at);
    [before, at] = [group.checksum, at + group.bytes.length];
  }
  return bytes;
}

const journals = [journalOf([]), journalOf([a0, b0], [a1], [a2, b1], []), journalOf([a1], [a2])];
const written = new Set([a0, a1, a2, b0, b1].map(formatStateLine));

/** The file itself: whatever a disk makes of it, no state is read that was never written. */
const journal: FuzzTarget = {
  name: 'witness: journals',
  seeds: journals,
  iterations: 1000,
  run(bytes) {
    for (const state of parseJournal(bytes, 'f').values()) assert.ok(written.has(formatStateLine(state)));
  },
};

const groups = [[a0, b0], [a1], [a2, b1]];

/** The states of a journal's first group, under a checksum that is right. */
const journalStates: FuzzTarget = {
  name: "witness: states in a journal's group",
  seeds: groups.map((states) => encodeUtf8(states.map((state) => `${formatStateLine(state)}\n`).join(''))),
  run(bytes) {
    const room = Math.ceil((bytes.length + 512) / 4096) * 4096;
    const content = concatBytes(encodeUtf8(`group 0 ${bytes.length} ${beginning(room)}\n`), bytes);
    const file = new Uint8Array(room);
    file.set(content);
    file.set(encodeUtf8(`sha256 ${encodeHex(sha256(content))}\n`), content.length);
    const states = parseJournal(file, 'f');
    assert.deepEqual(parseJournal(formatJournal(states.values(), 0).bytes, 'f'), states);
  },
};

const status = {
  schema: 'stele-witness/status@v1',
  name: 'witness.example',
  ok: false,
  reason: 'rests',
  logs: [
    { origin: log.origin, size: 7, age: 3, lag: 5, alarms: [{ kind: 'no-tiles' }], evidence: [{}, {}] },
    { origin: other.origin, size: 0, age: null, lag: 0, alarms: [], evidence: [] },
  ],
  peers: [
    { name: peer.name, age: 12, failures: 0 },
    { name: 'silent.example', age: null, failures: 4 },
  ],
};

/** Every figure is one that can be shown, and nothing else of it is read. */
const claims: FuzzTarget = {
  name: "cli: a witness's status.json",
  seeds: [status, { ...status, ok: true, reason: null, logs: [] }].map((each) =>
    encodeUtf8(JSON.stringify(each)),
  ),
  iterations: 1000,
  async run(bytes) {
    const read = async (body: Uint8Array): ReturnType<typeof readClaim> =>
      readClaim('http://witness.example', { fetch: answered(body), timeoutMs: 1000 });
    const claim = (await read(bytes)) ?? refuse('no_claim');
    const figures = claim.logs.flatMap(({ size, lag, age }) => [size, lag, age ?? 0]);
    figures.push(...claim.peers.flatMap(({ age, failures }) => [age ?? 0, failures]));
    for (const figure of figures) assert.ok(Number.isSafeInteger(figure) && figure >= 0);
    for (const { origin } of claim.logs) assert.equal(typeof origin, 'string');
    for (const { name } of claim.peers) assert.equal(typeof name, 'string');
    for (const { evidence } of claim.logs) for (const name of evidence) assert.match(name, /^[0-9a-f]{64}$/);
    const again = {
      schema: status.schema,
      ...claim,
      logs: claim.logs.map((each) => ({
        ...each,
        alarms: each.alarms.map((kind) => ({ kind })),
        evidence: each.evidence.map((sha256) => ({ sha256 })),
      })),
    };
    assert.equal(JSON.stringify(await read(encodeUtf8(JSON.stringify(again)))), JSON.stringify(claim));
  },
};

const pages = [
  {
    indexed: 7,
    entries: [
      { index: 3, loggedBy: 1_700_000_000 },
      { index: 0, loggedBy: null },
    ],
    next: 0,
  },
  { indexed: 0, entries: [], next: null },
];

/** What a log's index answers to `stele search`. */
const search: FuzzTarget = {
  name: 'cli: pages of a search',
  seeds: [...pages, null, { indexed: 1, entries: [null], next: null }].map((page) =>
    encodeUtf8(JSON.stringify(page)),
  ),
  run(bytes) {
    const { indexed, hints, next } = parsePage(decodeUtf8(bytes), 'http://log.example');
    for (const { index, loggedBy } of hints) {
      assert.ok(Number.isSafeInteger(index) && index >= 0);
      if (loggedBy !== null) new Date(1000 * loggedBy).toISOString();
    }
    const again = parsePage(JSON.stringify({ indexed, entries: hints, next }), 'http://log.example');
    assert.equal(JSON.stringify(again), JSON.stringify({ indexed, hints, next }));
  },
};

/** What is JSON has the step that is read; in Python's dialect, whatever is read is a number. */
const trainer: FuzzTarget = {
  name: 'cli: states of a trainer',
  seeds: [
    ...[stateText(10), stateText(20, true), '{"global_step": 7}', '{"global_step": "", "total_flos": 1e17}'],
    '{"global_step": 5, "total_flos": 12.5e1, "num_input_tokens_seen": 9007199254740993}',
  ].map((text) => encodeUtf8(text)),
  run(bytes) {
    let state: ReturnType<typeof parseTrainerState>;
    try {
      state = parseTrainerState([bytes], 0);
    } catch (error) {
      // Not whole yet, to the recorder, or too much.
      if (error instanceof SyntaxError || error instanceof StateLimitError) return refuse('no_state');
      throw error;
    }
    const { step, flop, tokens } = state;
    assert.ok(Number.isSafeInteger(step) && step >= 0 && !Object.is(step, -0));
    for (const number of [flop, tokens]) if (number !== undefined) assert.match(number, /^[1-9][0-9]{0,59}$/);
    let plain: { global_step?: unknown };
    try {
      plain = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof plain;
    } catch {
      return;
    }
    assert.equal(Number(plain.global_step), step);
    assert.notEqual(plain.global_step, '');
  },
};

/** What witnesses tell each other and keep, and what a stranger's witness, index or trainer says of itself. */
export const gossipTargets: readonly FuzzTarget[] = [
  owed,
  evidenceList,
  saved,
  take,
  journal,
  journalStates,
  claims,
  search,
  trainer,
];
