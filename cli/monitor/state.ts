// What a monitor remembers of one log, in a folder of its own:
//
//   state.json      this, replaced whole and fsynced; with it the events not yet handed over
//   notes/xx/<hex>  every checkpoint met, by the SHA-256 of its text: once, with the newest line of each key
//   edge.json tile/ see trees.ts
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { decodeUtf8, encodeUtf8, equalBytes, parseCheckpoint, parseNote } from '../../tlog/index.js';
import { CliError, EXIT } from '../errors.js';
import { readIfThere, writeDurably } from '../files.js';
import type { Alarm } from './alarms.js';
import type { MonitorEvent } from './events.js';
import { renewNote } from './notes.js';
import type { Head, OpenHead } from './reconcile.js';

/** Until when something was alive: milliseconds since 1970, never ahead of the monitor's own clock. */
export interface LastSign {
  readonly at: number;
  /** Witnesses said the time, or it is when the monitor first met it. */
  readonly by: 'witnesses' | 'monitor';
}

/** What is remembered of one log. */
export interface LogMemory {
  /** When this log was first followed, in milliseconds since 1970. */
  started: number;
  /** Number of the next alarm event. */
  next: number;
  largest: Head | undefined;
  open: OpenHead[];
  witnessed: Map<string, Head>;
  /** The largest size that the log itself has shown, and what it showed last. */
  shown: { largest: number; note: Uint8Array | undefined };
  sign: LastSign | undefined;
  /** By witness: the timestamp of its newest cosignature in seconds, and when it was made. */
  witnessSigns: Map<string, { timestamp: number; at: number }>;
  anchor: (LastSign & { index: number }) | undefined;
  /** Entries from the one number up to, but not including, the other were looked at for anchors. */
  anchorsFrom: number;
  anchorsRead: number;
  /** By filter ID: entries below it were judged. */
  cursors: Map<string, number>;
  alarms: Alarm[];
  /** Not yet handed over to every sink. */
  outbox: MonitorEvent[];
}

interface HeadJson {
  readonly note: string;
  readonly from?: string;
  readonly since?: number;
  readonly why?: string;
}

interface StateFile {
  readonly format: number;
  readonly origin: string;
  readonly started: number;
  readonly next: number;
  readonly largest: HeadJson | null;
  readonly open: readonly HeadJson[];
  readonly witnessed: Readonly<Record<string, HeadJson>>;
  readonly shown: { readonly largest: number; readonly note: string | null };
  readonly sign: LastSign | null;
  readonly witnessSigns: Readonly<Record<string, { timestamp: number; at: number }>>;
  readonly anchor: (LastSign & { index: number }) | null;
  readonly anchorsFrom: number;
  readonly anchorsRead: number;
  readonly cursors: Readonly<Record<string, number>>;
  readonly alarms: readonly Alarm[];
  readonly outbox: readonly MonitorEvent[];
}

/** The folder of one log below the monitor's. An origin may hold slashes, so its digest names the folder. */
export function logStateFolder(folder: string, origin: string): string {
  return join(folder, 'logs', hex(encodeUtf8(origin)).slice(0, 32));
}

/** One log's memory and its files. */
export class LogState {
  readonly memory: LogMemory;
  readonly #folder: string;
  readonly #origin: string;
  #written: string | undefined;

  private constructor(folder: string, origin: string, memory: LogMemory, written: string | undefined) {
    this.#folder = folder;
    this.#origin = origin;
    this.memory = memory;
    this.#written = written;
  }

  /** Reads it, or begins anew. Throws CliError "state_damaged". */
  static open(folder: string, origin: string, now: number): LogState {
    const path = join(folder, 'state.json');
    const bytes = readIfThere(path);
    if (bytes === undefined) return new LogState(folder, origin, newMemory(now), undefined);
    try {
      const text = decodeUtf8(bytes, 'state');
      const file = JSON.parse(text) as StateFile;
      const format: number = file.format;
      if (format !== 1) throw new Error(`expected format 1, found ${format}`);
      if (file.origin !== origin) throw new Error(`expected the log ${origin}, found ${file.origin}`);
      return new LogState(folder, origin, fromFile(file), text);
    } catch (cause) {
      throw new CliError(
        EXIT.failed,
        'state_damaged',
        `${path}: expected the state of a monitor, found ${cause instanceof Error ? cause.message : 'something else'}`,
        'restore it from a backup, or move the folder away: the monitor then begins anew, and notes/ still has what was met',
        { cause },
      );
    }
  }

