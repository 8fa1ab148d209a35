/**
 * Everything that proves something in our log's own answers, judged by the field's libraries:
 * `node dist/interop/ask-log.js URL POLICYFILE`. The log takes any entry and has some hundreds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeBase64, decodeUtf8, encodeHex, encodeUtf8, leafHash } from '../tlog/index.js';
import { ask, check, run, same } from './peer.js';

const [url = '', policyFile = ''] = process.argv.slice(2);

async function get(path: string, accept = 'application/json'): Promise<Uint8Array> {
  const response = await fetch(url + path, { headers: { accept } });
  same(response.status, 200, `status of ${path}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function getJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(decodeUtf8(await get(path))) as Record<string, unknown>;
}

async function add(entry: Uint8Array, accept: string): Promise<Uint8Array> {
  const response = await fetch(`${url}/add`, { method: 'POST', body: entry.slice(), headers: { accept } });
  same(response.status, 200, 'status of /add');
  return new Uint8Array(await response.arrayBuffer());
}

const { size, rootHash } = (await getJson('/api/v1/checkpoint')) as { size: number; rootHash: string };
const hashes = (proof: unknown): string[] =>
  (proof as string[]).map((hash) => encodeHex(decodeBase64(hash, 'hash')));
const sizes = [1, 2, 3, 255, 256, 257, 512, 65_536, 65_537, size - 1, size].filter((n) => n > 0 && n <= size);

await check('merkle verifies the inclusion proofs of our HTTP API', async () => {
  const questions: object[] = [];
  for (const treeSize of sizes) {
    for (const index of new Set([0, treeSize >> 1, Math.max(0, treeSize - 2), treeSize - 1])) {
      const answer = await getJson(`/api/v1/proofs/inclusion?index=${index}&size=${treeSize}`);
      const entry = await getJson(`/api/v1/entries/${index}`);
      if (treeSize === size) same(answer.rootHash, rootHash, 'root');
      questions.push({
        kind: 'inclusion',
        index,
        treeSize,
        leafHash: encodeHex(leafHash(decodeBase64(String(entry.entry), 'entry'))),
        rootHash: hashes([answer.rootHash])[0],
        proof: hashes(answer.proof),
      });
    }
  }
  return verified(questions);
});

await check('merkle verifies its consistency proofs', async () => {
  const questions: object[] = [];
  for (const from of sizes) {
    for (const to of sizes.filter((n) => n >= from)) {
      const answer = await getJson(`/api/v1/proofs/consistency?from=${from}&to=${to}`);
      if (to === size) same(answer.toRootHash, rootHash, 'root');
      questions.push({
        kind: 'consistency',
        oldSize: from,
        oldRoot: hashes([answer.fromRootHash])[0],
        newSize: to,
        newRoot: hashes([answer.toRootHash])[0],
        proof: hashes(answer.proof),
      });
    }
  }
  return verified(questions);
});

await check('Go verifies the tlog-proofs that submitters get', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-interop-'));
  try {
    for (let i = 0; i < 6; i++) {
      const entry = encodeUtf8(`an entry with a proof, ${i} of ${size}`);
      const proof =
        i % 2 === 0
          ? await add(entry, 'text/x.tlog.proof')
          : encodeUtf8(
              String(
                (JSON.parse(decodeUtf8(await add(entry, 'application/json'))) as { proof: unknown }).proof,
              ),
            );
      writeFileSync(join(folder, 'proof'), proof);
      writeFileSync(join(folder, 'entry'), entry);
      const files = ['-proof', join(folder, 'proof'), '-policy', policyFile, '-entry', join(folder, 'entry')];
      const { status, stdout } = run('proofcheck', files);
      if (status !== 0) throw new Error(stdout);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return '6 proofs';
});

function verified(questions: readonly object[]): string {
  ask('merklecheck', questions).forEach((answer, i) =>
    same(answer.ok ? 'verified' : answer.error, 'verified', JSON.stringify(questions[i])),
  );
  return `${questions.length} proofs, trees of ${sizes.join(', ')}`;
}
