// add-key, retire-key and upgrade in a process of their own that kills itself: rotate-child.js JSON, with the options
// below. When STEP is reached it is gone, as by SIGKILL from outside.
import { addKey, retireKey, upgradeLog } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';

/** What the child is told, as JSON in its one argument. */
export interface RotateChildOptions {
  readonly folder: string;
  readonly work: 'add-key' | 'retire-key' | 'upgrade';
  /** With add-key. */
  readonly mlDsa?: boolean;
  /** With retire-key. */
  readonly keyId?: string;
  readonly kill?: string;
}

const options = JSON.parse(process.argv[2] ?? '{}') as RotateChildOptions;
const { folder, work, mlDsa, keyId = '', kill } = options;
const step = (name: string): Promise<void> => {
  if (name !== kill) return Promise.resolve();
  process.kill(process.pid, 'SIGKILL');
  // Nothing more happens in this process.
  return new Promise(() => undefined);
};
const given = { folder, clock: systemClock, step };
if (work === 'upgrade') await upgradeLog(folder, step);
else if (work === 'add-key') await addKey({ ...given, mlDsa: mlDsa === true });
else await retireKey({ ...given, keyId });
process.stdout.write('done\n');
