/**
 * Our client reads a log that the field's software wrote, whole and by proof:
 * `node dist/interop/read-log.js URL POLICYFILE`. The policy's `log` lines name the keys to believe.
 * A sample of its tlog-proofs is verified by Go once more.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogReader, httpSource } from '../client/index.js';
import {
  encodeHex,
  leafHash,
  parsePolicy,
  verifyConsistency,
  verifyInclusion,
  verifyTlogProof,
} from '../tlog/index.js';
import { check, run, same } from './peer.js';

const [url = '', policyFile = ''] = process.argv.slice(2);
const policy = parsePolicy(readFileSync(policyFile));
const reader = new LogReader(httpSource(url), policy);
const SAMPLES = 50;

await check('our client reads every entry', async () => {
  const { size, origin } = await reader.checkpoint();
  let next = 0;
  for await (const { index } of reader.entries()) same(index, next++, 'index');
  same(next, size, 'entries');
  return `${size} of ${origin}`;
});

await check('its proofs verify, by us and by Go', async () => {
  const { size, rootHash } = await reader.checkpoint();
  const folder = mkdtempSync(join(tmpdir(), 'stele-interop-'));
  try {
    for (let i = 0; i < SAMPLES; i++) {
      const index = i === 0 ? size - 1 : (i * 7_919) % size;
      const leaf = leafHash(await reader.entry(index));
      const inclusion = await reader.inclusionProof(index);
      verifyInclusion({ index, treeSize: size, leafHash: leaf, proof: inclusion, rootHash });
      const consistency = await reader.consistencyProof(index + 1);
      const oldRoot = await reader.rootAt(index + 1);
      verifyConsistency({
        oldSize: index + 1,
        oldRoot,
        newSize: size,
        newRoot: rootHash,
        proof: consistency,
      });
      // A process of Go for each, so fewer of these.
      if (i % 10 !== 0) continue;
      const proof = await reader.tlogProof(index);
      verifyTlogProof({ proof, leafHash: leaf, policy });
      writeFileSync(join(folder, 'proof'), proof);
      const files = ['-proof', join(folder, 'proof'), '-policy', policyFile];
      const { status, stdout } = run('proofcheck', [...files, '-leaf-hash', encodeHex(leaf)]);
      if (status !== 0) throw new Error(stdout);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return `${SAMPLES} inclusion and consistency proofs, ${SAMPLES / 10} tlog-proofs`;
});
