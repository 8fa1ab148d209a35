// Gossip over HTTP, to addresses that the operator wrote down and no other. Answers are bounded in length
// and time, and redirects are not followed: see client/http.ts.
import {
  ClientError,
  exchange,
  httpSource,
  joinUrl,
  systemTimer,
  type Answer,
  type Fetch,
  type TileSource,
  type Timer,
} from '../../client/index.js';
import { MAX_EVIDENCE_BYTES } from '../../evidence/index.js';
import { decodeUtf8, encodeUtf8, sha256, encodeHex } from '../../tlog/index.js';
import { MAX_REPORT } from './engine.js';
import { parseOwed } from './owed.js';
import type { GossipNetwork, Peer } from './ports.js';

/** Milliseconds for one exchange. */
const TIMEOUT = 10_000;
/** A list of 1,024 hashes is 65 KiB. */
const MAX_LIST = 128 * 1024;
const MAX_OWED = 8 * 1024;

export interface HttpNetworkOptions {
  fetch?: Fetch;
  timer?: Timer;
  /** Milliseconds for one exchange. Default 10,000. */
  timeoutMs?: number;
  /** Calls everything off. */
  signal?: AbortSignal;
}

/** The network of a witness that serves. */
export function httpNetwork(options: HttpNetworkOptions = {}): GossipNetwork {
  const { signal } = options;
  const platform: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const fetch: Fetch = (url, init) => {
    const signals = [init.signal, signal].filter((one) => one instanceof AbortSignal);
    return platform(url, { ...init, signal: AbortSignal.any(signals) });
  };
  const timer = options.timer ?? systemTimer;
  const timeoutMs = options.timeoutMs ?? TIMEOUT;
  const sources = new Map<string, TileSource>();

  const get = async (peer: Peer, path: string, maxBody: number): Promise<Uint8Array | undefined> => {
    const url = addressOf(peer, path);
    const answer = await exchange(url, { fetch, timer, timeoutMs, maxBody });
    return answer.status === 404 ? undefined : ok(url, answer);
  };
  const post = async (peer: Peer, path: string, body: Uint8Array): Promise<void> => {
    const url = addressOf(peer, path);
    ok(url, await exchange(url, { fetch, timer, timeoutMs, maxBody: MAX_OWED, method: 'POST', body }));
  };

  const tiles = ({ url }: { readonly url?: string }): TileSource | undefined => {
    if (url === undefined) return undefined;
    const known = sources.get(url);
    if (known) return known;
    const source = httpSource(url, { fetch, timer, timeoutMs, limits: { checkpoint: MAX_REPORT } });
    sources.set(url, source);
    return source;
  };

  return {
    latest: (peer, origin) => get(peer, `${hashOf(origin)}/checkpoint`, MAX_REPORT),
    async published(log) {
      return tiles(log)?.checkpoint();
    },
    tiles,
    push: (peer, note) => post(peer, 'gossip/checkpoint', note),
    async owed(peer, origin, oldSize, newSize) {
      const body = await get(peer, `${hashOf(origin)}/consistency/${oldSize}/${newSize}`, MAX_OWED);
      return body && parseOwed(body);
    },
    async evidenceList(peer) {
      const body = (await get(peer, 'gossip/evidence', MAX_LIST)) ?? new Uint8Array();
      return decodeUtf8(body, 'list of evidence')
        .split('\n')
        .filter((line) => /^[0-9a-f]{64}$/.test(line));
    },
    evidence: (peer, hash) => get(peer, `gossip/evidence/${hash}`, MAX_EVIDENCE_BYTES),
    pushEvidence: (peer, evidence) => post(peer, 'gossip/evidence', evidence),
  };
}

function hashOf(origin: string): string {
  return encodeHex(sha256(encodeUtf8(origin)));
}

function addressOf({ name, url }: Peer, path: string): string {
  if (url === undefined) {
    throw new ClientError(
      'unreachable',
      `${name}: expected a peer with an address, found none`,
      'give its address: stele-witness add-peer --url',
    );
  }
  return joinUrl(url, path);
}

function ok(url: string, { status, body }: Answer): Uint8Array {
  if (status >= 200 && status < 300) return body;
  throw new ClientError('bad_status', `${url}: expected status 200, found ${status}`, 'try again later');
}
