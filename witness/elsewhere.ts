// Who may hold what this witness signed last: the logs, which publish it, and the peers that speak our
// gossip, which remember it. Only addresses that the operator wrote down.
import { ClientError, joinUrl } from '../client/index.js';
import { encodeHex, encodeUtf8, sha256, type Clock } from '../tlog/index.js';
import type { WitnessedLog } from './folder.js';
import type { GossipNetwork, Peer } from './gossip/ports.js';
import type { Elsewhere } from './restored.js';

/** Milliseconds that a log's first request waits for an answer from elsewhere. */
const PATIENCE = 3000;
/** Milliseconds for which one that did not answer is not asked again, be it about other logs. */
const REST = 30_000;

/** `GET <peer>/seen/<this>/…`: what a peer last saw a witness of this name cosign. */
export function nameHash(name: string): string {
  return encodeHex(sha256(encodeUtf8(name)));
}

/** Whom to ask about a log. `name` is this witness's key name. */
export function elsewhere(
  name: string,
  logs: readonly WitnessedLog[],
  peers: readonly Peer[],
  network: Pick<GossipNetwork, 'latest' | 'published'>,
  clock: Clock,
): (origin: string) => readonly Elsewhere[] {
  const byOrigin = new Map(logs.map((log) => [log.origin, log]));
  const failed = new Map<string, number>();
  const bounded = async (
    who: string,
    ask: () => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array | undefined> => {
    const rested = clock.monotonic() - (failed.get(who) ?? -Infinity);
    if (rested < REST)
      throw new ClientError('unreachable', `${who}: did not answer just now`, 'it is asked again in a while');
    const done = new AbortController();
    const late = clock.sleep(PATIENCE, done.signal).then((): never => {
      throw new ClientError(
        'timeout',
        `${who}: no answer within ${PATIENCE} ms`,
        'it is asked again in a while',
      );
    });
    late.catch(() => undefined);
    try {
      const answer = await Promise.race([ask(), late]);
      failed.delete(who);
      return answer;
    } catch (error) {
      failed.set(who, clock.monotonic());
      throw error;
    } finally {
      done.abort();
    }
  };
  return (origin) => {
    const log = byOrigin.get(origin);
    const { url } = log ?? {};
    return [
      ...(log && url !== undefined
        ? [{ name: `the log (${url})`, last: () => bounded(url, () => network.published(log)) }]
        : []),
      ...peers.flatMap((peer) => {
        if (!peer.gossip || peer.url === undefined) return [];
        const remembered = { ...peer, url: joinUrl(peer.url, `seen/${nameHash(name)}`) };
        const last = (): Promise<Uint8Array | undefined> =>
          bounded(peer.name, () => network.latest(remembered, origin));
        return [{ name: peer.name, last }];
      }),
    ];
  };
}
