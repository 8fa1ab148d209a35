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
  /** Whether a witness cosigned it; else it is what a client accepted, and told every witness. */
  readonly cosigned: boolean;
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

/**
 * What honest parties had in hand: proof, proof between what clients hold only, two histories that nothing ties
 * together, or one of them only.
 */
export type Findable = 'provable' | 'by-clients' | 'alarming' | 'nothing';

/** Requires that the log was found out as far as that is possible. */
export function expectFound(world: Aftermath): Findable {
  const { judge, honest } = world;
  const held = heads(world);
  const pairs = held
    .filter(({ side }) => side === 0)
    .flatMap((a) => held.filter(({ side }) => side === 1).map((b): [Held, Held] => [a, b]));
  // Clients tell witnesses what they accept; where all of those lie, nobody is told.
  if (pairs.length === 0 || honest.length === 0) return 'nothing';
  const proofs = pairs.filter(([a, b]) => {
    const larger = a.size > b.size ? a : b;
    if (a.size === b.size) return true;
    if (a.cosigned || b.cosigned) return larger.tiles;
    // A witness holds what clients tell it against the largest tree that it knows itself, not against each other.
    return larger.tiles && honest.some((witness) => larger.size >= witness.largestKnown());
  });
  if (proofs.length > 0) {
    judge.require(
      judge.convicted.has(formatVkey(LOG_KEY.vkey)),
      'the log was not convicted, though it could be',
    );
    for (const witness of honest)
      judge.require(witness.convicts(), `${witness.name} does not know that the log is convicted`);
    return proofs.some(([a, b]) => a.cosigned || b.cosigned) ? 'provable' : 'by-clients';
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
  return [...honest, ...clients].flatMap((by): Held[] => {
    // What a client accepts after that it may have told to liars only.
    const head = 'convicts' in by ? by.head() : by.told;
    if (head === undefined || head.size <= plan.fork) return [];
    const history = truth.historyOf(head);
    if (history === undefined) return [];
    const side = history === log.branches[0].history ? 0 : 1;
    const shown = 'convicts' in by ? log.shows(by.name) === side : plan.after === side;
    const cosigned = 'convicts' in by;
    const kept = 'convicts' in by && by.keepsTiles();
    return [{ ...head, side, cosigned, tiles: kept || (shown && plan.tiles[side] === 'always') }];
  });
}
