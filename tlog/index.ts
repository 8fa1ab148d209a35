/** RFC 6962 trees and the C2SP formats around them: bytes in, bytes out. */
export { SteleError, TlogError, quote } from './errors.js';
export type { Clock } from './clock.js';
export * from './encoding.js';
export * from './merkle.js';
export * from './compact-range.js';
export * from './proof.js';
export * from './subtree-proof.js';
export * from './tiles.js';
export * from './tile-reader.js';
export * from './bundles.js';
export * from './ed25519.js';
export {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  checkDistinctKeys,
  formatKeyId,
  formatSigningKey,
  formatVkey,
  isCosignatureType,
  isKeyName,
  newSigningKey,
  newVkey,
  parseSigningKey,
  parseVkey,
} from './vkey.js';
export type { SigningKey, Vkey } from './vkey.js';
export * from './checkpoint.js';
export * from './cosignature.js';
export * from './note.js';
export * from './signed-checkpoint.js';
export * from './policy.js';
export * from './policy-file.js';
export * from './policy-faults.js';
export * from './policy-overlap.js';
export * from './tlog-proof.js';
