import { performance } from 'node:perf_hooks';
import type { Clock } from '../tlog/index.js';

/** The machine's clocks. `monotonic` is the kernel's, which a step of the wall clock does not move. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const fail = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', fail);
        resolve();
      }, ms);
      if (signal?.aborted) fail();
      else signal?.addEventListener('abort', fail, { once: true });
    }),
};
