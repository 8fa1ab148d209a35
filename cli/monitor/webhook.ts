// Events on their way to a webhook: a queue of files, so that nothing is lost while it is away and nothing
// waits for it. One request at a time, in order; again after pauses that double.
//
//   webhook/000000000012 <id>.json     one event, in the order they were found
//   webhook/refused/                   what the other side called malformed, three times
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ClientError, exchange } from '../../client/index.js';
import { makeFolderSync } from '../../system/index.js';
import type { Context } from '../context.js';
import { codeOf, readInput, writeDurably } from '../files.js';
import type { MonitorEvent } from './events.js';
import { timerOf } from './sources.js';

/** Events that wait at most: beyond the first number no more matches are read, beyond the second none is taken. */
const QUEUE_LIMITS: { readonly matches: number; readonly all: number } = {
  matches: 10_000,
  all: 20_000,
};
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 300_000;
/** Times that an event is offered to a server which calls it malformed. */
const OFFERS = 3;

/** Where and how. */
export interface WebhookOptions {
  readonly url: string;
  /** The monitor's folder. */
  readonly folder: string;
  readonly timeoutMs: number;
  readonly context: Pick<Context, 'fetch' | 'sleep' | 'random'>;
  /** Told when it fails and when it works again. */
  readonly say: (text: string) => void;
  readonly limits?: typeof QUEUE_LIMITS;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #folder: string;
  /** File names, oldest first. */
  readonly #waiting: string[];
  readonly #ids: Set<string>;
  #next: number;
  #wake: () => void = () => undefined;
  /** Events that were not taken since the start. */
  dropped = 0;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#folder = join(options.folder, 'webhook');
    makeFolderSync(join(this.#folder, 'refused'));
    this.#waiting = readdirSync(this.#folder)
      .filter((name) => /^\d{12} [0-9a-f-]+\.json$/.test(name))
      .sort();
    this.#ids = new Set(this.#waiting.map(idOf));
    this.#next = Number(this.#waiting.at(-1)?.slice(0, 12) ?? 0) + 1;
  }

  /** Events not yet delivered. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** False while so many wait that entries should not be read on. */
  get room(): boolean {
    return this.#waiting.length < (this.#options.limits ?? QUEUE_LIMITS).matches;
  }

  /** Takes events in. When it returns they survive a crash. The same event twice is taken once while it waits. */
  take(events: readonly MonitorEvent[]): void {
    const { all } = this.#options.limits ?? QUEUE_LIMITS;
    for (const event of events) {
      if (this.#ids.has(event.id)) continue;
      if (this.#waiting.length >= all) {
        this.dropped += 1;
        if (this.dropped === 1)
          this.#options.say(`webhook: ${all} events wait for it; further ones go to stdout alone`);
        continue;
      }
      const name = `${String(this.#next++).padStart(12, '0')} ${event.id}.json`;
      writeDurably(join(this.#folder, name), `${JSON.stringify(event)}\n`);
      this.#waiting.push(name);
      this.#ids.add(event.id);
    }
    this.#wake();
  }

  /** Delivers until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      await this.#deliverAll(signal);
      if (stopped()) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (this.#waiting.length > 0) resolve();
      });
    }
  }

  /** Offers what waits, each once, until one fails. Gives whether all were taken. */
  async flush(signal: AbortSignal): Promise<boolean> {
    for (let [name] = this.#waiting; name !== undefined; [name] = this.#waiting) {
      if ((await this.#offer(name, signal)) !== undefined) return false;
      this.#done(name);
    }
    return true;
  }

  async #deliverAll(signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (let [name] = this.#waiting; name !== undefined && !signal.aborted; [name] = this.#waiting) {
      const failure = await this.#offer(name, signal);
      if (failure === undefined) {
        if (failures > 0) this.#options.say('webhook: takes events again');
        failures = 0;
        this.#done(name);
        continue;
      }
      failures += 1;
      if (failure.malformed && failures >= OFFERS) {
        this.#options.say(
          `webhook: refused three times (${failure.text}): set aside as webhook/refused/${name}`,
        );
        failures = 0;
        this.#done(name, 'refused');
        continue;
      }
      if (failures === 1 && failure.code !== 'aborted')
        this.#options.say(`webhook: ${failure.text}; it will be tried again`);
      const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE);
      const [jitter = 0] = this.#options.context.random(1);
      await this.#options.context.sleep(pause * (0.75 + jitter / 512), signal).catch(() => undefined);
    }
  }

  /** One request. Undefined when it was taken. */
  async #offer(
    name: string,
    signal: AbortSignal,
  ): Promise<{ text: string; code: string; malformed: boolean } | undefined> {
    const { url, timeoutMs, context } = this.#options;
    try {
      const { status } = await exchange(url, {
        fetch: context.fetch,
        timer: timerOf(context),
        timeoutMs,
        maxBody: 64 * 1024,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: readInput(join(this.#folder, name)),
        signal,
      });
      if (status >= 200 && status < 300) return undefined;
      return {
        text: `${new URL(url).origin}: expected status 200, found ${status}`,
        code: 'bad_status',
        malformed: [400, 413, 422].includes(status),
      };
    } catch (error) {
      if (error instanceof ClientError)
        return { text: withoutPath(error.message, url), code: error.code, malformed: false };
      throw error;
    }
  }

  #done(name: string, moveTo?: string): void {
    try {
      if (moveTo === undefined) rmSync(join(this.#folder, name));
      else renameSync(join(this.#folder, name), join(this.#folder, moveTo, name));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    if (this.#waiting[0] === name) this.#waiting.shift();
    this.#ids.delete(idOf(name));
  }
}

function idOf(name: string): string {
  return name.slice(13, -'.json'.length);
}

/** A message that names the server alone: the rest of a webhook's address is often what lets one post there. */
function withoutPath(message: string, url: string): string {
  const { origin, href } = new URL(url);
  return message.replaceAll(url, origin).replaceAll(href, origin);
}
