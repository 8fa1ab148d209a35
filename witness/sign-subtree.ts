// C2SP tlog-witness, "sign-subtree": what a request says, and whether the subtree is part of the tree that
// it refers to. That one of our own keys signed that tree is verified where the subtree is signed.
import {
  isSubtree,
  parseDecimal,
  SteleError,
  verifySubtreeConsistency,
  type Checkpoint,
  type Subtree,
} from '../tlog/index.js';
import { badRequest, decodeHash, parseRequest } from './request-body.js';

/** A request that is well-formed. Nothing in it has been verified. */
export interface SignSubtree {
  subtree: Subtree;
  /** 32-byte hashes. */
  proof: Uint8Array[];
  /** The tree that the subtree is said to be part of. */
  checkpoint: Checkpoint;
  /** The note of that checkpoint. */
  reference: Uint8Array;
}

/**
 * Parses a request body: a line `subtree <start> <end>`, the subtree's hash, up to 63 proof lines, an empty
 * line, a checkpoint. Throws WitnessError or TlogError, whichever found the fault; all of them are 400.
 */
export function parseSignSubtree(body: Uint8Array): SignSubtree {
  const { head, proof, noteBytes, checkpoint } = parseRequest(body, 'sign-subtree', 2);
  const [rangeLine = '', hashLine] = head;
  const [word, start, end, ...more] = rangeLine.split(' ');
  if (word !== 'subtree' || start === undefined || end === undefined || more.length > 0) {
    throw badRequest('sign-subtree', 'expected the first line to be "subtree <start> <end>"');
  }
  if (hashLine === undefined) {
    throw badRequest('sign-subtree', "expected the subtree's hash on the second line, found none");
  }
  const subtree = {
    origin: checkpoint.origin,
    start: parseDecimal(start, 'start of the subtree'),
    end: parseDecimal(end, 'end of the subtree'),
    hash: decodeHash(hashLine, 'sign-subtree', "subtree's hash"),
  };
  // SPEC: "The half-open interval [start, end) MUST be a valid subtree per …, Section 4.1, and end MUST be
  // less than or equal to the checkpoint size." Otherwise 400.
  if (!isSubtree(subtree.start, subtree.end) || subtree.end > checkpoint.size) {
    throw badRequest(
      'sign-subtree',
      `expected a subtree of a tree of ${checkpoint.size} leaves, found [${subtree.start}, ${subtree.end})`,
    );
  }
  return { subtree, proof, checkpoint, reference: noteBytes };
}

/** What is wrong with the proof, if anything is: the request is 422 then. */
export function subtreeFault({ subtree, proof, checkpoint }: SignSubtree): string | undefined {
  // SPEC: "The consistency proof lines MUST encode a Subtree Consistency Proof from the subtree to the
  // checkpoint according to …, Section 4.4. If the Merkle Consistency Proof doesn't verify, … 422".
  try {
    verifySubtreeConsistency({
      start: subtree.start,
      end: subtree.end,
      treeSize: checkpoint.size,
      subtreeHash: subtree.hash,
      rootHash: checkpoint.rootHash,
      proof,
    });
    return undefined;
  } catch (error) {
    if (error instanceof SteleError) return error.message;
    throw error;
  }
}
