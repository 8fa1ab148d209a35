import { SteleError } from '../tlog/index.js';

/**
 * What can go wrong when a log is read or a witness is asked. Codes:
 *
 * - `unreachable`, `timeout`, `redirected`, `bad_status`: the network or the server; try again.
 * - `too_large`: an answer, or a request of ours, exceeds its limit.
 * - `not_found`: the server says that it has no such resource.
 * - `bad_reply`: an answer that its specification does not allow.
 * - `bad_tile`, `bad_bundle`: bytes that do not hash to the checkpoint's root.
 * - `quorum_not_met`: too few cosignatures for the reader's policy.
 * - `went_back`: the log serves a smaller tree than it did, and nothing shows that it is a prefix.
 * - `inconsistent`: proven misbehaviour, see {@link InconsistentError}.
 * - `bad_checkpoint`: a checkpoint that no log may sign, or a store of last seen ones that mixes logs up.
 * - `out_of_range`: an index or size beyond the checkpoint.
 * - `aborted`: the caller called it off.
 */
export class ClientError extends SteleError {}

/** Two checkpoints under one log's key of which neither tree is a prefix of the other. */
export class InconsistentError extends ClientError {
  /** The signed notes, the one of the smaller tree first, as they came. */
  readonly notes: readonly [Uint8Array, Uint8Array];
  /**
   * Present when the sizes differ: the root, 32 bytes, that the larger tree has at the smaller size.
   * The consistency proof leads from it to the larger tree, which is what makes the pair evidence.
   */
  readonly proven: { rootHash: Uint8Array; proof: Uint8Array[] } | undefined;

  constructor(
    message: string,
    notes: readonly [Uint8Array, Uint8Array],
    proven?: { rootHash: Uint8Array; proof: Uint8Array[] },
  ) {
    super('inconsistent', message, 'keep both checkpoints: together they prove that the log lied');
    this.notes = notes;
    this.proven = proven;
  }
}

/**
 * A checkpoint that is signed by its log and is not believed: `quorum_not_met`, or `bad_checkpoint` for an
 * empty tree with a root. It may still show, by itself or beside another one, that the log lied.
 */
export class RefusedCheckpointError extends ClientError {
  /** The signed note, as it came. */
  readonly note: Uint8Array;

  constructor(code: string, message: string, hint: string, note: Uint8Array) {
    super(code, message, hint);
    this.note = note;
  }
}
