import { attackLog, MOST_MEMORY, MOST_OPEN } from '../attack/log-attack.js';
import { lineOf, mib } from '../attack/phases.js';
import type { Soak } from './soak.js';

/** Phases of an attack, the quiet ones at both ends included. */
const PHASES = 8;

/**
 * A log under attack from processes of strangers: connections that ask for nothing, read nothing, drip or never end,
 * floods of entries. Its clients are all on loopback, so no address can be told from another.
 */
const soak: Soak = {
  desc: 'a log under attack: memory bounded, honest submissions answered all the while',
  minutes: 2,
  takes: [],
  async run({ minutes }) {
    const connections = 10_000;
    const { phases, memory, open, size } = await attackLog({
      seconds: (minutes * 60) / PHASES,
      connections,
    });
    const figures = [
      `${connections} connections that ask for nothing and ${connections / 10} that drip, at once, from 8 processes: ${mib(memory)} in memory at most (bound: ${mib(MOST_MEMORY)}), ${open} files and connections open (bound: ${MOST_OPEN})`,
      `${phases.reduce((sum, { answered }) => sum + answered, 0)} submissions answered, all of them in the log of ${size} entries`,
      ...phases.map((phase) => lineOf(phase, ['added', 'sent'])),
    ];
    const wrong = [
      ...(memory > MOST_MEMORY ? [`expected at most ${mib(MOST_MEMORY)} of memory`] : []),
      ...(open > MOST_OPEN ? [`expected at most ${MOST_OPEN} open files`] : []),
    ];
    if (wrong.length > 0) throw new Error([...wrong, ...figures].join('\n'));
    return { figures };
  },
};

export default soak;
