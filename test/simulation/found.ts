// What gossip must have found once everybody has reached everybody for a while: a log that showed two
// histories to honest parties is convicted if proof can be had, and otherwise somebody was alarmed.
import { formatVkey } from '../../tlog/index.js';
import type { Client } from './client.js';
import type { Head, Truth } from './history.js';
import type { Judge } from './judge.js';
import type { SimulatedLog } from './log.js';
import type { HonestWitness } from './node.js';
import { LOG_KEY, type Plan } from './plan.js';

interface Held extends Head {
  readonly side: 0 | 1;
  /** A witness keeps the tiles of what it cosigned and asks for others; of clients there are only notes. */
  readonly by: HonestWitness | Client;
  /** Whether somebody who is asked for proofs about this tree has its tiles: kept, or still served by the log. */
  readonly tiles: boolean;
}

export interface Aftermath {
  readonly plan: Plan;
  readonly judge: Judge;
  readonly truth: Truth;
  readonly log: SimulatedLog;
  readonly honest: readonly HonestWitness[];
  readonly clients: readonly Client[];
}

/** What honest parties had in hand: proof, two histories that nothing ties together, or one of them only. */
export type Findable = 'provable' | 'alarming' | 'nothing';

/** Requires that the log was found out as far as that is possible. */
export function expectFound(world: Aftermath): Findable {
  const { judge, honest } = world;
  const held = heads(world);
  const pairs = held
    .filter(({ side }) => side === 0)
    .flatMap((a) => held.filter(({ side }) => side === 1).map((b): [Held, Held] => [a, b]))
    // Two clients who have never met a witness on either side told nobody who had something to compare.
    .filter(([a, b]) => isWitness(a) || isWitness(b));
  if (pairs.length === 0) return 'nothing';
  const provable = pairs.some(([a, b]) => a.size === b.size || (a.size > b.size ? a : b).tiles);
  if (provable) {
    judge.require(
      judge.convicted.has(formatVkey(LOG_KEY.vkey)),
      'the log was not convicted, though it could be',
    );
    for (const witness of honest)
      judge.require(witness.convicts(), `${witness.name} does not know that the log is convicted`);
    return 'provable';
  }
  const alarmed = honest.some((witness) =>
    witness
      .status()
      ?.logs.some(({ alarms }) => alarms.some(({ kind }) => kind === 'unproven' || kind === 'contradiction')),
  );
  judge.require(
    alarmed || judge.convicted.has(formatVkey(LOG_KEY.vkey)),
    'two histories met, and nobody was alarmed',
  );
  return 'alarming';
}

/** What honest parties hold that is on one of the two histories only. */
function heads({ plan, log, truth, honest, clients }: Aftermath): Held[] {
  const parties = [...honest, ...clients.filter(({ plan: { reports } }) => reports)];
  return parties.flatMap((by): Held[] => {
    const head = 'convicts' in by ? by.head() : by.head;
    if (head === undefined || head.size <= plan.fork) return [];
    const history = truth.historyOf(head);
    if (history === undefined) return [];
    const side = history === log.branches[0].history ? 0 : 1;
    const shown = 'convicts' in by ? log.shows(by.name) === side : plan.after === side;
    const kept = 'convicts' in by && by.keepsTiles();
    return [{ ...head, side, by, tiles: kept || (shown && plan.tiles[side] === 'always') }];
  });
}

function isWitness({ by }: Held): boolean {
  return 'convicts' in by;
}
