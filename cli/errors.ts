// What a command ends with. Scripts branch on the exit status and on the stable code; people read the
// message (what was expected, what was found) and the hint (what to do).
import { SteleError } from '../tlog/index.js';

/** The exit statuses of every command. */
export const EXIT = {
  /** Done; everything checked held. */
  ok: 0,
  /** Something that was checked does not hold, was refused by the log, or does not exist. */
  failed: 1,
  /** The command line, a setting or an input file cannot be used. */
  usage: 2,
  /** The network or a server; the same command may succeed later. */
  network: 3,
  /** The log is there, but too few witnesses have cosigned for the policy. */
  quorum: 4,
  /** The log contradicts itself; the evidence was written to the file named. */
  misbehaviour: 5,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** An error with the exit status that belongs to it. */
export class CliError extends SteleError {
  readonly status: ExitStatus;

  constructor(status: ExitStatus, code: string, message: string, hint = '', options?: ErrorOptions) {
    super(code, message, hint, options);
    this.status = status;
  }
}

const STATUS_OF_CODE: Readonly<Record<string, ExitStatus>> = {
  no_key: EXIT.usage,
  key_exposed: EXIT.usage,
  bad_signing_key: EXIT.usage,
  unreachable: EXIT.network,
  timeout: EXIT.network,
  redirected: EXIT.network,
  bad_status: EXIT.network,
  bad_reply: EXIT.network,
  too_large: EXIT.network,
  quorum_not_met: EXIT.quorum,
  inconsistent: EXIT.misbehaviour,
};

/** The exit status of an error of ours; a bug of ours ends as `failed` too, never as success. */
export function statusOf(error: unknown): ExitStatus {
  if (error instanceof CliError) return error.status;
  if (error instanceof SteleError) return STATUS_OF_CODE[error.code] ?? EXIT.failed;
  return EXIT.failed;
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
