/** The tiles used last: full ones only, which never change. At most 256 of 8 KiB. */
export class TileCache {
  readonly #tiles = new Map<string, Uint8Array>();
  readonly #capacity: number;

  constructor(capacity = 256) {
    this.#capacity = capacity;
  }

  get(path: string): Uint8Array | undefined {
    const tile = this.#tiles.get(path);
    if (tile) {
      // A Map keeps its order of insertion: the first key is the one unused for longest.
      this.#tiles.delete(path);
      this.#tiles.set(path, tile);
    }
    return tile;
  }

  set(path: string, tile: Uint8Array): void {
    this.#tiles.delete(path);
    this.#tiles.set(path, tile);
    for (const oldest of this.#tiles.keys()) {
      if (this.#tiles.size <= this.#capacity) break;
      this.#tiles.delete(oldest);
    }
  }
}
