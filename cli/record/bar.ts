// How far the digest of a checkpoint has come, as one line on a terminal.
import { Presets, SingleBar, type Options } from 'cli-progress';
import { duration } from '../../system/index.js';

/** Milliseconds, and the share of the whole, that must be behind before they say how long the rest takes. */
const TELLING = { time: 2000, share: 0.02 };

/** Draws on a terminal; without one it does nothing. */
export class DigestBar {
  readonly #terminal: NodeJS.WritableStream | undefined;
  readonly #monotonic: () => number;
  readonly #bar: SingleBar | undefined;
  #digest = { since: 0, bytes: 0, read: 0 };
  #drawn = false;

  constructor(terminal: NodeJS.WritableStream | undefined, monotonic: () => number) {
    this.#terminal = terminal;
    this.#monotonic = monotonic;
    if (terminal === undefined) return;
    const options: Options = {
      stream: terminal,
      clearOnComplete: true,
      // Cut to the terminal's width; turned off there, it would stay so where the recorder is killed.
      linewrap: true,
      // With it the time that is left fits into 80 columns, whatever the step and the size.
      barsize: 20,
      format: '{label} [{bar}] {percentage}% of {size}{left}',
    };
    this.#bar = new SingleBar(options, Presets.legacy);
  }

  begin(label: string, bytes: number): void {
    this.#digest = { since: this.#monotonic(), bytes: Math.max(1, bytes), read: 0 };
    this.#bar?.start(this.#digest.bytes, 0, { label, size: inUnits(bytes), left: '' });
    this.#drawn = true;
  }

  advance(bytes: number): void {
    if (!this.#drawn) return;
    this.#digest.read += bytes;
    this.#bar?.increment(bytes, { left: this.#left() });
  }

  /** What the digest up to now says of the rest; nothing while that is a guess. */
  #left(): string {
    const { since, bytes, read } = this.#digest;
    const behind = this.#monotonic() - since;
    if (behind < TELLING.time || read < TELLING.share * bytes) return '';
    const seconds = Math.ceil((behind / 1000) * Math.max(0, bytes / read - 1));
    return `, ${duration(seconds)} left`;
  }

  /** Empties the line for a line of prose; the bar is drawn again below it. */
  makeRoom(): void {
    if (this.#drawn) this.#terminal?.write('\r\u001b[K');
  }

  end(): void {
    this.#bar?.stop();
    this.#drawn = false;
  }
}

/** 1234567 bytes are 1.2 MB. */
export function inUnits(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at] ?? ''}`;
}
