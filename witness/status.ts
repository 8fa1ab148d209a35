// What a witness says of itself: GET /status.json. The page and the metrics are made of the same.
import { encodeBase64, formatVkey, type Clock, type Vkey } from '../tlog/index.js';
import { packageVersion, type SigningPoolStatus } from '../system/index.js';
import type { Alarm, GossipStatus, KeptEvidence, Peer } from './gossip/ports.js';
import type { WitnessedLog } from './folder.js';
import { originHash } from './state-store.js';

export const STATUS_SCHEMA = 'stele-witness/status@v1';

/** One log. Times are ISO 8601; what is not known is null. */
export interface LogReport {
  origin: string;
  /** Lower-case hex: the log's part of the monitoring path. */
  hash: string;
  url: string | null;
  /** What was last cosigned: 0 if nothing was. */
  size: number;
  /** Base64. */
  rootHash: string | null;
  cosigned: string | null;
  /** Whole seconds since then. */
  age: number | null;
  /** Size of the largest tree shown to be on the same history, and how far behind it this witness is. */
  largestKnown: number;
  lag: number;
  alarms: { kind: Alarm['kind']; since: string; age: number; detail: string }[];
  /** How many reports and alarms there were besides, for which there was no room. */
  dropped: number;
  evidence: Pick<KeptEvidence, 'sha256' | 'kind' | 'role'>[];
  peers: { name: string; size: number; cosigned: string | null }[];
}

/** Another witness. */
export interface PeerReport {
  name: string;
  url: string | null;
  /** Whether it speaks our gossip; if not, it is only read. */
  gossip: boolean;
  lastSeen: string | null;
  /** Seconds since then. */
  age: number | null;
  failures: number;
  failing: string | null;
}

export interface StatusReport {
  schema: typeof STATUS_SCHEMA;
  name: string;
  version: string;
  /** Verifier keys. */
  keys: string[];
  /** When this was written, by the witness's clock. */
  time: string;
  /** Whether it signs. If not, `reason` says why. */
  ok: boolean;
  reason: string | null;
  logs: LogReport[];
  peers: PeerReport[];
  /** Rounds of gossip completed since the start. */
  rounds: number;
  signing: SigningPoolStatus;
}

/** What the report is made of. */
export interface StatusSource {
  clock: Pick<Clock, 'now'>;
  vkeys: readonly Vkey[];
  logs: () => readonly WitnessedLog[];
  peers: () => readonly Peer[];
  gossip: () => GossipStatus;
  signing: () => SigningPoolStatus;
  /** Why nothing is signed, if so. */
  ailing: () => string | undefined;
}

/** Everything, as it is now. Logs and peers by name. */
export function reportStatus(source: StatusSource): StatusReport {
  const now = source.clock.now();
  const gossip = source.gossip();
  const urls = new Map(source.logs().map(({ origin, url }) => [origin, url]));
  const peers = new Map(source.peers().map((peer) => [peer.name, peer]));
  const reason = source.ailing();
  const iso = (ms: number): string => new Date(ms).toISOString();
  const at = (seconds: number): string | null => (seconds === 0 ? null : iso(seconds * 1000));
  const since = (ms: number): number => Math.max(0, Math.floor((now - ms) / 1000));
  return {
    schema: STATUS_SCHEMA,
    name: source.vkeys[0]?.name ?? '',
    version: packageVersion(),
    keys: source.vkeys.map(formatVkey),
    time: iso(now),
    ok: reason === undefined,
    reason: reason ?? null,
    logs: gossip.logs
      .map((log) => ({
        origin: log.origin,
        hash: originHash(log.origin),
        url: urls.get(log.origin) ?? null,
        size: log.size,
        rootHash: log.rootHash ? encodeBase64(log.rootHash) : null,
        cosigned: at(log.timestamp),
        age: log.timestamp === 0 ? null : since(log.timestamp * 1000),
        largestKnown: log.largestKnown,
        lag: log.lag,
        alarms: log.alarms.map((alarm) => ({
          kind: alarm.kind,
          since: iso(alarm.since),
          age: since(alarm.since),
          detail: alarm.detail,
        })),
        dropped: log.dropped,
        evidence: log.evidence.map(({ sha256, kind, role }) => ({ sha256, kind, role })),
        peers: log.peers.map(({ name, size, timestamp }) => ({ name, size, cosigned: at(timestamp) })),
      }))
      .sort((a, b) => (a.origin < b.origin ? -1 : 1)),
    peers: gossip.peers
      .map(({ name, lastSeen, failures, failing }) => ({
        name,
        url: peers.get(name)?.url ?? null,
        gossip: peers.get(name)?.gossip ?? false,
        lastSeen: lastSeen === undefined ? null : iso(lastSeen),
        age: lastSeen === undefined ? null : since(lastSeen),
        failures,
        failing: failing ?? null,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    rounds: gossip.rounds,
    signing: source.signing(),
  };
}
