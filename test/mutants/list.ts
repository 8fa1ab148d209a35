import { attestationMutants } from './attestation.js';
import { cliMutants } from './cli.js';
import { durabilityMutants } from './durability.js';
import { evidenceMutants } from './evidence.js';
import { gossipMutants } from './gossip.js';
import { logServerMutants } from './log-server.js';
import { monitorMutants } from './monitor.js';
import type { Mutant } from './mutant.js';
import { noteMutants } from './notes.js';
import { simulationMutants } from './simulation.js';
import { storageMutants } from './storage.js';
import { treeMutants } from './tree.js';
import { witnessMutants } from './witness.js';

/** Every promise about crashes, attackers and limits, and the test that breaks without it. */
export const mutants: readonly Mutant[] = [
  ...durabilityMutants,
  ...storageMutants,
  ...treeMutants,
  ...noteMutants,
  ...witnessMutants,
  ...attestationMutants,
  ...cliMutants,
  ...logServerMutants,
  ...evidenceMutants,
  ...monitorMutants,
  ...gossipMutants,
  ...simulationMutants,
];
