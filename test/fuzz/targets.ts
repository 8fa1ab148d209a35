import type { FuzzTarget } from './target.js';
import { attestationTargets } from './targets-attestation.js';
import { cliTargets } from './targets-cli.js';
import { evidenceTargets } from './targets-evidence.js';
import { gossipTargets } from './targets-gossip.js';
import { noteTargets } from './targets-notes.js';
import { treeTargets } from './targets-tree.js';
import { witnessTargets } from './targets-witness.js';

/** Every parser and every door. A part adds its own file of targets here. */
export const targets: readonly FuzzTarget[] = [
  ...treeTargets,
  ...noteTargets,
  ...witnessTargets,
  ...attestationTargets,
  ...cliTargets,
  ...evidenceTargets,
  ...gossipTargets,
];
