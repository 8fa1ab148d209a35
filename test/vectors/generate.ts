import { canonicalJson, disclosures, envelopes, statements, timeBounds } from './generate-attestation.js';
import { cosignatures, subtrees } from './generate-cosignatures.js';
import { ed25519 } from './generate-ed25519.js';
import { encodings } from './generate-encodings.js';
import { signingKeys, vkeys } from './generate-keys.js';
import { ledger } from './generate-ledger.js';
import { consistency, hashes, inclusion } from './generate-merkle.js';
import { checkpoints, notes } from './generate-notes.js';
import { policies, tlogProofs } from './generate-policies.js';
import { evidence } from './generate-evidence.js';
import { owed, reports } from './generate-gossip.js';
import { subtreeConsistency } from './generate-subtrees.js';
import { bundles, tilePaths, tiles } from './generate-tiles.js';
import type { Generator, Vector } from './vector.js';

/** Every file of spec/vectors/ by name. A part adds its own generators here. */
export const generators: Readonly<Record<string, Generator>> = {
  'hashes.json': hashes,
  'inclusion.json': inclusion,
  'consistency.json': consistency,
  'subtree-consistency.json': subtreeConsistency,
  'tile-paths.json': tilePaths,
  'tiles.json': tiles,
  'bundles.json': bundles,
  'encodings.json': encodings,
  'ed25519.json': ed25519,
  'vkeys.json': vkeys,
  'signing-keys.json': signingKeys,
  'notes.json': notes,
  'checkpoints.json': checkpoints,
  'cosignatures.json': cosignatures,
  'subtrees.json': subtrees,
  'policies.json': policies,
  'tlog-proofs.json': tlogProofs,
  'canonical-json.json': canonicalJson,
  'envelopes.json': envelopes,
  'disclosures.json': disclosures,
  'statements.json': statements,
  'time-bounds.json': timeBounds,
  'ledger.json': ledger,
  'evidence.json': evidence,
  'owed.json': owed,
  'reports.json': reports,
};

/** The bytes of such a file: pure ASCII, so that no reader's idea of a string gets in the way. */
export function formatVectors(cases: readonly Vector[]): string {
  const text = JSON.stringify(cases, null, 2);
  return `${text.replace(/[^\n\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
