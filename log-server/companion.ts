import type { PublishedHead } from './head.js';
import type { Receipt } from './sequencer.js';

/** What a companion may do. */
export interface CompanionView {
  /** As `POST /add`, for entries that only the server makes. */
  submit(body: Uint8Array): Promise<Receipt>;
  published(): PublishedHead | undefined;
  /** Says whom to tell of each publication; one listener, for good. */
  onPublished(listener: () => void): void;
  /** Signs nothing more until a human has looked. */
  stop(message: string): void;
  /** Resolves when the gate is open. */
  readonly opened: Promise<void>;
}

/** Makes the log's own entries: the charter, the anchors. */
export interface Companion {
  /** `starting` until submitters may write, `frozen` when they may no more. */
  readonly state: 'starting' | 'ready' | 'frozen';
  /** Seconds between its entries in an idle log; undefined until that is known. */
  readonly anchorInterval?: number | undefined;
  /** Runs until the signal aborts or there is nothing more to do. */
  run(log: CompanionView, signal: AbortSignal): Promise<void>;
}
