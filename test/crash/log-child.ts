// A log in a process of its own that kills itself: log-child.js JSON, with the options below.
// At the COUNTth time that STEP is reached it is gone, as by SIGKILL from outside.
import { jsonLogger, startLog } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';
import type { LogStep } from '../../log-server/index.js';

/** What the child is told, as JSON in its one argument. */
export interface ChildOptions {
  readonly folder: string;
  readonly admission: 'none' | 'charter';
  readonly kill?: { readonly step: LogStep; readonly count: number };
}

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;
const { folder, admission, kill } = options;
let left = kill?.count ?? 0;
const log = await startLog({
  folder,
  admission,
  listen: { host: '127.0.0.1', port: 0 },
  clock: systemClock,
  publishPartials: true,
  limits: { publishIntervalMs: 0, ratePerParticipant: 0 },
  logger: jsonLogger(
    (line) => process.stderr.write(line),
    () => Date.now(),
  ),
  step(name) {
    if (name !== kill?.step || --left > 0) return undefined;
    process.kill(process.pid, 'SIGKILL');
    // Nothing more happens in this process.
    return new Promise(() => undefined);
  },
});
process.once('SIGTERM', () => void log.close());
process.stdout.write(`${log.url}\n`);
