import { CompactRange, decodeUtf8, encodeHex, encodeUtf8, parseDecimal } from '../../tlog/index.js';
import { type Database, openDatabase } from './database.js';
import { StorageError, damaged, reason } from './error.js';
import { KEPT_COMMITS, checkChain, readValue, walk } from './level-read.js';
import {
  HEAD_KEY,
  type Sealed,
  type StoredHead,
  Tally,
  chainDigest,
  commitKey,
  entryKey,
  formatCommitRecord,
  formatHead,
  idKey,
  ledgerKey,
  parseHead,
  seal,
  showKey,
  unseal,
  witnessKey,
} from './records.js';
import { checkChange, repeatedId } from './rules.js';
import type { Head, KeyedReader, StateChange, StateCounts, TreeState } from './types.js';
import { AbsentNames, ValueCache } from './value-cache.js';

/** Values of the ledger that are kept: a thousand participants' keys and some anchors. */
const VALUES_KEPT = 2048;
/** Names that are remembered not to be there: those of all entries that may wait for their commit. */
const ABSENT_KEPT = 16_384;

/**
 * TreeState on LevelDB, which gives atomicity but not integrity: see records.ts for the checksums,
 * chain and sums that find what it loses, bends or forgets.
 */
export class LevelTreeState implements TreeState {
  readonly #db: Database;
  readonly #release: () => Promise<void>;
  readonly #values = new ValueCache(VALUES_KEPT);
  /** Identities, in hex, and keys of the ledger. */
  readonly #absentIds = new AbsentNames(ABSENT_KEPT);
  readonly #absentKeys = new AbsentNames(2 * ABSENT_KEPT);
  #head: StoredHead;
  #writing = false;
  #failed: StorageError | undefined;

  private constructor(db: Database, release: () => Promise<void>, head: StoredHead) {
    this.#db = db;
    this.#release = release;
    this.#head = head;
  }

