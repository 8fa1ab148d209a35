// A signing thread that does what the text it is to sign says in its first extension line: `exit`, `throw`,
// `hang`, or `silent`, which answers nothing. Else it signs.
import { parentPort, threadId, workerData } from 'node:worker_threads';
import type { SigningRequest } from '../../system/index.js';
import { newSigningKey, signNoteLine } from '../../tlog/index.js';

const { keys } = workerData as { keys: { name: string; type: number; secret: Uint8Array }[] };

parentPort?.on('message', ({ id, key: number, note }: SigningRequest) => {
  const key = keys[number];
  if (!key) throw new Error('no such key');
  const text = note?.text ?? '';
  const order = text.split('\n')[3] ?? '';
  if (order === 'exit') process.exit(3);
  if (order === 'throw') throw new Error('thrown on purpose');
  if (order === 'hang') for (;;);
  if (order === 'silent') return;
  const { name, type, secret } = key;
  const line = signNoteLine(text, newSigningKey(name, type, secret), note?.timestamp);
  // An answer that nobody asked for, by an ID that is not in hand, changes nothing.
  parentPort?.postMessage({ id: id + 1000, line: `from thread ${threadId}` });
  parentPort?.postMessage({ id, line });
});
