// Tells witnesses about checkpoints that contradict each other: only those that the user named, and
// nothing but the signed notes, which their log has shown already.
import { exchange, joinUrl } from '../client/index.js';
import { SteleError } from '../tlog/index.js';
import type { Context } from './context.js';

/** Milliseconds for one witness: it is a courtesy, and nobody should wait for it. */
const TIMEOUT = 10_000;

/**
 * POST /gossip/checkpoint of each note at each witness. Never throws for what a witness does: what it
 * answered is said.
 */
export async function reportNotes(
  context: Pick<Context, 'fetch' | 'sleep'>,
  witnesses: readonly string[],
  notes: readonly Uint8Array[],
  say: (text: string) => void,
): Promise<void> {
  await Promise.all(
    witnesses.map(async (witness) => {
      const url = joinUrl(witness, 'gossip/checkpoint');
      try {
        const statuses: number[] = [];
        for (const body of notes) {
          const answer = await exchange(url, {
            fetch: context.fetch,
            timer: context,
            timeoutMs: TIMEOUT,
            maxBody: 64 * 1024,
            method: 'POST',
            headers: { 'content-type': 'text/plain; charset=utf-8' },
            body,
          });
          statuses.push(answer.status);
        }
        say(`told ${url}: it answered ${statuses.join(' and ')}`);
      } catch (error) {
        if (!(error instanceof SteleError)) throw error;
        say(`could not tell ${url}: ${error.message}`);
      }
    }),
  );
}
