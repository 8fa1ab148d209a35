// A witness in a process of its own that kills itself: witness-child.js FOLDER [STEP COUNT].
// At the COUNTth time that STEP is reached it is gone, as by SIGKILL from outside.
import { startWitness } from '../../witness/index.js';

const [folder = '', step, count] = process.argv.slice(2);
let left = Number(count ?? 0);
const { url } = await startWitness({
  folder,
  listen: { host: '127.0.0.1', port: 0 },
  step(name) {
    if (name === step && --left === 0) {
      process.kill(process.pid, 'SIGKILL');
      // Nothing more happens in this process.
      return new Promise(() => undefined);
    }
    return undefined;
  },
});
process.stdout.write(`${url}\n`);
