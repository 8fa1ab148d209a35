import type { ManualClock } from './manual-clock.js';

/**
 * As `until`, while time passes, a second a turn: for what sleeps before it tries again. Not where
 * something else would time out meanwhile.
 */
export function untilInTime(clock: ManualClock, condition: () => boolean): Promise<void> {
  return until(() => {
    if (condition()) return true;
    clock.advance(1000);
    return false;
  });
}

/**
 * Lets everything that is under way go on until a condition holds. No time passes on anybody's clock;
 * the bound only turns a test that would hang into one that fails.
 */
export async function until(condition: () => boolean, turns = 8_000): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (condition()) return;
    await new Promise((resolve) => (turn < 200 ? setImmediate(resolve) : setTimeout(resolve, 1)));
  }
  throw new Error(`the condition did not come true: ${condition.toString()}`);
}
