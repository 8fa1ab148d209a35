// What this user's commands need to find again in a log, learned by reading it once, in order: the
// charter and its amendments, the entries about each participant, the newest anchor. It is a cache: it
// holds only indexes and can be deleted; every entry is fetched and verified again when it is used.
import { join } from 'node:path';
import {
  parseAnyStatement,
  parseEnvelope,
  typeUri,
  type AnchorRef,
  type AnyStatement,
} from '../attestation/index.js';
import type { LogReader } from '../client/index.js';
import { encodeHex, SteleError } from '../tlog/index.js';
import { idOf } from './bundle.js';
import { readIfThere, writeDurably } from './files.js';

interface IndexFile {
  format: 1;
  /** Entries read so far. */
  size: number;
  charter: number[];
  participants: Record<string, number[]>;
  anchor: AnchorRef | null;
}

const EMPTY: IndexFile = { format: 1, size: 0, charter: [], participants: {}, anchor: null };

export class LogIndex {
  readonly #path: string;
  readonly #keep: boolean;
  #file: IndexFile;

  private constructor(path: string, keep: boolean, file: IndexFile) {
    this.#path = path;
    this.#keep = keep;
    this.#file = file;
  }

  /** The index kept in a log's state folder; an unreadable one is made anew. Without `keep` it is not written again. */
  static load(folder: string, keep = true): LogIndex {
    const path = join(folder, 'index.json');
    const bytes = readIfThere(path);
    let file = structuredClone(EMPTY);
    try {
      const found = bytes && (JSON.parse(new TextDecoder().decode(bytes)) as IndexFile);
      if (found?.format === 1) file = found;
    } catch {
      // It is only a cache.
    }
    return new LogIndex(path, keep, file);
  }

  /** Charter and amendments, ascending. */
  get charter(): readonly number[] {
    return this.#file.charter;
  }

  /** Entries about a participant: its introduction, changes of its keys. Ascending. */
  about(participant: string): readonly number[] {
    return Object.hasOwn(this.#file.participants, participant)
      ? (this.#file.participants[participant] ?? [])
      : [];
  }

  /** The newest anchor read. */
  get anchor(): AnchorRef | undefined {
    return this.#file.anchor ?? undefined;
  }

  /**
   * Reads the entries up to `size` that were not read before. With `wanted`, an entry ID in hex, gives
   * the index of that entry where it is among them.
   */
  async update(reader: LogReader, size: number, wanted?: string): Promise<number | undefined> {
    let found: number | undefined;
    // Looking for an entry has to begin at the beginning: the file does not hold every entry's ID.
    const from = wanted === undefined ? this.#file.size : 0;
    for await (const { index, entry, leafHash } of reader.entries(Math.min(from, size), size)) {
      const statement = readStatement(entry);
      if (statement === undefined) continue;
      if (wanted !== undefined && statement.id === wanted) found ??= index;
      if (index >= this.#file.size) this.#note(index, encodeHex(leafHash), statement);
    }
    if (size > this.#file.size) {
      this.#file.size = size;
      if (this.#keep) writeDurably(this.#path, JSON.stringify(this.#file));
    }
    return found;
  }

  #note(index: number, leafHash: string, { predicateType, predicate }: AnyStatement): void {
    const about = 'about' in predicate ? String(predicate.about) : '';
    switch (predicateType) {
      case typeUri('charter'):
      case typeUri('charter-amendment'):
        this.#file.charter.push(index);
        break;
      case typeUri('participant'):
      case typeUri('participant-key'):
        // An entry of another kind of log may say anything here; ours hold identifiers.
        if (/^[a-z0-9][a-z0-9._-]*$/.test(about))
          this.#file.participants[about] = [...this.about(about), index];
        break;
      case typeUri('anchor'):
        this.#file.anchor = { index, leafHash };
        break;
    }
  }
}

function readStatement(entry: Uint8Array): (AnyStatement & { id: string }) | undefined {
  try {
    const envelope = parseEnvelope(entry);
    return { ...parseAnyStatement(envelope.payload), id: idOf(envelope) };
  } catch (error) {
    if (error instanceof SteleError) return undefined; // a log may hold entries of other kinds
    throw error;
  }
}
