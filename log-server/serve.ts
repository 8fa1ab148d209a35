import { once } from 'node:events';
import { systemClock } from '../system/index.js';
import { startLog } from './index.js';
import { jsonLogger } from './logger.js';
import type { Level } from './logger.js';
import type { LogLimits } from './settings.js';

/** What `stele-log serve` is told. */
export interface ServeOptions {
  readonly folder: string;
  readonly admission: 'charter' | 'none';
  readonly listen: { readonly host: string; readonly port: number };
  readonly policy?: Uint8Array | undefined;
  readonly publishPartials?: boolean;
  readonly leaveOut?: readonly string[];
  readonly addAnew?: readonly string[];
  readonly publishInterval?: number;
  readonly collectionTimeout?: number;
  readonly witnessTimeout?: number;
  readonly backlog?: number;
  readonly rate?: number;
  /** MiB. */
  readonly reserve?: number;
  readonly logLevel: Level;
  /** Called once it listens, with the log's URL. */
  readonly onListening: (url: string) => void;
}

/**
 * Serves until SIGTERM or SIGINT, then drains. A second
 * signal ends the process at once: nothing that was acknowledged is lost by it.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { folder, admission, listen, policy, publishPartials, reserve, leaveOut, addAnew } = options;
  const logger = jsonLogger(
    (line) => process.stderr.write(line),
    () => systemClock.now(),
    options.logLevel,
  );
  const log = await startLog({
    folder,
    admission,
    listen,
    clock: systemClock,
    logger,
    limits: limitsOf(options),
    ...(policy && { policy }),
    ...(publishPartials && { publishPartials }),
    ...(reserve !== undefined && { reserveBytes: reserve * 1024 * 1024 }),
    ...(leaveOut && { leaveOut }),
    ...(addAnew && { addAnew }),
  });
  options.onListening(log.url);
  const signal = await Promise.race(
    ['SIGTERM', 'SIGINT'].map((name) => once(process, name).then(() => name)),
  );
  logger.log('info', 'shutting down', { signal });
  for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => process.exit(1));
  await log.close();
}

function limitsOf(options: ServeOptions): Partial<LogLimits> {
  const { publishInterval, collectionTimeout, witnessTimeout, backlog, rate } = options;
  return {
    ...(publishInterval !== undefined && { publishIntervalMs: publishInterval }),
    ...(collectionTimeout !== undefined && { collectionTimeoutMs: collectionTimeout }),
    ...(witnessTimeout !== undefined && { witnessTimeoutMs: witnessTimeout }),
    ...(backlog !== undefined && { backlog }),
    ...(rate !== undefined && { ratePerParticipant: rate, burstPerParticipant: 10 * rate }),
  };
}
