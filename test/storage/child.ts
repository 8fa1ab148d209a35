// A log's storage in a process of its own: child.js FOLDER BATCHES FIRST [STEP COUNT [DATA]].
// Publishes BATCHES batches of 70 entries from FIRST on and prints, for each, "published <size>" once
// that is promised to the world. At the COUNTth time that STEP is reached the process is gone, as by
// SIGKILL from outside. With 0 batches it prints "open" and waits. DATA
// is the log's folder in FOLDER, where the key lies; `data` unless given.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openLogStorage } from '../../log-server/storage/index.js';
import { entriesFrom, optionsFor, publishBatch } from './kit.js';

const [folder = '', batches = '0', first = '0', step, count, data] = process.argv.slice(2);
let left = Number(count ?? 0);
const options = optionsFor(folder, {
  publishPartials: true,
  ...(data !== undefined && { folder: join(folder, data) }),
  step(name) {
    if (name === step && --left === 0) {
      process.kill(process.pid, 'SIGKILL');
      // Nothing more happens in this process.
      return new Promise(() => undefined);
    }
    return undefined;
  },
});

try {
  const storage = await openLogStorage(options);
  if (batches === '0') {
    writeSync(1, 'open\n');
    setInterval(() => undefined, 1000);
  } else {
    for (let i = 0; i < Number(batches); i++) {
      const from = Number(first) + 70 * i;
      // Where it went on, this one may have been committed before the kill.
      const missing = entriesFrom(from, 70).slice(Math.max(0, storage.size - from));
      await publishBatch(storage, missing);
      writeSync(1, `published ${storage.size}\n`);
    }
    await storage.close();
  }
} catch (error) {
  writeSync(1, `${error instanceof Error && 'code' in error ? String(error.code) : String(error)}\n`);
  process.exitCode = 1;
}
