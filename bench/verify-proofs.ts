/**
 * Verifies one tlog-proof again and again, on one core, and prints how many a second:
 * `node dist/bench/verify-proofs.js PROOFFILE POLICYFILE LEAFHASH COUNT`.
 */
import { readFileSync } from 'node:fs';
import { decodeHex, parsePolicy, verifyTlogProof } from '../tlog/index.js';

const [proofFile = '', policyFile = '', hash = '', count = ''] = process.argv.slice(2);
const proof = readFileSync(proofFile);
const policy = parsePolicy(readFileSync(policyFile));
const leafHash = decodeHex(hash);
const times = Number(count);
for (let i = 0; i < times / 10; i++) verifyTlogProof({ proof, leafHash, policy });
const started = performance.now();
for (let i = 0; i < times; i++) verifyTlogProof({ proof, leafHash, policy });
console.log(JSON.stringify({ perSecond: times / ((performance.now() - started) / 1000) }));
