// C2SP tlog-tiles written down as naively as its text allows.

/** N as zero-padded three-digit path elements, all but the last beginning with an x. */
function indexPath(n: bigint): string {
  const last = String(n % 1000n).padStart(3, '0');
  return n < 1000n ? last : `${indexPath(n / 1000n).replace(/([0-9]{3})$/, 'x$1')}/${last}`;
}

/** `tile/<L>/<N>[.p/<W>]`, or `tile/entries/…` for level "entries". Width 256 is a full tile. */
export function referenceTilePath(level: number | 'entries', index: bigint, width: number): string {
  return `tile/${level}/${indexPath(index)}${width === 256 ? '' : `.p/${width}`}`;
}

/** Every path, in order, of the tiles that a tree of `size` leaves consists of. */
export function referenceTiles(size: number): { level: number; index: number; width: number }[] {
  const tiles: { level: number; index: number; width: number }[] = [];
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / 256)) {
    for (let left = count, index = 0; left > 0; left -= 256, index++) {
      tiles.push({ level, index, width: Math.min(left, 256) });
    }
  }
  return tiles;
}

/** "Entry bundles are sequences of big-endian uint16 length-prefixed log entries." */
export function referenceBundle(entries: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(entry.length);
    parts.push(length, entry);
  }
  return new Uint8Array(Buffer.concat(parts));
}
