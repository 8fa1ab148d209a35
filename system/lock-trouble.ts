/**
 * Why LevelDB, whose folder serves us as a lock, did not open:
 *
 * - `held`: another process has it;
 * - `damaged`: what is in the folder is not what LevelDB left there, or not all of it;
 * - `failed`: the system refused (a full disk, a disk that fails, rights), and nothing is wrong with the lock.
 *
 * `text` is what LevelDB or the system said.
 */
export interface LockTrouble {
  readonly kind: 'held' | 'damaged' | 'failed';
  readonly text: string;
}

/** Reads the error of `level`'s `open()`: its cause has the code and the text. */
export function lockTrouble(error: unknown): LockTrouble {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  // The code alone says that the system call for the lock failed, for whatever reason.
  if (code === 'LEVEL_LOCKED')
    return { kind: /temporarily unavailable|already held/.test(text) ? 'held' : 'failed', text };
  const gone = code === 'LEVEL_NOT_FOUND' || text.includes('No such file');
  return { kind: code === 'LEVEL_CORRUPTION' || gone ? 'damaged' : 'failed', text };
}
