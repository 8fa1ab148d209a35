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
