/** Turns of the event loop that a batch waits at most. */
const TURNS = 16;

/** Resolves when all that the system had ready has been taken. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Waits while each turn of the event loop brings more, up to `enough`. Who is answered asks again, and all who were
 * answered together ask within a few turns: were the first of them taken by itself, the others would wait for its
 * commit and its publication, which cost as much for one entry as for hundreds. Bounded, so that who sends
 * one entry in each turn keeps nobody waiting.
 */
export async function gathered(
  count: () => number,
  enough: number,
  turn: () => Promise<void> = nextTurn,
): Promise<void> {
  for (let turns = 0, before = 0; turns < TURNS && count() > before && count() < enough; turns++) {
    before = count();
    await turn();
  }
}
