import assert from 'node:assert/strict';
import {
  checkAlone,
  compareCheckpoints,
  formatEvidence,
  parseEvidence,
  verifyEvidence,
  type Verdict,
} from '../../evidence/index.js';
import { encodeHex, encodeUtf8, formatVkey, parsePolicy } from '../../tlog/index.js';
import { evidence } from '../vectors/generate-evidence.js';
import type { FuzzTarget } from './target.js';

const good = evidence().filter(({ want, evidence: file }) => want === 'ok' && String(file).length < 3000);
const policy = parsePolicy(encodeUtf8(String(good[0]?.['policy'])));
const files = good.map(({ evidence: file }) => String(file));
/** `size root` of every tree that was ever signed in these files. */
const signed = new Set(
  good.flatMap(({ trees }) =>
    (trees as { size: number; rootHash: string }[]).map(({ size, rootHash }) => `${size} ${rootHash}`),
  ),
);

/** A verdict may only ever be on trees that somebody signed, by the key that signed them. */
function checkVerdict({ trees, convicted }: Verdict): void {
  for (const { size, rootHash } of trees)
    assert.ok(signed.has(`${size} ${encodeHex(rootHash)}`), 'a tree that nobody signed');
  const keys = good.flatMap((vector) => vector['convicted'] as string[]);
  for (const vkey of convicted) assert.ok(keys.includes(formatVkey(vkey)), 'a key that signed nothing');
}

/** The notes of a file, as somebody would have met them. */
const notesOf = (file: string): string[] => {
  const [, ...parts] = file.slice(0, -1).split('\n\n');
  return parts.flatMap((text, i) => (i % 2 === 0 ? [`${text}\n\n${parts[i + 1] ?? ''}\n`] : []));
};
const BETWEEN = 0;

/** Files of evidence, and notes that evidence is made of. */
export const evidenceTargets: readonly FuzzTarget[] = [
  {
    name: 'evidence: files',
    seeds: files.map((file) => encodeUtf8(file)),
    run(bytes) {
      assert.deepEqual(formatEvidence(parseEvidence(bytes)), bytes);
      checkVerdict(verifyEvidence(bytes, policy));
    },
  },
  {
    name: 'evidence: two checkpoints',
    seeds: files.map((file) => encodeUtf8(notesOf(file).join(String.fromCharCode(BETWEEN)))),
    async run(bytes) {
      const at = bytes.indexOf(BETWEEN);
      const [a, b] = at < 0 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at + 1)];
      const made =
        b === undefined ? checkAlone(a, policy) : (await compareCheckpoints([a, b], policy)).evidence;
      for (const { verdict } of made) checkVerdict(verdict);
    },
  },
];
