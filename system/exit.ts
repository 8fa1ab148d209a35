// What a command ends with, the same for all three programs: scripts branch on the status and on the
// error's code, which never changes; people read the message (expected, found) and the hint (what to do).
// docs/config.md prints both tables.
import { SteleError } from '../tlog/index.js';

/** The exit statuses of every command. */
export const EXIT = {
  /** Done; everything checked held. */
  ok: 0,
  /** Something that was checked does not hold, was refused, does not exist, or broke. */
  failed: 1,
  /** The command line, a setting or an input file cannot be used. */
  usage: 2,
  /** The network, a server, or what somebody else holds; the same command may succeed later. */
  network: 3,
  /** The log is there, but too few witnesses have cosigned for the policy. */
  quorum: 4,
  /** Somebody signed two histories; the evidence was written to the file named, or is where it says. */
  misbehaviour: 5,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Their meanings, as every program's help, README.md and docs/config.md have them. */
export const EXIT_MEANINGS: Readonly<Record<ExitStatus, string>> = {
  0: 'fine',
  1: 'failed: a check, a refusal, something named that is not there, or a folder that is not as it should be',
  2: 'usage, or input that cannot be read',
  3: 'try again: the network, a folder or address that is taken, or nowhere to put the answer',
  4: 'quorum not met',
  5: 'misbehaviour proven; the answer says where the evidence is',
};

/**
 * The status that goes with an error's code, of all programs; 1 where nothing is said. An error about
 * something that the user named is 2 whatever its code: see asInput.
 */
export const STATUS_OF_CODE: Readonly<Record<string, ExitStatus>> = {
  // Whoever asked can do better: a flag, a file, a mode, a folder.
  usage: EXIT.usage,
  missing_option: EXIT.usage,
  unreadable: EXIT.usage,
  no_file: EXIT.usage,
  no_permission: EXIT.usage,
  wrong_user: EXIT.usage,
  no_key: EXIT.usage,
  key_exposed: EXIT.usage,
  bad_signing_key: EXIT.usage,
  bad_config: EXIT.usage,
  no_policy: EXIT.usage,
  policy_does_not_fit: EXIT.usage,
  policy_not_in_force: EXIT.usage,
  no_charter: EXIT.usage,
  not_empty: EXIT.usage,
  bad_origin: EXIT.usage,
  bad_predecessor: EXIT.usage,
  no_log_here: EXIT.usage,
  already_exists: EXIT.usage,
  wrong_admission: EXIT.usage,
  freeze_kept: EXIT.usage,
  old_format: EXIT.usage,
  no_log_keys: EXIT.usage,
  bad_consent: EXIT.usage,
  consents_missing: EXIT.usage,
  no_overlap: EXIT.usage,
  bad_folder: EXIT.usage,
  bad_log: EXIT.usage,
  bad_peer: EXIT.usage,
  bad_key: EXIT.usage,
  bad_url: EXIT.usage,
  already_there: EXIT.usage,
  // Not the input's fault, wherever it comes up.
  storage_failed: EXIT.failed,
  disk_full: EXIT.failed,
  state_damaged: EXIT.failed,
  state_failed: EXIT.failed,
  // Later it may go.
  locked: EXIT.network,
  lock_failed: EXIT.network,
  address_taken: EXIT.network,
  address_unavailable: EXIT.network,
  output_failed: EXIT.network,
  unreachable: EXIT.network,
  timeout: EXIT.network,
  redirected: EXIT.network,
  bad_status: EXIT.network,
  bad_reply: EXIT.network,
  too_large: EXIT.network,
  quorum_not_met: EXIT.quorum,
  quorum_unreachable: EXIT.quorum,
  inconsistent: EXIT.misbehaviour,
};

/** An error with the exit status that belongs to it. */
export class CliError extends SteleError {
  readonly status: ExitStatus;

  constructor(status: ExitStatus, code: string, message: string, hint = '', options?: ErrorOptions) {
    super(code, message, hint, options);
    this.status = status;
  }
}

/** The exit status of an error; a bug of ours ends as `failed` too, never as success. */
export function statusOf(error: unknown): ExitStatus {
  return error instanceof CliError
    ? error.status
    : (STATUS_OF_CODE[describeError(error).code] ?? EXIT.failed);
}

/**
 * Runs `read` on an input of the user's; what is wrong with it is status 2 and names the input.
 * `what` is how the user named it: a path, a flag.
 */
export function asInput<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof CliError || !(cause instanceof SteleError)) throw cause;
    // Some parsers name their kind of input themselves.
    const message = cause.message.startsWith(`${what}: `) ? cause.message : `${what}: ${cause.message}`;
    throw new CliError(EXIT.usage, cause.code, message, cause.hint, { cause });
  }
}

/** The same for work that takes several inputs and says itself which is wrong; what the table says goes first. */
export async function asInputs<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof CliError || !(cause instanceof SteleError) || cause.code in STATUS_OF_CODE)
      throw cause;
    throw new CliError(EXIT.usage, cause.code, cause.message, cause.hint, { cause });
  }
}

/** What is said of an error. */
export interface Failure {
  /** Never changes once released. */
  readonly code: string;
  readonly message: string;
  /** What to do. */
  readonly hint: string;
}

/** What the system says no with, in our words. */
const SYSTEM: Readonly<Record<string, readonly [code: string, hint: string]>> = {
  EADDRINUSE: ['address_taken', 'another program listens there: stop it, or name another with --listen'],
  EADDRNOTAVAIL: [
    'address_unavailable',
    'this machine has no such address: name one of its own with --listen',
  ],
  ENOTFOUND: ['address_unavailable', 'no such host: name an address of this machine with --listen'],
  ECONNREFUSED: ['unreachable', 'nobody listens there: is it running, and is the address right?'],
  EACCES: ['no_permission', 'mend the owner or the mode of what is named, or run as the user who owns it'],
  EPERM: ['no_permission', 'mend the owner or the mode of what is named, or run as the user who owns it'],
  EROFS: ['no_permission', 'it lies on a file system that is mounted read-only'],
  ENOENT: ['no_file', 'check the path'],
  EEXIST: ['already_exists', 'something else is there by that name: move it away, or name another path'],
  ENOTDIR: ['no_file', 'check the path: a part of it is a file, not a folder'],
  EISDIR: ['no_file', 'check the path: it is a folder, not a file'],
  ELOOP: ['no_file', 'check the path: its links lead round in a circle'],
  ENAMETOOLONG: ['no_file', 'check the path: a name in it is longer than the file system takes'],
  ENOSPC: ['disk_full', 'free space, then run this again'],
  EDQUOT: ['disk_full', 'free space, then run this again'],
  EMFILE: ['too_many_files', 'raise the limit of open files (ulimit -n)'],
  ENFILE: [
    'too_many_files',
    'the whole machine has too many files open: end what does, or raise fs.file-max',
  ],
  EIO: ['disk_failed', 'look at the disk: the system could not read or write it'],
  ESTALE: ['disk_failed', 'the file server does not know it any more: mount its file system anew'],
};

/** Code, message and hint of anything thrown. What is neither ours nor the system's is a bug and says so. */
export function describeError(error: unknown): Failure {
  if (error instanceof SteleError) return { code: error.code, message: error.message, hint: error.hint };
  const errno = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = SYSTEM[errno];
  if (known !== undefined && error instanceof Error) {
    return { code: known[0], message: error.message, hint: known[1] };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', message, hint: 'this is a bug in stele: please report it with the lines above' };
}
