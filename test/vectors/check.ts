import { attestationCheckers } from './check-attestation.js';
import { evidenceCheckers } from './check-evidence.js';
import { gossipCheckers } from './check-gossip.js';
import { noteCheckers } from './check-notes.js';
import { treeCheckers, type Checker } from './check-tree.js';

/** How each file of spec/vectors/ is checked. A part adds its own checkers here. */
export const checkers: Readonly<Record<string, Checker>> = {
  ...treeCheckers,
  ...noteCheckers,
  ...attestationCheckers,
  ...evidenceCheckers,
  ...gossipCheckers,
};
