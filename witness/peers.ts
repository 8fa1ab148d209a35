// The other witnesses that this one reads and tells what it learns: peers/<hash of the name>.json
//
//   {"name": "witness.example/w2", "keys": [vkey, …], "url": "https://…", "gossip": true}
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, replaceFile } from '../system/index.js';
import { checkDistinctKeys, formatVkey, isCosignatureType, parseVkey, type Vkey } from '../tlog/index.js';
import { WitnessError } from './errors.js';
import { checkFormat, checkUrl, layout, readKeys } from './folder.js';
import type { Peer } from './gossip/ports.js';

/** Bytes of a peer's file: room for a hundred keys. */
const MAX_PEER_FILE = 256 * 1024;

/** What a peer is, beside its keys. */
export interface PeerOptions {
  /** Monitoring prefix and prefix of the gossip doors; without one, it is read from the logs' checkpoints. */
  url?: string;
  /** Whether it is only read, by C2SP tlog-witness: for witnesses that do not speak spec/gossip.md. */
  c2sp?: boolean;
}

/**
 * Adds a peer, or replaces what is known of the one with that name. A serving witness sees it when it
 * reloads. Throws WitnessError "bad_key", "bad_peer", "bad_folder".
 */
export async function addPeer(
  folder: string,
  vkeys: readonly Vkey[],
  { url, c2sp = false }: PeerOptions = {},
): Promise<Peer> {
  await checkFormat(folder);
  const [first] = vkeys;
  if (!first)
    throw new WitnessError('bad_key', 'expected a verifier key, found none', "give the peer's keys");
  const peer: Peer = {
    name: first.name,
    vkeys,
    ...(url !== undefined && { url: checkUrl(url) }),
    gossip: url !== undefined && !c2sp,
  };
  checkPeer(peer);
  const own = await readKeys(folder);
  if (own.some(({ name }) => name === peer.name)) {
    throw new WitnessError(
      'bad_key',
      `${peer.name}: expected the key of another witness, found this one's name`,
      'a witness is no peer of its own',
    );
  }
  await makeFolder(layout.peers(folder), 0o700);
  const keys = vkeys.map((vkey) => formatVkey(vkey));
  await replaceFile(
    layout.peer(folder, peer.name),
    `${JSON.stringify({ name: peer.name, keys, ...(peer.url !== undefined && { url: peer.url }), gossip: peer.gossip }, null, 2)}\n`,
  );
  return peer;
}

/** All configured peers, in the order of their names. Throws WitnessError "bad_peer". */
export async function readPeers(folder: string): Promise<Peer[]> {
  const peers: Peer[] = [];
  let names: string[];
  try {
    names = await readdir(layout.peers(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  for (const name of names) {
    if (name.endsWith('.tmp')) continue;
    const file = join(layout.peers(folder), name);
    const peer = await readPeer(file);
    if (file !== layout.peer(folder, peer.name)) throw badPeer(file, 'another name than the file has');
    peers.push(peer);
  }
  return peers.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readPeer(file: string): Promise<Peer> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length > MAX_PEER_FILE) throw badPeer(file, 'a file of unlikely length');
    const { name, keys, url, gossip } = JSON.parse(text) as Record<string, unknown>;
    if (typeof name !== 'string' || !Array.isArray(keys) || typeof gossip !== 'boolean') {
      throw badPeer(file, 'other fields');
    }
    if (url !== undefined && typeof url !== 'string') throw badPeer(file, 'a url that is no text');
    if (gossip && url === undefined) throw badPeer(file, 'gossip without a url');
    const vkeys = keys.map((key) => parseVkey(String(key)));
    const peer = { name, vkeys, ...(url !== undefined && { url: checkUrl(url) }), gossip };
    checkPeer(peer);
    return peer;
  } catch (error) {
    if (error instanceof WitnessError && error.code === 'bad_peer') throw error;
    throw badPeer(file, error instanceof Error ? error.message : 'something else', error);
  }
}

/** One name, and keys that cosign. */
function checkPeer({ name, vkeys }: Peer): void {
  checkDistinctKeys([...vkeys]);
  for (const vkey of vkeys) {
    if (vkey.name === name && isCosignatureType(vkey.type)) continue;
    throw new WitnessError(
      'bad_key',
      `${vkey.name}: expected a witness's key of type 4 or 6 with the name ${name}, found type ${vkey.type}`,
      "give one witness's verifier keys, all with its name",
    );
  }
}

function badPeer(file: string, found: string, cause?: unknown): WitnessError {
  return new WitnessError(
    'bad_peer',
    `${file}: expected {"name": …, "keys": [vkey, …], "url": …, "gossip": …}, found ${found}`,
    'mend the file, or remove it and add the peer again',
    { cause },
  );
}
