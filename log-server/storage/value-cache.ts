/** Values above this many bytes are not kept. */
const LARGEST = 4096;

/**
 * Values read last, by key: what admission looks at for every entry (a participant's key, the last anchor, the head)
 * is read, checked and decoded once for many. At most `limit` of them; who writes a key must say so, and then the
 * next reader asks the store. What is not there is not remembered.
 */
export class ValueCache {
  readonly #values = new Map<string, Uint8Array>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many are kept. */
  get size(): number {
    return this.#values.size;
  }

  /** The same array for as long as it is kept; nobody writes into it. */
  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  /** Keeps what was read just now. */
  keep(key: string, value: Uint8Array): void {
    if (value.length > LARGEST) return;
    const [oldest] = this.#values.keys();
    if (this.#values.size >= this.#limit && oldest !== undefined && !this.#values.has(key))
      this.#values.delete(oldest);
    // Bytes of its own: what a database gives may be a view of something larger, and so is a slice of a Buffer.
    this.#values.set(key, new Uint8Array(value));
  }

  /** These are written now. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) this.#values.delete(key);
  }
}

/**
 * Names that were looked for and not found: of each entry its identity and what only it writes are, once when it comes,
 * once in its turn and once at its commit. At most `limit` of them; who writes a name must say so.
 */
export class AbsentNames {
  readonly #names = new Set<string>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** It was looked for just now. */
  add(name: string): void {
    const [oldest] = this.#names;
    if (this.#names.size >= this.#limit && oldest !== undefined) this.#names.delete(oldest);
    this.#names.add(name);
  }

  /** These are written now. */
  forget(names: Iterable<string>): void {
    for (const name of names) this.#names.delete(name);
  }
}
