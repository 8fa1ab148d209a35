import { lineOf, mib, PROCESSES } from '../attack/phases.js';
import { attackWitness, MOST_MEMORY, MOST_OPEN } from '../attack/witness-attack.js';
import type { Soak } from './soak.js';

/** Phases of an attack, the quiet ones at both ends included. */
const PHASES = 11;

/**
 * A witness under attack from four processes: all connections taken, bodies that drip or never end, floods
 * of notes and of evidence, peers that hang, send rubbish and redirect.
 */
const soak: Soak = {
  desc: 'a witness under attack: memory bounded, honest logs cosigned all the while',
  minutes: 3,
  takes: [],
  async run({ minutes }) {
    const connections = 10_000;
    const { phases, memory, open, redirected, asked } = await attackWitness({
      seconds: (minutes * 60) / PHASES,
      connections,
    });
    if (memory > MOST_MEMORY) throw new Error(`expected at most ${mib(MOST_MEMORY)}, found ${mib(memory)}`);
    if (open > MOST_OPEN) throw new Error(`expected at most ${MOST_OPEN} open files, found ${open}`);
    if (redirected > 0) throw new Error(`${redirected} requests followed a peer's redirect`);
    if (asked.includes(0)) throw new Error(`expected each bad peer to be asked, found ${asked.join(', ')}`);
    return {
      figures: [
        `${connections} connections from ${PROCESSES} processes, ${mib(memory)} in memory at most (bound: ${mib(MOST_MEMORY)}), ${open} files and connections open`,
        `peers that hang, send rubbish, redirect: asked ${asked.join(', ')} times, no redirect followed`,
        ...phases.map((phase) => lineOf(phase, ['cosigned', 'asked'])),
      ],
    };
  },
};

export default soak;
