import { TILE_WIDTH } from '../../tlog/index.js';
import { StorageError } from './error.js';
import type { Head, StateChange } from './types.js';

function notAllowed(message: string): StorageError {
  return new StorageError('not_allowed', message, 'this is a bug of the caller; nothing was written');
}

/** How many perfect subtrees a tree of this size splits into. */
function subtreeCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/**
 * What every driver of TreeState checks before it writes. Throws StorageError "size_conflict" or
 * "not_allowed".
 */
export function checkChange(head: Head, change: StateChange): void {
  if (change.oldSize !== head.size) {
    throw new StorageError(
      'size_conflict',
      `commit: expected a tree of size ${change.oldSize}, found ${head.size}`,
      'another writer advanced the tree; this one has to stop',
    );
  }
  const size = change.oldSize + change.entries.length;
  if (!Number.isSafeInteger(size)) throw notAllowed(`commit: the tree cannot grow to ${size}`);
  if (change.edge.length !== subtreeCount(size)) {
    throw notAllowed(
      `commit: expected ${subtreeCount(size)} hashes in the edge of a tree of ${size}, found ${change.edge.length}`,
    );
  }
  const { sealedTo } = change;
  if (sealedTo % TILE_WIDTH !== 0 || sealedTo < head.sealedTo || sealedTo > change.oldSize) {
    throw notAllowed(
      `commit: expected a sealed mark from ${head.sealedTo} to ${change.oldSize}, a multiple of ${TILE_WIDTH}, found ${sealedTo}`,
    );
  }
  if (change.signedSize < head.signedSize || change.publishedSize < head.publishedSize) {
    throw notAllowed(
      `commit: signed and published sizes never fall: they are ${head.signedSize} and ${head.publishedSize}, found ${change.signedSize} and ${change.publishedSize}`,
    );
  }
  change.ids.forEach(([id, index], i) => {
    if (id.length !== 32 || index < change.oldSize || index >= size) {
      throw notAllowed(
        `commit: identity ${i}: expected 32 bytes for an index of the batch, found ${id.length} for ${index}`,
      );
    }
  });
}

/** An identity that the state, or the batch itself, has already. */
export function repeatedId(index: number): StorageError {
  return notAllowed(
    `commit: the entry for index ${index} has an identity that is in the tree already: look it up before admission`,
  );
}
