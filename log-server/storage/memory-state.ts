import { encodeHex } from '../../tlog/index.js';
import type { KeyLock, SignedMark } from '../lock.js';
import { StorageError, damaged } from './error.js';
import { checkChange, repeatedId } from './rules.js';
import type { Head, KeyedReader, StateChange, StateCounts, TreeState } from './types.js';

/** What survives a crash of a MemoryTreeState: every commit that returned, whole. */
export interface MemoryStateData {
  head: Head;
  readonly entries: Map<number, Uint8Array>;
  readonly ids: Map<string, number>;
  readonly ledger: Map<string, Uint8Array>;
  readonly witnesses: Map<string, number>;
}

export function newMemoryStateData(): MemoryStateData {
  return {
    head: { size: 0, edge: [], sealedTo: 0, signedSize: 0, publishedSize: 0, commitNumber: 0 },
    entries: new Map(),
    ids: new Map(),
    ledger: new Map(),
    witnesses: new Map(),
  };
}

/** TreeState in plain maps: the second driver, which says what the first must mean. */
export class MemoryTreeState implements TreeState {
  readonly #data: MemoryStateData;
  #closed = false;

  constructor(data: MemoryStateData) {
    this.#data = data;
  }

  get head(): Head {
    return this.#data.head;
  }

  readonly ledger: KeyedReader = {
    get: (key) => this.#answer(() => this.#data.ledger.get(key)),
  };

  commit(change: StateChange): Promise<void> {
    return this.#answer(() => {
      const data = this.#data;
      checkChange(data.head, change);
      const names = change.ids.map(([id]) => encodeHex(id));
      change.ids.forEach(([, index], i) => {
        const name = names[i] ?? '';
        if (data.ids.has(name) || names.indexOf(name) !== i) throw repeatedId(index);
      });
      change.entries.forEach((entry, i) => data.entries.set(change.oldSize + i, entry.slice()));
      change.ids.forEach(([, index], i) => data.ids.set(names[i] ?? '', index));
      for (const [key, value] of change.ledger) {
        if (value === null) data.ledger.delete(key);
        else data.ledger.set(key, value.slice());
      }
      for (let index = data.head.sealedTo; index < change.sealedTo; index++) data.entries.delete(index);
      data.head = {
        size: change.oldSize + change.entries.length,
        edge: change.edge.slice(),
        sealedTo: change.sealedTo,
        signedSize: change.signedSize,
        publishedSize: change.publishedSize,
        commitNumber: data.head.commitNumber + 1,
      };
    });
  }

  entries(from: number, to: number): Promise<Uint8Array[]> {
    return this.#answer(() =>
      Array.from({ length: Math.max(0, to - from) }, (_, i) => {
        const entry = this.#data.entries.get(from + i);
        if (!entry) throw damaged(`state: entry ${from + i} is missing`);
        return entry;
      }),
    );
  }

  lookup(id: Uint8Array): Promise<number | undefined> {
    return this.#answer(() => this.#data.ids.get(encodeHex(id)));
  }

  witnessSize(name: string): Promise<number | undefined> {
    return this.#answer(() => this.#data.witnesses.get(name));
  }

  putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void> {
    return this.#answer(() => {
      for (const [name, size] of sizes) this.#data.witnesses.set(name, size);
    });
  }

  scrub(): Promise<StateCounts> {
    const { entries, ids, ledger } = this.#data;
    return this.#answer(() => ({ entries: entries.size, ids: ids.size, ledger: ledger.size }));
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #answer<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.#closed) throw new StorageError('closed', 'state: it was closed', 'open it again');
    return work();
  }
}

/** The lock beside a key, in memory. `holder` is shared by all who contend for one key. */
export function memoryKeyLock(holder: { held: boolean; mark: SignedMark | undefined }): KeyLock {
  if (holder.held)
    throw new StorageError('locked', 'the key is in use in this process', 'close the other one first');
  holder.held = true;
  return {
    get mark() {
      return holder.mark;
    },
    writeMark(mark) {
      holder.mark = mark;
      return Promise.resolve();
    },
    close() {
      holder.held = false;
      return Promise.resolve();
    },
  };
}
