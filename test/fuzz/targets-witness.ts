import assert from 'node:assert/strict';
import {
  ClientError,
  formatAddCheckpoint,
  formatSignSubtree,
  LogReader,
  WitnessClient,
  type TileSource,
} from '../../client/index.js';
import {
  concatBytes,
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  encodeUtf8,
  entriesPath,
  equalBytes,
  formatBundle,
  formatNote,
  formatTile,
  formatVkey,
  leafHash,
  newSigningKey,
  parsePolicy,
  signNoteLine,
  SteleError,
  tilePath,
  verifySignatureLine,
} from '../../tlog/index.js';
import {
  decide,
  parseAddCheckpoint,
  parseSignSubtree,
  subtreeFault,
  trustedLines,
} from '../../witness/index.js';
import { SigningLog } from '../helpers/signing-log.js';
import type { FuzzTarget } from './target.js';

const log = new SigningLog();
const witness = newSigningKey('witness.example/fuzz', COSIGNATURE_ED25519, new Uint8Array(32).fill(5));
const quantum = newSigningKey(witness.name, COSIGNATURE_MLDSA44, new Uint8Array(32).fill(6));
const line = signNoteLine(log.text(7), witness, 1_700_000_000);
const held = { size: 5, rootHash: log.root(5) };

const requests: Uint8Array[] = [];
for (const [oldSize, size] of [
  [0, 0],
  [0, 7],
  [5, 5],
  [5, 7],
  [5, 12],
] as const) {
  requests.push(
    formatAddCheckpoint({ oldSize, proof: await log.proof(oldSize, size), note: log.note(size) }),
  );
}

/** A request that is accepted says the same when it is written again. */
const addCheckpoint: FuzzTarget = {
  name: 'witness: add-checkpoint requests',
  seeds: requests,
  run(bytes) {
    const request = parseAddCheckpoint(bytes);
    assert.deepEqual(formatAddCheckpoint({ ...request, note: formatNote(request.note) }), bytes);
    const lines = trustedLines(request, [log.vkey]);
    const verdict = decide(request, held);
    // What would be cosigned is one of the log's own trees.
    if (lines && verdict.kind === 'cosign') {
      const { size, rootHash } = request.checkpoint;
      assert.ok(size <= 12);
      assert.deepEqual(rootHash, log.root(size));
    }
  },
};

const subtrees: Uint8Array[] = [];
for (const [start, end] of [
  [0, 7],
  [0, 12],
  [8, 11],
  [11, 12],
] as const) {
  const proof = await log.subtreeProof(start, end, 12);
  subtrees.push(formatSignSubtree({ start, end, hash: log.hash(start, end), proof, note: log.note(12) }));
}

/** As for add-checkpoint; and what would be signed is a subtree of the log's own. */
const signSubtree: FuzzTarget = {
  name: 'witness: sign-subtree requests',
  seeds: subtrees,
  run(bytes) {
    const request = parseSignSubtree(bytes);
    const { subtree, proof, checkpoint, reference } = request;
    assert.deepEqual(formatSignSubtree({ ...subtree, proof, note: reference }), bytes);
    if (subtreeFault(request) !== undefined || checkpoint.size > 12) return;
    if (!equalBytes(checkpoint.rootHash, log.root(checkpoint.size))) return;
    assert.deepEqual(subtree.hash, log.hash(subtree.start, subtree.end));
  },
};

const STATUSES = [200, 409, 422, 404, 403, 500, 302, 429];
const answer = (status: number, type: number, body: string): Uint8Array =>
  concatBytes(Uint8Array.of(status, type), encodeUtf8(body));

/** First byte: which status; second: whether the type is that of a size; the rest is the body. */
const replies: FuzzTarget = {
  name: "client: witnesses' answers",
  seeds: [
    answer(0, 0, line),
    answer(0, 0, line + signNoteLine(log.text(7), quantum, 1_700_000_000)),
    answer(1, 1, '5\n'),
    answer(1, 0, ''),
    answer(2, 0, ''),
  ],
  iterations: 600,
  async run(bytes) {
    const status = STATUSES[(bytes[0] ?? 0) % STATUSES.length] ?? 200;
    const type = (bytes[1] ?? 0) % 2 === 1 ? 'text/x.tlog.size' : 'text/plain';
    const body = Uint8Array.from(bytes.subarray(2));
    const client = new WitnessClient({
      url: 'http://witness.example',
      vkeys: [witness.vkey, quantum.vkey],
      fetch: () => Promise.resolve(new Response(body, { status, headers: { 'content-type': type } })),
    });
    const result = await client.addCheckpoint({ oldSize: 5, proof: [], note: log.note(7) });
    if (result.kind === 'cosigned') {
      assert.equal(status, 200);
      assert.ok(result.lines.length > 0);
      for (const each of result.lines) verifySignatureLine(each, log.text(7), client.vkeys);
    }
    if (result.kind === 'conflict' && result.size !== undefined) assert.ok(Number.isSafeInteger(result.size));
    if (result.kind === 'silent') throw result.error;
  },
};

const SIZE = 260;
const entries = Array.from({ length: SIZE }, (_, i) => encodeUtf8(`entry ${i}`));
const leaves = entries.map((entry) => leafHash(entry));
const files = new Map<string, Uint8Array>([
  ['checkpoint', log.note(SIZE)],
  [tilePath({ level: 0, index: 0, width: 256 }), formatTile(leaves.slice(0, 256))],
  [tilePath({ level: 0, index: 1, width: 4 }), formatTile(leaves.slice(256))],
  [tilePath({ level: 1, index: 0, width: 1 }), formatTile([log.root(256)])],
  [entriesPath(0, 256), formatBundle(entries.slice(0, 256))],
  [entriesPath(1, 4), formatBundle(entries.slice(256))],
]);
const names = [...files.keys()];
const policy = parsePolicy(encodeUtf8(`log ${formatVkey(log.vkey)}\nquorum none\n`));

/** First byte: which file of a log is replaced by the rest. Whatever is read is what the log holds. */
const served: FuzzTarget = {
  name: 'client: what a log serves',
  seeds: names.map((name, i) => concatBytes(Uint8Array.of(i), files.get(name) ?? new Uint8Array())),
  iterations: 300,
  async run(bytes) {
    const replaced = names[(bytes[0] ?? 0) % names.length];
    const get = (name: string): Promise<Uint8Array> => {
      const file = name === replaced ? bytes.slice(1) : files.get(name);
      return file ? Promise.resolve(file) : Promise.reject(new ClientError('not_found', name));
    };
    const source: TileSource = {
      checkpoint: () => get('checkpoint'),
      tile: (tile) => get(tilePath(tile)),
      bundle: (index, width) => get(entriesPath(index, width)),
    };
    const reader = new LogReader(source, policy);
    const { size } = await reader.checkpoint();
    let fault: SteleError | undefined;
    try {
      for await (const { index, entry } of reader.entries()) assert.deepEqual(entry, entries[index]);
      await reader.inclusionProof(3);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      fault = error;
    }
    assert.equal(size, SIZE);
    if (fault) throw fault;
  },
};

/** What reaches a witness, and what reaches those who ask one or read a log. */
export const witnessTargets: readonly FuzzTarget[] = [addCheckpoint, signSubtree, replies, served];