  /** Durable when it returns. Nothing is written where nothing changed. */
  save(): void {
    const text = JSON.stringify(toFile(this.#origin, this.memory));
    if (text === this.#written) return;
    writeDurably(join(this.#folder, 'state.json'), text);
    this.#written = text;
  }

  /**
   * Keeps a checkpoint that was met, all its lines verified; durable when it returns. There is one file for each
   * text, which only the log can sign: so nobody else makes files, or makes one larger than the policy has keys.
   */
  keep(note: Uint8Array): void {
    const name = hex(encodeUtf8(parseNote(note).text));
    const path = join(this.#folder, 'notes', name.slice(0, 2), name);
    const held = readIfThere(path);
    const kept = held === undefined ? note : renewNote(held, note);
    if (held === undefined || !equalBytes(held, kept)) writeDurably(path, kept);
  }
}

function newMemory(now: number): LogMemory {
  return {
    started: now,
    next: 0,
    largest: undefined,
    open: [],
    witnessed: new Map(),
    shown: { largest: 0, note: undefined },
    sign: undefined,
    witnessSigns: new Map(),
    anchor: undefined,
    anchorsFrom: 0,
    anchorsRead: 0,
    cursors: new Map(),
    alarms: [],
    outbox: [],
  };
}

function toFile(origin: string, memory: LogMemory): StateFile {
  const { started, next, largest, open, witnessed, shown, sign, witnessSigns, anchor } = memory;
  const text = (head: Head): HeadJson => ({ note: decodeUtf8(head.note, 'note') });
  return {
    format: 1,
    origin,
    started,
    next,
    largest: largest === undefined ? null : text(largest),
    open: open.map((head) => ({ ...text(head), from: head.from, since: head.since, why: head.why })),
    witnessed: Object.fromEntries([...witnessed].map(([name, head]) => [name, text(head)])),
    shown: {
      largest: shown.largest,
      note: shown.note === undefined ? null : decodeUtf8(shown.note, 'note'),
    },
    sign: sign ?? null,
    witnessSigns: Object.fromEntries(witnessSigns),
    anchor: anchor ?? null,
    anchorsFrom: memory.anchorsFrom,
    anchorsRead: memory.anchorsRead,
    cursors: Object.fromEntries(memory.cursors),
    alarms: memory.alarms,
    outbox: memory.outbox,
  };
}

function fromFile(file: StateFile): LogMemory {
  const head = ({ note }: HeadJson): Head => headOf(encodeUtf8(note));
  return {
    started: file.started,
    next: file.next,
    largest: file.largest === null ? undefined : head(file.largest),
    open: file.open.map((kept) => ({
      ...head(kept),
      from: kept.from ?? '',
      since: kept.since ?? 0,
      why: kept.why ?? '',
    })),
    witnessed: new Map(Object.entries(file.witnessed).map(([name, kept]) => [name, head(kept)])),
    shown: {
      largest: file.shown.largest,
      note: file.shown.note === null ? undefined : encodeUtf8(file.shown.note),
    },
    sign: file.sign ?? undefined,
    witnessSigns: new Map(Object.entries(file.witnessSigns)),
    anchor: file.anchor ?? undefined,
    anchorsFrom: file.anchorsFrom,
    anchorsRead: file.anchorsRead,
    cursors: new Map(Object.entries(file.cursors)),
    alarms: [...file.alarms],
    outbox: [...file.outbox],
  };
}

/** The tree head that a note states. Its signatures are not looked at. */
export function headOf(note: Uint8Array): Head {
  const { size, rootHash } = parseCheckpoint(parseNote(note).text);
  return { size, rootHash, note };
}

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