  /** Makes an empty state. Throws StorageError "already_exists", "locked", "storage_failed". */
  static async create(folder: string): Promise<LevelTreeState> {
    const { db, close } = await openDatabase(folder, true);
    try {
      for await (const key of db.keys({ limit: 1 })) {
        throw new StorageError(
          'already_exists',
          `${folder} holds a state already (${showKey(key)})`,
          'choose another folder',
        );
      }
      const chain = new Uint8Array(32);
      const head: StoredHead = {
        size: 0,
        edge: [],
        sealedTo: 0,
        signedSize: 0,
        publishedSize: 0,
        commitNumber: 0,
        chain,
        ids: new Tally(),
        ledger: new Tally(),
      };
      const puts = [seal(commitKey(0), formatCommitRecord(chain, chain)), seal(HEAD_KEY, formatHead(head))];
      await db.batch(
        puts.map(({ key, value }) => ({ type: 'put', key, value })),
        { sync: true },
      );
      return new LevelTreeState(db, close, head);
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Opens and checks the head and the chain. Throws StorageError "state_damaged" or "locked". */
  static async open(folder: string): Promise<LevelTreeState> {
    const { db, close } = await openDatabase(folder, false);
    try {
      const stored = await readValue(db, HEAD_KEY);
      if (stored === undefined) {
        throw damaged(`state: ${folder} has no head: a file of it is gone, or it was never initialised`);
      }
      const head = parseHead(stored);
      await checkChain(db, head);
      return new LevelTreeState(db, close, head);
    } catch (error) {
      await close();
      throw error;
    }
  }

  get head(): Head {
    return this.#head;
  }

  /** Root of the tree as the stored edge gives it. */
  rootHash(): Uint8Array {
    return new CompactRange(this.#head.size, this.#head.edge).root();
  }

  /**
   * Whether the sums beside the head are those of exactly these identities and ledger keys: together
   * with {@link scrub}, whether the state holds them and nothing else, without a look-up for each.
   */
  holdsExactly(
    ids: Iterable<readonly [id: Uint8Array, index: number]>,
    ledger: Iterable<readonly [key: string, value: Uint8Array]>,
  ): boolean {
    const idTally = new Tally();
    const ledgerTally = new Tally();
    for (const [id, index] of ids) idTally.add(seal(idKey(id), encodeUtf8(String(index))).digest);
    for (const [key, value] of ledger) ledgerTally.add(seal(ledgerKey(key), value).digest);
    return idTally.equals(this.#head.ids) && ledgerTally.equals(this.#head.ledger);
  }

  readonly ledger: KeyedReader = { get: (key) => this.#readLedger(key) };

  async commit(change: StateChange): Promise<void> {
    this.#check();
    checkChange(this.#head, change);
    await this.#write(async () => {
      const head = this.#head;
      const ids = head.ids.clone();
      const ledger = head.ledger.clone();
      const puts: Sealed[] = change.entries.map((entry, i) => seal(entryKey(head.size + i), entry));
      const deleted: Uint8Array[] = [];

      const names = change.ids.map(([id]) => encodeHex(id));
      const idKeys = change.ids.map(([id]) => idKey(id));
      const known = await this.#readPresent(idKeys, names, this.#absentIds);
      const batchIds = new Set<string>();
      change.ids.forEach(([, index], i) => {
        const [name = '', key = HEAD_KEY] = [names[i], idKeys[i]];
        if (known[i] !== undefined || batchIds.has(name)) throw repeatedId(index);
        batchIds.add(name);
        const put = seal(key, encodeUtf8(String(index)));
        ids.add(put.digest);
        puts.push(put);
      });

      const ledgerKeys = [...change.ledger.keys()];
      const changes = [...change.ledger].map(([key, value]) => ({ key: ledgerKey(key), value }));
      const keys = changes.map(({ key }) => key);
      const before = await this.#readPresent(keys, ledgerKeys, this.#absentKeys);
      changes.forEach(({ key, value }, i) => {
        const old = before[i];
        if (old !== undefined) ledger.remove(unseal(key, old).digest);
        if (value === null) {
          deleted.push(key);
        } else {
          const put = seal(key, value);
          ledger.add(put.digest);
          puts.push(put);
        }
      });

      for (let index = head.sealedTo; index < change.sealedTo; index++) deleted.push(entryKey(index));

      const commitNumber = head.commitNumber + 1;
      const chain = chainDigest(head.chain, puts, deleted);
      puts.push(seal(commitKey(commitNumber), formatCommitRecord(head.chain, chain)));
      if (commitNumber >= KEPT_COMMITS) deleted.push(commitKey(commitNumber - KEPT_COMMITS));
      const next: StoredHead = {
        size: head.size + change.entries.length,
        edge: change.edge.slice(),
        sealedTo: change.sealedTo,
        signedSize: change.signedSize,
        publishedSize: change.publishedSize,
        commitNumber,
        chain,
        ids,
        ledger,
      };
      puts.push(seal(HEAD_KEY, formatHead(next)));
      await this.#land(puts, deleted);
      this.#values.forget(ledgerKeys);
      this.#absentKeys.forget(ledgerKeys);
      this.#absentIds.forget(names);
      this.#head = next;
    });
  }

  async entries(from: number, to: number): Promise<Uint8Array[]> {
    this.#check();
    const indexes = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
    const values = await this.#readMany(indexes.map(entryKey));
    return indexes.map((index, i) => {
      const value = values[i];
      if (value === undefined) {
        throw damaged(
          `state: entry ${index} is missing; expected all of [${this.#head.sealedTo}, ${this.#head.size})`,
        );
      }
      return unseal(entryKey(index), value).payload;
    });
  }

  async lookup(id: Uint8Array): Promise<number | undefined> {
    const value = await this.#find(encodeHex(id), idKey(id), this.#absentIds);
    return value && parseDecimal(decodeUtf8(value), 'leaf index');
  }

  async witnessSize(name: string): Promise<number | undefined> {
    const value = await this.#read(witnessKey(name));
    return value && parseDecimal(decodeUtf8(value), 'witness size');
  }

  async putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void> {
    this.#check();
    await this.#land(
      [...sizes].map(([name, size]) => seal(witnessKey(name), encodeUtf8(String(size)))),
      [],
    );
  }

  async scrub(signal?: AbortSignal): Promise<StateCounts> {
    this.#check();
    const snapshot = this.#db.snapshot();
    try {
      const stored = await readValue(this.#db, HEAD_KEY, { snapshot });
      if (stored === undefined) throw damaged('state: the head is gone');
      const head = parseHead(stored);
      const ids = new Tally();
      const ledger = new Tally();
      let entries = 0;
      for await (const [key, value] of walk(this.#db, { snapshot })) {
        signal?.throwIfAborted();
        const { digest } = unseal(key, value);
        const tag = String.fromCharCode(key[0] ?? 0);
        if (tag === 'i') ids.add(digest);
        if (tag === 'l') ledger.add(digest);
        if (tag === 'e') entries++;
      }
      sameTally('leaf index', head.ids, ids);
      sameTally('ledger', head.ledger, ledger);
      if (entries !== head.size - head.sealedTo) {
        throw damaged(`state: expected ${head.size - head.sealedTo} unsealed entries, found ${entries}`);
      }
      return { entries, ids: ids.count, ledger: ledger.count };
    } finally {
      await snapshot.close();
    }
  }

  async close(): Promise<void> {
    this.#failed ??= new StorageError('closed', 'state: it was closed', 'open the folder again');
    await this.#release();
  }

  #check(): void {
    if (this.#failed) throw this.#failed;
  }

  async #readLedger(key: string): Promise<Uint8Array | undefined> {
    const kept = this.#values.get(key);
    if (kept !== undefined) {
      this.#check();
      return kept;
    }
    const before = this.#head;
    const value = await this.#find(key, ledgerKey(key), this.#absentKeys);
    // What was read before a commit landed may be of the ledger before it.
    if (value !== undefined && before === this.#head) this.#values.keep(key, value);
    return this.#values.get(key) ?? value;
  }

  /** The value of a row, unless it is known that there is none. */
  async #find(name: string, key: Uint8Array, absent: AbsentNames): Promise<Uint8Array | undefined> {
    this.#check();
    if (absent.has(name)) return undefined;
    const before = this.#head;
    const value = await this.#read(key);
    // A commit that landed meanwhile may have written it.
    if (value === undefined && before === this.#head) absent.add(name);
    return value;
  }

  async #read(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#check();
    return readValue(this.#db, key);
  }

  /** As stored, with the checksums. */
  async #readMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    try {
      return await this.#db.getMany(keys);
    } catch (cause) {
      throw damaged(`state: it cannot be read: ${reason(cause)}`, cause);
    }
  }

  /** As stored; what is known not to be there is not looked for. */
  async #readPresent(
    keys: readonly Uint8Array[],
    names: readonly string[],
    absent: AbsentNames,
  ): Promise<(Uint8Array | undefined)[]> {
    const missing = names.map((name) => absent.has(name));
    const found = await this.#readMany(keys.filter((_, i) => missing[i] !== true));
    let next = 0;
    return missing.map((is) => (is ? undefined : found[next++]));
  }

  async #write(work: () => Promise<void>): Promise<void> {
    if (this.#writing) {
      throw new StorageError('size_conflict', 'commit: another commit is under way', 'one at a time');
    }
    this.#writing = true;
    try {
      await work();
    } finally {
      this.#writing = false;
    }
  }

  /** The one place that writes: synced, and whatever goes wrong may still have landed. */
  async #land(puts: readonly Sealed[], deleted: readonly Uint8Array[]): Promise<void> {
    try {
      // Chained: of a list of operations `level` makes a copy each, which cost a sixth of all that an add costs.
      const batch = this.#db.batch();
      for (const { key, value } of puts) batch.put(key, value);
      for (const key of deleted) batch.del(key);
      await batch.write({ sync: true });
    } catch (cause) {
      this.#failed ??= new StorageError(
        'outcome_unknown',
        `state: a write failed and may have landed or not: ${reason(cause)}`,
        'the log stops; starting it again finds out which',
        { cause },
      );
      throw this.#failed;
    }
  }
}

function sameTally(what: string, expected: Tally, found: Tally): void {
  if (expected.equals(found)) return;
  throw damaged(
    `state: ${what}: expected ${expected.count} keys with sum ${expected.sum}, found ${found.count} with sum ${found.sum}`,
  );
}
