// A witness in a process of its own whose rounds of gossip are asked for: gossip-child.js FOLDER.
// For each line "round" on stdin it makes one, and answers with its status as one line of JSON. SIGHUP reloads.
import { createInterface } from 'node:readline';
import { startWitness } from '../../witness/index.js';

const [folder = ''] = process.argv.slice(2);
const witness = await startWitness({
  folder,
  listen: { host: '127.0.0.1', port: 0 },
  gossip: { drive: 'manual' },
});
process.stdout.write(`${witness.url}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'reload') await witness.reload();
  if (line === 'round') await witness.gossip.round();
  const { rounds, logs } = witness.gossip.status();
  process.stdout.write(
    `${JSON.stringify({ rounds, convicted: logs.flatMap(({ evidence }) => evidence) })}\n`,
  );
}
await witness.close();
