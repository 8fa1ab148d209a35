import { readFileSync } from 'node:fs';
import * as browser from '../../tlog/platform-browser.js';
import * as node from '../../tlog/platform-node.js';
import { encodeUtf8, decodeHex, isAcceptableKey, verifyEd25519 } from '../../tlog/index.js';
import { L, referenceVerify, toInteger } from '../reference/ed25519.js';
import type { SuiteResult } from './suite.js';

interface Vector {
  number: number;
  key: string;
  sig: string;
  msg: string;
  flags: string[] | null;
}

/**
 * What the suite's own flags say of our rule. Every vector satisfies the cofactored equation with
 * lenient decoding; each of these flags names a way of not satisfying the strict one. (Small-order R
 * and small-order components by themselves break nothing.)
 */
const REJECTED_BY_RULE = [
  'low_order_A',
  'non_canonical_A',
  'non_canonical_R',
  'low_order_residue',
  'reencoded_k',
];

/** The number of vectors the rule accepts, found once by hand from the flags. */
const ACCEPTED = 86;

/** Every verdict there is on one vector, by who gave it. */
function verdicts(vector: Vector): Record<string, boolean> {
  const signature = decodeHex(vector.sig);
  const key = decodeHex(vector.key);
  const message = encodeUtf8(vector.msg);
  const checked = isAcceptableKey(key) && toInteger(signature.slice(32)) < L;
  return {
    flags: !vector.flags?.some((flag) => REJECTED_BY_RULE.includes(flag)),
    reference: referenceVerify(signature, message, key),
    verifyEd25519: verifyEd25519(signature, message, key),
    'node:crypto with the checks': checked && node.verifyPrechecked(signature, message, key),
    'noble with the checks': checked && browser.verifyPrechecked(signature, message, key),
  };
}

/** The vectors of C2SP's ed25519vectors: one verdict from all, and it is the rule's. */
export function runEd25519(file: string): SuiteResult {
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
  const result: SuiteResult = { name: 'ed25519vectors', passed: 0, failures: [], notes: [] };
  let accepted = 0;
  for (const vector of vectors) {
    const all = verdicts(vector);
    if (all['verifyEd25519']) accepted++;
    if (new Set(Object.values(all)).size === 1) result.passed++;
    else result.failures.push(`vector ${vector.number}: ${JSON.stringify(all)}`);
  }
  result.notes.push(`${accepted} of ${vectors.length} accepted`);
  if (vectors.length === 914 && accepted !== ACCEPTED) {
    result.failures.push(`expected ${ACCEPTED} accepted vectors, found ${accepted}`);
  }
  return result;
}
