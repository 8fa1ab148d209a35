// What a witness owes: the root that its tree had at an older size, and the consistency proof.
//
//   root IJgS6zMA5q7fYWkfQ9RfrLQgeBdmJPFLZIdR0z7Fq/E=
//   <base64 hash>                proof, RFC 6962 order, perhaps no line
import { checkHash, decodeBase64, decodeUtf8, encodeBase64 } from '../../tlog/index.js';
import { WitnessError } from '../errors.js';
import type { Owed } from './ports.js';

/** As many as a tree of 2^63 leaves could need. */
const MAX_HASHES = 64;

/** Its bytes. */
export function formatOwed({ oldRoot, proof }: Owed): string {
  return [`root ${encodeBase64(oldRoot)}`, ...proof.map((hash) => encodeBase64(hash)), ''].join('\n');
}

/** Verifies nothing. Throws TlogError, WitnessError "bad_request". */
export function parseOwed(bytes: Uint8Array): Owed {
  const text = decodeUtf8(bytes, 'consistency');
  const [first = '', ...lines] = text.split('\n');
  if (!first.startsWith('root ') || lines.pop() !== '' || lines.length > MAX_HASHES) {
    throw new WitnessError(
      'bad_request',
      'consistency: expected a root and a proof, found others',
      'the answer to a debt is as spec/gossip.md says',
    );
  }
  const hash = (line: string): Uint8Array => checkHash(decodeBase64(line, 'hash'), 'hash');
  return { oldRoot: hash(first.slice('root '.length)), proof: lines.map(hash) };
}
