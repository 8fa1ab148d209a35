import type { Clock } from '../tlog/index.js';
import type { Fetch } from '../client/index.js';
import type { HttpLimits } from './http/listen.js';
import type { Logger } from './logger.js';
import type { SequencerLimits } from './sequencer.js';
import type { LogStepHook } from './steps.js';

/** What a running log needs to be told. */
export interface LogSettings {
  /** The log's folder, made by `init`: keys, policy, charter and `data/`. */
  readonly folder: string;
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** `none` logs any bytes: no rules, no deduplication, no charter, no anchors. */
  readonly admission: 'none' | 'charter';
  /** A tlog-policy file's bytes; without them, the folder's own `policy`. */
  readonly policy?: Uint8Array;
  /** Write partial tiles and bundles too, so that the folder alone is a complete log. */
  readonly publishPartials?: boolean;
  /** Bytes that must be free for anything to be committed; storage's own where nothing is said. */
  readonly reserveBytes?: number;
  /** Witnesses, by the policy's names, that the operator leaves out of the gate and of cosigning. */
  readonly leaveOut?: readonly string[];
  /** Witnesses of which the operator says that what they had cosigned before does not count. */
  readonly addAnew?: readonly string[];
  readonly limits?: Partial<LogLimits>;
  readonly clock: Clock;
  readonly fetch?: Fetch;
  readonly step?: LogStepHook;
  readonly logger?: Logger;
}

/** Every bound and interval of a log server, each with its default in `DEFAULT_LIMITS`. */
export interface LogLimits extends SequencerLimits, HttpLimits {
  /** Least time from the beginning of one head to that of the next, milliseconds. Default: 1000, and 0 with `quorum none`. */
  readonly publishIntervalMs: number;
  /** How long one head may be in collection, milliseconds. */
  readonly collectionTimeoutMs: number;
  /** One exchange with a witness, milliseconds. */
  readonly witnessTimeoutMs: number;
  /** How long a shutdown waits for what is under way, milliseconds. */
  readonly drainMs: number;
  /** Bytes of a request body to `POST /add`: an envelope in any JSON encoding is longer than its leaf. */
  readonly bodyBytes: number;
  /** Bytes of all request bodies together, from their first byte to their answer. Above it: 503 busy. */
  readonly bodiesBytes: number;
  /** Bytes of entry bundles on their way to readers, all together. Above it: 503 busy. */
  readonly answerBytes: number;
  /** Entries per second of one participant, and how many at once after a pause. 0: no limit. */
  readonly ratePerParticipant: number;
  readonly burstPerParticipant: number;
}

/** What holds unless it is said otherwise. */
export const DEFAULT_LIMITS: Omit<LogLimits, 'publishIntervalMs'> = {
  queueEntries: 16_384,
  queueBytes: 256 * 1024 * 1024,
  answerBytes: 256 * 1024 * 1024,
  batchEntries: 4096,
  batchBytes: 16 * 1024 * 1024,
  backlog: 65_536,
  connections: 8192,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  stallTimeoutMs: 120_000,
  collectionTimeoutMs: 15_000,
  witnessTimeoutMs: 10_000,
  drainMs: 30_000,
  bodyBytes: 256 * 1024,
  bodiesBytes: 128 * 1024 * 1024,
  ratePerParticipant: 100,
  burstPerParticipant: 1000,
};
