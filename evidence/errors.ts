import { SteleError } from '../tlog/index.js';

/**
 * Why something is not evidence. Codes:
 *
 * - `bad_evidence`: the bytes are not a file of evidence in its one spelling.
 * - `unknown_key`: a signature is by a key that the reader does not know, or not for that origin.
 * - `bad_signature`: a signature does not verify.
 * - `not_proven`: all of it is well signed, and it shows no misbehaviour.
 * - `other_log`: the two checkpoints it should be made of are of different logs.
 */
export class EvidenceError extends SteleError {}
