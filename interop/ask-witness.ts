/**
 * Our client asks a witness of the field, as a log would, and must understand each of its answers:
 * `node dist/interop/ask-witness.js URL VKEY[,VKEY] KEYFILE MEANING`. KEYFILE is the signing key of a
 * log that the witness has configured and has not seen; it is shown a fork of it. MEANING is what it says
 * to another root of the same size: `inconsistent`, or `conflict`.
 */
import { readFileSync } from 'node:fs';
import { WitnessClient } from '../client/index.js';
import type { AddCheckpointResult } from '../client/index.js';
import {
  NOTE_ED25519,
  emptyRoot,
  encodeUtf8,
  formatCheckpoint,
  newSigningKey,
  parseSigningKey,
  parseVkey,
  proveConsistency,
  sha256,
  signNote,
  treeRoot,
} from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { check, same } from './peer.js';
import { treeReader } from './tree.js';

const [url = '', vkeys = '', keyFile = '', sameSize = ''] = process.argv.slice(2);
const log = parseSigningKey(readFileSync(keyFile, 'utf8').trimEnd());
const client = new WitnessClient({ url, vkeys: vkeys.split(',').map(parseVkey) });
const tree = treeReader(1000);
const fork = treeReader(1000, 'another ');

const note = async (key: SigningKey, size: number, of = tree): Promise<Uint8Array> => {
  const rootHash = size === 0 ? emptyRoot() : await treeRoot(size, of.read);
  return signNote(formatCheckpoint({ origin: key.name, size, rootHash, extensions: [] }), [key]);
};

/** What our client made of the answer, in a word. */
const meaning = (result: AddCheckpointResult): string => {
  switch (result.kind) {
    case 'cosigned':
      return `cosigned by ${result.cosignatures.length}`;
    case 'conflict':
      return result.size === undefined ? 'conflict' : `conflict at ${result.size}`;
    case 'unknown-log':
    case 'refused':
      return `${result.kind} ${result.status}`;
    case 'inconsistent':
    case 'silent':
      return result.kind;
  }
};

const asked = async (
  name: string,
  expected: string,
  oldSize: number,
  proof: Uint8Array[],
  sent: Uint8Array,
): Promise<void> =>
  check(`our client asks: ${name}`, async () => {
    const found = meaning(await client.addCheckpoint({ oldSize, proof, note: sent }));
    same(found, expected, 'meaning');
    return found;
  });

const both = `cosigned by ${vkeys.split(',').length}`;
const proof = await proveConsistency(300, 1000, tree.read);
await asked('the empty tree', both, 0, [], await note(log, 0));
await asked('the first entries', both, 0, [], await note(log, 300));
await asked('in step', both, 300, [], await note(log, 300));
await asked('where it stands', 'conflict at 300', 1000, [], await note(log, 1000));
await asked('a wrong proof', 'inconsistent', 300, proof.toReversed(), await note(log, 1000));
// Of a size that the log itself never has here: two trees of one size would convict it.
await asked('a fork that has grown', 'inconsistent', 300, proof, await note(log, 900, fork));
await asked('growth', both, 300, proof, await note(log, 1000));
await asked('an older head', 'conflict at 1000', 300, [], await note(log, 300));
// Last: a witness that keeps proof of it takes nothing more from this log.
await asked('a fork of the same size', sameSize, 1000, [], await note(log, 1000, fork));
const stranger = newSigningKey('unknown.example/log', NOTE_ED25519, sha256(encodeUtf8('unknown')));
await asked('an unknown log', 'unknown-log 404', 0, [], await note(stranger, 300));
