import type { HttpBindings } from '@hono/node-server';
import type { Clock, Policy, Vkey } from '../../tlog/index.js';
import type { Bodies } from '../../system/index.js';
import type { PublishedHead } from '../head.js';
import type { Logger } from '../logger.js';
import type { LogMetrics } from '../metrics.js';
import type { Readiness } from '../readiness.js';
import type { Receipt } from '../sequencer.js';
import type { QueryIndex } from '../search/query-index.js';
import type { LogStorage } from '../storage/types.js';

/** What the HTTP side sees of the log: nothing that could commit or sign but `submit`. */
export interface LogView {
  readonly storage: LogStorage;
  readonly admission: 'none' | 'charter';
  /** The policy in force, and the log's own keys. */
  readonly policy: Policy;
  readonly vkeys: readonly Vkey[];
  readonly logger: Logger;
  /** Bytes of a request body to `POST /add`. */
  readonly maxBody: number;
  /** Holds all request bodies. */
  readonly bodies: Bodies;
  /** Bytes of entry bundles that may be on their way to readers at one time. */
  readonly answerBytes: number;
  submit(body: Uint8Array): Promise<Receipt>;
  published(): PublishedHead | undefined;
  readiness(): Readiness;
  readonly metrics: Pick<LogMetrics, 'text' | 'answered' | 'logged' | 'refused'>;
  /** Where entries are by what they say; none where any bytes are logged. */
  readonly search: Pick<QueryIndex, 'search'> | undefined;
  /** Resolves at the next publication, or when `until` is aborted: then nothing of who asked is kept. */
  news(until: AbortSignal): Promise<void>;
  readonly clock: Clock;
  /** The log ends. */
  readonly signal: AbortSignal;
  /** A short identifier of a request, for logs and their readers. */
  nextRequestId(): string;
}

/** The environment of every handler. */
export interface HttpEnv {
  Bindings: HttpBindings;
  Variables: { requestId: string };
}
