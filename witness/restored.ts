// A restored backup makes a witness forget what it signed, and its state alone cannot show it. Others can:
// the logs publish its cosignatures, and its peers remember them. Whoever holds a later one than the state
// proves that the folder is an older copy. Then the key is spent: nothing is signed any more, by any log, and
// no command takes that back.
import type { Clock } from '../tlog/index.js';
import {
  COSIGNATURE_MLDSA44,
  decodeUtf8,
  equalBytes,
  parseCheckpoint,
  SteleError,
  verifyNote,
  parseNote,
  type Note,
  type NoteSignature,
  type Vkey,
} from '../tlog/index.js';
import type { Level } from './log.js';
import { markFile, type Mark } from './mark.js';
import type { LogState } from './state-file.js';

/** ML-DSA-44 lines of one note that are verified. */
const MLDSA_TRIED = 4;
/** Bytes of such a signature behind its key ID: a timestamp, and 2,420. */
const MLDSA_LINE = 8 + 2420;

/** What was found, as it is written down. */
export interface Restored {
  origin: string;
  /** Size and POSIX seconds of the cosignature found. */
  size: number;
  timestamp: number;
  /** What the state says: size, and seconds of the last cosignature. */
  own: { size: number; timestamp: number };
  /** Who showed it. */
  where: string;
  /** Milliseconds since the epoch. */
  since: number;
  /** The note with the cosignature: anybody can verify it. */
  note: string;
}

/** A tree with a verified cosignature by one of our own keys, that somebody has shown. */
export interface OwnCosignature {
  origin: string;
  size: number;
  /** 32 bytes. */
  rootHash: Uint8Array;
  /** POSIX seconds, the latest that a key of ours states there. */
  timestamp: number;
  note: Uint8Array;
}

export interface RestoredOptions {
  mark: Mark<Restored>;
  /** This witness's own keys. */
  vkeys: readonly Vkey[];
  /** The state in force of a log. */
  own: (origin: string) => LogState | undefined;
  clock: Pick<Clock, 'now'>;
  log: (level: Level, event: string, fields?: Record<string, unknown>) => void;
}

/** Somebody who may hold what we signed last for a log. Undefined: he has nothing. Throws: not now. */
export interface Elsewhere {
  name: string;
  last: () => Promise<Uint8Array | undefined>;
}

/** Watches over it that the state is the newest. */
export class RestoredGuard {
  readonly #options: RestoredOptions;
  #found: Restored | undefined;
  #written: Promise<void> = Promise.resolve();
  /** Logs asked about since the start. */
  readonly #looks = new Map<string, Promise<void>>();
  /** Who did not answer, by log. */
  readonly #silent = new Map<string, ReadonlySet<string>>();
  #elsewhere: (origin: string) => readonly Elsewhere[] = () => [];

  private constructor(options: RestoredOptions, found: Restored | undefined) {
    this.#options = options;
    this.#found = found;
  }

  /** What was found before the last stop still holds. */
  static async open(options: RestoredOptions): Promise<RestoredGuard> {
    return new RestoredGuard(options, await options.mark.read());
  }

  /** Who is asked about a log before it is first signed for. */
  ask(elsewhere: (origin: string) => readonly Elsewhere[]): void {
    this.#elsewhere = elsewhere;
    this.#looks.clear();
    this.#silent.clear();
  }

  /** What was found, if anything was: then nothing is signed. */
  get found(): Restored | undefined {
    return this.#found;
  }

  /** The same in words. */
  get spent(): string | undefined {
    const found = this.#found;
    if (!found) return undefined;
    return found.origin === ''
      ? 'this folder was found to be an older copy: the key is spent'
      : `this folder is an older copy: ${found.where} has a cosignature by this witness of size ${found.size} at ${found.timestamp} for ${found.origin}, and the state says size ${found.own.size} at ${found.own.timestamp}. The key is spent`;
  }

  /** How many answers about logs are outstanding: from these it is not known. */
  get unanswered(): number {
    return [...this.#silent.values()].reduce((sum, names) => sum + names.size, 0);
  }

  /**
   * Resolves when everybody was asked about this log once since the start, and has answered or failed to;
   * each within the time that he himself is bound by. Later calls cost nothing.
   */
  looked(origin: string): Promise<void> {
    let look = this.#looks.get(origin);
    if (!look) this.#looks.set(origin, (look = this.#look(origin)));
    return look;
  }

  /** Asks those again who did not answer. */
  async again(): Promise<void> {
    const silent = [...this.#silent];
    for (const [origin, names] of silent) {
      if (!this.#found) await this.#look(origin, names);
    }
  }

  async #look(origin: string, only?: ReadonlySet<string>): Promise<void> {
    const silent = new Set<string>();
    await Promise.all(
      this.#elsewhere(origin).map(async ({ name, last }) => {
        if (only && !only.has(name)) return;
        try {
          const note = await last();
          if (note) this.meetNote(note, name);
        } catch (error) {
          silent.add(name);
          const message = error instanceof Error ? error.message : 'failed';
          this.#options.log('debug', 'own-cosignatures-not-read', { origin, from: name, message });
        }
      }),
    );
    if (silent.size > 0) this.#silent.set(origin, silent);
    else this.#silent.delete(origin);
  }

