/** Makes and checks proof that a log or a witness lied. Runs in a browser. */
export * from './errors.js';
export {
  EVIDENCE_MAGIC,
  MAX_EVIDENCE_BYTES,
  formatEvidence,
  parseEvidence,
  type AccusedNote,
  type Claim,
  type EntryProof,
  type Evidence,
  type EvidenceKind,
} from './format.js';
export * from './verify.js';
export * from './make.js';
