import { setImmediate } from 'node:timers/promises';
import { SteleError } from '../../tlog/index.js';
import { Random } from '../random.js';
import { mutate } from './mutate.js';
import type { FuzzTarget } from './target.js';

/** Inputs longer than this are cut: growth is tested where limits are, not here. */
const LONGEST = 200_000;
/** Inputs kept because they ended in a way no other had. */
const CORPUS = 400;
/**
 * Inputs between two turns of the event loop. What a program does for one request ends with such a turn,
 * and some things are released only then: whatever a WeakRef was made for, as an AbortSignal's are.
 */
const TURN = 64;

export interface FuzzReport {
  readonly inputs: number;
  /** Every way a run ended, "accepted" or an error's code, and how often. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The input that took longest: its bytes, and how many milliseconds. */
  readonly slowest: { readonly bytes: number; readonly ms: number };
}

/** How one input ended. Throws what is not an error of ours. */
async function outcome(target: FuzzTarget, input: Uint8Array): Promise<string> {
  const before = input.slice();
  let ended = 'accepted';
  try {
    await target.run(input);
  } catch (error) {
    if (!(error instanceof SteleError) || error.code === '' || error.message === '') throw error;
    ended = error.code;
  }
  if (Buffer.compare(before, input) !== 0) throw new Error('the input was changed by the code under test');
  return ended;
}

/** Cuts away what a finding does not need, trying halves first. */
async function shrink(target: FuzzTarget, input: Uint8Array): Promise<Uint8Array> {
  const fails = (bytes: Uint8Array): Promise<boolean> =>
    outcome(target, bytes).then(
      () => false,
      () => true,
    );
  let smallest: Uint8Array = input;
  for (let size = Math.ceil(smallest.length / 2), tries = 2000; size >= 1 && tries > 0;) {
    let cut = false;
    for (let start = 0; start < smallest.length && tries > 0; tries--) {
      const shorter = Uint8Array.from([...smallest.subarray(0, start), ...smallest.subarray(start + size)]);
      if (await fails(shorter)) {
        smallest = shorter;
        cut = true;
      } else {
        start += size;
      }
    }
    if (!cut || size > smallest.length) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return smallest;
}

/**
 * Runs a target on its seeds and then on mutations of them until `more` says stop; it is asked with
 * the number of inputs so far. What ends in a new way joins the seeds. Throws an Error that holds the
 * shortest failing input found, in base64, and the original as its cause.
 */
export async function fuzz(
  target: FuzzTarget,
  seed: number,
  more: (inputs: number) => boolean,
): Promise<FuzzReport> {
  const random = new Random(seed);
  const corpus: Uint8Array[] = target.seeds.map((bytes) => bytes.slice());
  if (corpus.length === 0) corpus.push(new Uint8Array(0));
  const queue = corpus.slice();
  const outcomes = new Map<string, number>();
  let inputs = 0;
  let slowest = { bytes: 0, ms: 0 };
  while (queue.length > 0 || more(inputs)) {
    const input = queue.shift() ?? mutate(random.pick(corpus), random.pick(corpus), random, LONGEST);
    let ended: string;
    const start = performance.now();
    try {
      ended = await outcome(target, input.slice());
    } catch (cause) {
      const small = await shrink(target, input);
      throw new Error(
        `${target.name}: input ${inputs} of seed ${seed} ended in ${String(cause)}; shortest such input in base64: ` +
          Buffer.from(small).toString('base64'),
        { cause },
      );
    }
    const ms = performance.now() - start;
    if (ms > slowest.ms) slowest = { bytes: input.length, ms };
    inputs++;
    if (inputs % TURN === 0) await setImmediate();
    const times = outcomes.get(ended) ?? 0;
    outcomes.set(ended, times + 1);
    // The first few of each kind are good places to go on from; accepted ones are rare and dear.
    if (inputs > target.seeds.length && corpus.length < CORPUS && times < (ended === 'accepted' ? 100 : 5)) {
      corpus.push(input);
    }
  }
  return { inputs, outcomes, slowest };
}
