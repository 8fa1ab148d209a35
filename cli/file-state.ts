// How a file was when it was looked at. A file of its own: the threads that digest load nothing else.

/**
 * What tells that a file is another one, or was written; times in nanoseconds. Inodes do not: file systems over object
 * stores make them up anew.
 */
export interface FileState {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Of what `stat` says of a file. */
export function stateOf({ size, mtimeNs, ctimeNs }: FileState): FileState {
  return { size, mtimeNs, ctimeNs };
}

/** Whether it is the same file, not written between. */
export function sameState(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
