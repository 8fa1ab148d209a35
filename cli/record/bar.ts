// How far the digest of a checkpoint has come, as one line on a terminal.
import progress, { Presets, SingleBar, type Options } from 'cli-progress';

/** Draws on a terminal; without one it does nothing. */
export class DigestBar {
  readonly #terminal: NodeJS.WritableStream | undefined;
  readonly #bar: SingleBar | undefined;
  #drawn = false;

  constructor(terminal: NodeJS.WritableStream | undefined) {
    this.#terminal = terminal;
    if (terminal === undefined) return;
    const options: Options = {
      stream: terminal,
      // Until something was read there is no number, but a word for none.
      formatTime: (seconds, how, round) =>
        Number.isFinite(seconds) ? progress.Format.TimeFormat(seconds, how, round) : '…',
      clearOnComplete: true,
      format: '{label} [{bar}] {percentage}% of {size}, {eta_formatted} left',
      etaBuffer: 50,
    };
    this.#bar = new SingleBar(options, Presets.legacy);
  }

  begin(label: string, bytes: number): void {
    this.#bar?.start(Math.max(1, bytes), 0, { label, size: inUnits(bytes) });
    this.#drawn = true;
  }

  advance(bytes: number): void {
    if (this.#drawn) this.#bar?.increment(bytes);
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
