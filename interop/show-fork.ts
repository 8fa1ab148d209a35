/**
 * Shows a witness another history than a log's own, under the log's key: what it answers to the log after
 * that is for the log's gate. `node dist/interop/show-fork.js URL VKEY KEYFILE SIZE`. The witness must have
 * the log configured and have lost, or never had, what it cosigned of it.
 */
import { readFileSync } from 'node:fs';
import { WitnessClient } from '../client/index.js';
import { formatCheckpoint, parseSigningKey, parseVkey, signNote, treeRoot } from '../tlog/index.js';
import { treeReader } from './tree.js';

const [url = '', vkey = '', keyFile = '', size = ''] = process.argv.slice(2);
const log = parseSigningKey(readFileSync(keyFile, 'utf8').trimEnd());
const rootHash = await treeRoot(Number(size), treeReader(Number(size), 'another ').read);
const text = formatCheckpoint({ origin: log.name, size: Number(size), rootHash, extensions: [] });
const client = new WitnessClient({ url, vkeys: [parseVkey(vkey)] });
const result = await client.addCheckpoint({ oldSize: 0, proof: [], note: signNote(text, [log]) });
console.log(JSON.stringify({ kind: result.kind, size: Number(size) }));
if (result.kind !== 'cosigned') process.exitCode = 1;
