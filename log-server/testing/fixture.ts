import { after } from 'node:test';
import { newSigningKey, encodeUtf8, formatVkey, parsePolicy } from '../../tlog/index.js';
import type { Policy, SigningKey } from '../../tlog/index.js';
import { admitAnything } from '../admission.js';
import { localSigner } from '../head-signer.js';
import type { Level, Logger } from '../logger.js';
import { runLog } from '../running.js';
import type { OpenedLog, RunningLog } from '../running.js';
import type { LogSettings } from '../settings.js';
import { ManualClock } from './manual-clock.js';
import { MemoryStorage } from './memory-storage.js';

export const ORIGIN = 'log.example/test';

/** A key of a test: its seed is the byte repeated. */
export function testKey(name: string, type: number, byte: number): SigningKey {
  return newSigningKey(name, type, new Uint8Array(32).fill(byte));
}

export const LOG_KEY: SigningKey = testKey(ORIGIN, 1, 1);

/** The policy with this log's key and the lines given. */
export function testPolicy(lines: readonly string[] = ['quorum none']): Policy {
  return parsePolicy(encodeUtf8(`log ${formatVkey(LOG_KEY.vkey)}\n${lines.join('\n')}\n`));
}

/** Keeps what a server says. */
export class RecordingLogger implements Logger {
  readonly lines: { level: Level; message: string; fields: Record<string, unknown> }[] = [];

  log(level: Level, message: string, fields: Record<string, unknown> = {}): void {
    this.lines.push({ level, message, fields });
  }

  alarms(): string[] {
    return this.lines.filter((line) => line.level === 'alarm').map((line) => line.message);
  }
}

/** A log in memory, started, on a clock of its own. */
export interface Fixture {
  readonly log: RunningLog;
  readonly storage: MemoryStorage;
  readonly clock: ManualClock;
  readonly logger: RecordingLogger;
  /** Shuts down, letting as much time pass as it wants. */
  readonly close: () => Promise<void>;
}

/** Starts one. It admits anything unless told otherwise. */
export async function startFixture(
  options: {
    settings?: Partial<LogSettings>;
    opened?: Partial<OpenedLog>;
    storage?: MemoryStorage;
    clock?: ManualClock;
  } = {},
): Promise<Fixture> {
  const storage = options.storage ?? new MemoryStorage(ORIGIN);
  const clock = options.clock ?? new ManualClock();
  const logger = new RecordingLogger();
  const log = await runLog(
    {
      storage,
      signer: localSigner([LOG_KEY]),
      policy: testPolicy(),
      admission: admitAnything,
      ...options.opened,
    },
    {
      folder: '/nowhere',
      listen: { host: '127.0.0.1', port: 0 },
      admission: 'none',
      clock,
      logger,
      ...options.settings,
    },
  );
  const close = async (): Promise<void> => {
    const closing = log.close().then(() => true);
    for (;;) {
      const turn = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
      if (await Promise.race([closing, turn])) return;
      clock.advance(1000);
    }
  };
  // A test that fails before it closes must not keep its process alive.
  after(close);
  return { log, storage, clock, logger, close };
}