  /** Looks at a note of which nothing was verified. Lines that are not by us, or forged, say nothing. */
  meetNote(bytes: Uint8Array, where: string): void {
    try {
      const note = parseNote(bytes);
      const { vkeys } = this.#options;
      // One by one: a forged line beside a good one takes nothing from it.
      const times = worthTrying(note, vkeys).flatMap((signature) => {
        try {
          const { verified } = verifyNote({ text: note.text, signatures: [signature] }, vkeys);
          return verified.map(({ timestamp = 0 }) => timestamp);
        } catch (error) {
          if (error instanceof SteleError) return [];
          throw error;
        }
      });
      if (times.length === 0) return;
      const { origin, size, rootHash } = parseCheckpoint(note.text);
      this.meet({ origin, size, rootHash, timestamp: Math.max(...times), note: bytes }, where);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
    }
  }

  /** Compares a verified cosignature of our own with the state. */
  meet(seen: OwnCosignature, where: string): void {
    if (this.#found) return;
    const state = this.#options.own(seen.origin);
    // A log that is not configured is not cosigned, whatever was before.
    if (!state) return;
    const size = state.latest?.size ?? 0;
    // A signature leaves only after its state is durable and in force, so nobody can show a later one.
    const later = seen.size > size || seen.timestamp > state.timestamp;
    const other =
      state.latest !== undefined && seen.size === size && !equalBytes(seen.rootHash, state.latest.rootHash);
    if (!later && !other) return;
    const found: Restored = {
      origin: seen.origin,
      size: seen.size,
      timestamp: seen.timestamp,
      own: { size, timestamp: state.timestamp },
      where,
      since: this.#options.clock.now(),
      note: decodeUtf8(seen.note, 'note'),
    };
    this.#found = found;
    this.#options.log('error', 'restored-backup', { ...found });
    this.#written = this.#options.mark.write(found).catch((error: unknown) => {
      // It stays in memory, and who showed it shows it again after a restart.
      const message = error instanceof Error ? error.message : 'failed';
      this.#options.log('error', 'restored-backup-not-marked', { message });
    });
  }

  /** Resolves when no mark is being written any more. */
  async idle(): Promise<void> {
    await this.#written;
  }
}

/**
 * Lines under our own name, the cheapest first, each once. All by Ed25519 that a note can have are tried, so
 * forged ones hide nothing; ML-DSA-44 costs fifty times as much, and beyond a few the Ed25519 line must do.
 */
function worthTrying({ signatures }: Note, vkeys: readonly Vkey[]): NoteSignature[] {
  const distinct = [...new Map(signatures.map((signature) => [signature.line, signature])).values()];
  const under = (mldsa: boolean): NoteSignature[] =>
    distinct.filter(({ name, keyId, signature }) =>
      vkeys.some(
        (vkey) =>
          (vkey.type === COSIGNATURE_MLDSA44) === mldsa &&
          vkey.name === name &&
          vkey.keyId === keyId &&
          // Of another length it is refused unread, and takes no turn from one that is not.
          (!mldsa || signature.length === MLDSA_LINE),
      ),
    );
  return [...under(false), ...under(true).slice(0, MLDSA_TRIED)];
}

/** A file that, once it is there, stays. */
export function restoredFile(file: string): Mark<Restored> {
  const own = { size: 0, timestamp: 0 };
  const unreadable = { origin: '', size: 0, timestamp: 0, own, where: '', since: 0, note: '' };
  return markFile<Restored>(file, unreadable, isFinding);
}

function isFinding(found: unknown): found is Restored {
  const value = found as Partial<Restored> | null;
  return (
    typeof value?.origin === 'string' &&
    typeof value.size === 'number' &&
    typeof value.timestamp === 'number' &&
    typeof value.own?.size === 'number' &&
    typeof value.own.timestamp === 'number' &&
    typeof value.where === 'string' &&
    typeof value.since === 'number' &&
    typeof value.note === 'string'
  );
}
