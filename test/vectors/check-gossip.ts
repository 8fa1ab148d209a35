// What the fast code makes of the proofs that peers owe and of the notes that they show.
import { ClientError, type TileSource } from '../../client/index.js';
import {
  encodeHex,
  encodeUtf8,
  formatTile,
  parseVkey,
  SteleError,
  verifyConsistency,
} from '../../tlog/index.js';
import { formatOwed, parseOwed } from '../../witness/gossip/owed.js';
import { Gossip, type GossipNetwork, type Owed } from '../../witness/index.js';
import { MemoryStore } from '../gossip/world.js';
import { referenceVerdict } from '../reference/evidence.js';
import type { Checker } from './check-tree.js';
import { unhex, type Vector } from './vector.js';

function checkOwed(vector: Vector): string {
  const { oldSize, newSize, newRoot, body } = vector as Vector &
    Record<'oldSize' | 'newSize', number> &
    Record<'newRoot' | 'body', string>;
  let owed: Owed;
  try {
    owed = parseOwed(encodeUtf8(body));
  } catch (error) {
    if (error instanceof SteleError) return 'bad_owed';
    throw error;
  }
  if (formatOwed(owed) !== body) return 'spelt otherwise';
  const { oldRoot, proof } = owed;
  verifyConsistency({ oldSize, oldRoot, newSize, newRoot: unhex(newRoot), proof });
  return encodeHex(oldRoot) === vector['oldRoot'] ? 'ok' : 'mismatch';
}

interface Case extends Vector {
  readonly logs: string[];
  readonly own: string;
  readonly peers: string[];
  readonly cosigned: string;
  readonly met: string[];
  readonly kept: string[];
  readonly owed: { old: number; new: number; body: string }[];
  readonly evidence: string[];
}

/** Tiles of the leaves kept: fewer than 256. */
function tilesOf(leaves: readonly Uint8Array[]): TileSource {
  const none = (): Promise<never> => Promise.reject(new ClientError('not_found', 'not kept'));
  return {
    checkpoint: none,
    bundle: none,
    tile: ({ level, index, width }) =>
      level > 0 || index > 0 || width > leaves.length
        ? none()
        : Promise.resolve(formatTile(leaves.slice(0, width))),
  };
}

function networkOf({ kept, owed }: Case): GossipNetwork {
  const nothing = (): Promise<undefined> => Promise.resolve(undefined);
  const source = tilesOf(kept.map(unhex));
  return {
    latest: nothing,
    published: nothing,
    tiles: () => source,
    push: nothing,
    owed: async (_peer, _origin, oldSize, newSize) => {
      await Promise.resolve();
      const found = owed.find((one) => one.old === oldSize && one.new === newSize);
      return found && parseOwed(encodeUtf8(found.body));
    },
    evidenceList: () => Promise.resolve([]),
    evidence: nothing,
    pushEvidence: nothing,
  };
}

/** What is said of the note, and which files are kept: "ok" if it is on our history. */
async function checkReport(vector: Vector): Promise<string> {
  const found = vector as Case;
  const logs = found.logs.map((text) => parseVkey(text));
  const own = parseVkey(found.own);
  const store = new MemoryStore();
  const gossip = new Gossip({
    network: networkOf(found),
    store,
    clock: { now: () => 0 },
    random: () => 0.5,
    own: () => found.cosigned,
    ownKeys: [own],
  });
  const peers = found.peers.map((text) => parseVkey(text));
  gossip.setPeers(
    peers.map((vkey) => ({ name: vkey.name, vkeys: [vkey], url: 'http://peer', gossip: true })),
  );
  await gossip.setLogs([{ origin: logs[0]?.name ?? '', keys: logs }]);
  const from = { kind: 'peer', name: peers[0]?.name ?? '' } as const;
  for (const note of found.met) await gossip.observe(encodeUtf8(note), from);
  const { note, noteHex } = vector as Vector & { note: string; noteHex?: string };
  const bytes = noteHex === undefined ? encodeUtf8(note) : unhex(noteHex);
  const { kind } = await gossip.observe(bytes, from);
  await gossip.idle();
  const policy = [
    ...found.logs.map((vkey) => `log ${vkey}\n`),
    ...[found.own, ...found.peers].map((vkey, i) => `witness W${i} ${vkey}\n`),
  ].join('');
  const files = found.evidence.map((file) => encodeUtf8(file));
  if (files.some((file) => referenceVerdict(file, policy) === undefined))
    return 'the reference says otherwise';
  const sorted = (of: Iterable<Uint8Array>): string[] => [...of].map(encodeHex).sort();
  if (sorted(store.evidence.values()).join() !== sorted(files).join()) return 'other evidence';
  return kind === 'consistent' ? 'ok' : kind;
}

/** By file name. */
export const gossipCheckers: Readonly<Record<string, Checker>> = {
  'owed.json': checkOwed,
  'reports.json': checkReport,
};
