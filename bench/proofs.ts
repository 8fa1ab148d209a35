// Proofs verified a second: a tlog-proof of a tree of 100,000 entries, its checkpoint signed by the log and
// cosigned by four witnesses of a 3-of-4 policy. Ours and Go's by turns, each on one core.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  COSIGNATURE_ED25519,
  NOTE_ED25519,
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatTlogProof,
  formatVkey,
  leafHash,
  newSigningKey,
  perfectRoot,
  proveInclusion,
  sha256,
  signNote,
  treeRoot,
} from '../tlog/index.js';
import type { HashReader } from '../tlog/index.js';
import { SERVER_CORE, peer, root, runPinned } from './process.js';
import { spread, table } from './table.js';

const SIZE = 100_000;
const COUNT = 2000;

/** Runs the rounds and answers the report. */
export async function measureProofs(rounds: number, folder: string): Promise<string> {
  const own = join(folder, 'proofs');
  mkdirSync(own, { recursive: true });
  const leaf = await makeProof(own);
  const [proof, policy] = [join(own, 'proof'), join(own, 'policy')];
  const commands: [string, string[]][] = [
    [
      'stele/tlog',
      [process.execPath, `${root}dist/bench/verify-proofs.js`, proof, policy, leaf, String(COUNT)],
    ],
  ];
  const go = peer('proofcheck');
  if (go !== undefined) {
    const files = ['-proof', proof, '-policy', policy, '-leaf-hash', leaf];
    commands.push(["Go's note, formats and merkle", [go, ...files, '-repeat', String(COUNT)]]);
  }
  const found = commands.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, [, command]] of commands.entries()) {
      const { stdout } = await runPinned(command, SERVER_CORE);
      found[i]?.push((JSON.parse(stdout) as { perSecond: number }).perSecond);
    }
  }
  rmSync(own, { recursive: true });
  return [
    `tlog-proofs verified a second: tree of ${SIZE.toLocaleString('en')}, five Ed25519 signatures, one core, ${rounds} rounds, median (least–most).`,
    '',
    table(
      ['verifier', 'proofs/s'],
      commands.map(([name], i) => [name, spread(found[i] ?? [])]),
    ),
  ].join('\n');
}

/** Writes `proof` and `policy` into the folder; answers the leaf hash. */
async function makeProof(folder: string): Promise<string> {
  const leaves = Array.from({ length: SIZE }, (_, i) => leafHash(encodeUtf8(`entry ${i}`)));
  const read: HashReader = (nodes) =>
    Promise.resolve(
      nodes.map(({ level, index }) =>
        perfectRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
      ),
    );
  const seed = (name: string): Uint8Array => sha256(encodeUtf8(`seed of ${name}`));
  const log = newSigningKey('bench.example/log', NOTE_ED25519, seed('log'));
  const witnesses = ['w1', 'w2', 'w3', 'w4'].map((name) =>
    newSigningKey(`bench.example/${name}`, COSIGNATURE_ED25519, seed(name)),
  );
  const text = formatCheckpoint({
    origin: log.name,
    size: SIZE,
    rootHash: await treeRoot(SIZE, read),
    extensions: [],
  });
  const checkpoint = signNote(text, [log, ...witnesses], 1_700_000_000);
  const index = 12_345;
  const proof = await proveInclusion(index, SIZE, read);
  writeFileSync(join(folder, 'proof'), formatTlogProof({ index, proof, checkpoint }));
  const lines = witnesses.map((key, i) => `witness w${i + 1} ${formatVkey(key.vkey)}\n`);
  const quorum = 'group q 3 w1 w2 w3 w4\nquorum q\n';
  writeFileSync(join(folder, 'policy'), `log ${formatVkey(log.vkey)}\n${lines.join('')}${quorum}`);
  return encodeHex(leaves[index] ?? new Uint8Array());
}
