// What a witness says of itself, and what its cosignatures show. The first is a claim, and said to be one; the
// second is verified by the keys of a policy.
import { ClientError } from './errors.js';
import { exchange, joinUrl, systemTimer, type Fetch } from './http.js';
import {
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  openCheckpoint,
  sha256,
  SteleError,
  type Policy,
} from '../tlog/index.js';

/** Bytes of a status that are read: thousands of logs. */
const MAX_STATUS = 8 * 1024 * 1024;
const MAX_NOTE = 1024 * 1024;
/** Statuses that say that nothing is there. With any other the server could not, or would not, say. */
const NOT_THERE = [404, 410];
const SCHEMA = 'stele-witness/status@v1';

/** One log, as its witness reports it. */
export interface ClaimedLog {
  origin: string;
  size: number;
  /** Seconds since it was cosigned; null if never. */
  age: number | null;
  lag: number;
  /** Kinds of what it says is wrong. */
  alarms: string[];
  /** SHA-256, in hex, of the files of evidence that it says it keeps. */
  evidence: string[];
}

/** The part of /status.json that is shown. */
export interface WitnessClaim {
  name: string;
  /** What its clock shows, RFC 3339. */
  time: string | null;
  /** Its verifier keys. */
  keys: string[];
  ok: boolean;
  reason: string | null;
  logs: ClaimedLog[];
  peers: { name: string; age: number | null; failures: number }[];
}

/** A cosignature of the policy's witness on the log's checkpoint, verified. */
export interface Shown {
  origin: string;
  witness: string;
  size: number;
  /** POSIX seconds. */
  timestamp: number;
}

/** What came of asking a witness for its last checkpoint of one log. */
export type Look =
  | { kind: 'shown'; shown: Shown[] }
  /** 404 or 410: it has cosigned none. */
  | { kind: 'none'; origin: string }
  /** An answer that does not verify. */
  | { kind: 'bad'; origin: string; error: SteleError };

/** How a witness is asked. */
export interface WitnessAsking {
  fetch: Fetch;
  timeoutMs: number;
  /** Told what its clock shows, milliseconds since 1970, where an answer says so. */
  onDate?: (date: number) => void;
}

/**
 * `GET <url>/status.json`; undefined where there is none such, as at witnesses that are not ours. Throws
 * ClientError where nobody answers, and "bad_status" for what is neither there nor said not to be.
 */
export async function readClaim(url: string, asking: WitnessAsking): Promise<WitnessClaim | undefined> {
  const answer = await get(joinUrl(url, 'status.json'), MAX_STATUS, asking);
  if (NOT_THERE.includes(answer.status)) return undefined;
  if (answer.status !== 200) throw refused(joinUrl(url, 'status.json'), answer.status);
  try {
    return parseClaim(JSON.parse(decodeUtf8(answer.body, 'status')));
  } catch {
    return undefined;
  }
}

/**
 * C2SP tlog-witness, monitoring: the last checkpoint of each log of the policy, by the policy's keys. Throws ClientError as
 * readClaim does.
 */
export async function look(url: string, policy: Policy, asking: WitnessAsking): Promise<Look[]> {
  const origins = [...new Set(policy.logs.map(({ vkey }) => vkey.name))];
  const keys = policy.logs.map(({ vkey }) => vkey);
  const witnesses = policy.witnesses.map(({ vkey }) => vkey);
  return Promise.all(
    origins.map(async (origin): Promise<Look> => {
      const path = `${encodeHex(sha256(encodeUtf8(origin)))}/checkpoint`;
      const { status, body } = await get(joinUrl(url, path), MAX_NOTE, asking);
      if (NOT_THERE.includes(status)) return { kind: 'none', origin };
      if (status !== 200) throw refused(joinUrl(url, path), status);
      try {
        const { checkpoint, cosignatures } = openCheckpoint(body, keys, witnesses);
        if (checkpoint.origin !== origin) {
          throw new SteleError(
            'other_log',
            `expected a checkpoint of ${origin}, found another log's`,
            'the witness mixes up its logs: tell its operator',
          );
        }
        const { size } = checkpoint;
        return {
          kind: 'shown',
          shown: cosignatures.map(({ name, timestamp }) => ({ origin, witness: name, size, timestamp })),
        };
      } catch (error) {
        if (error instanceof SteleError) return { kind: 'bad', origin, error };
        throw error;
      }
    }),
  );
}

function refused(url: string, status: number): ClientError {
  return new ClientError(
    'bad_status',
    `${url}: expected status 200, or 404 where there is none, found ${status}`,
    'try again later; if it stays so, tell its operator',
  );
}

async function get(
  url: string,
  maxBody: number,
  { fetch, timeoutMs, onDate }: WitnessAsking,
): Promise<{ status: number; body: Uint8Array }> {
  const answer = await exchange(url, { fetch, timer: systemTimer, timeoutMs, maxBody });
  if (answer.date !== undefined) onDate?.(answer.date);
  return answer;
}

/** Undefined for what is not of our schema. */
function parseClaim(value: unknown): WitnessClaim | undefined {
  const status = record(value);
  if (status?.['schema'] !== SCHEMA) return undefined;
  const { name, time, keys, ok, reason, logs, peers } = status;
  if (typeof name !== 'string' || typeof ok !== 'boolean') return undefined;
  return {
    name,
    time: typeof time === 'string' && Number.isFinite(Date.parse(time)) ? time : null,
    keys: Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [],
    ok,
    reason: typeof reason === 'string' ? reason : null,
    logs: list(logs).flatMap((log) =>
      typeof log['origin'] !== 'string'
        ? []
        : [
            {
              origin: log['origin'],
              size: count(log['size']),
              age: log['age'] === null ? null : count(log['age']),
              lag: count(log['lag']),
              alarms: list(log['alarms']).map(({ kind }) => String(kind).slice(0, 100)),
              evidence: list(log['evidence']).flatMap(({ sha256 }) =>
                typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) ? [sha256] : [],
              ),
            },
          ],
    ),
    peers: list(peers).flatMap((peer) =>
      typeof peer['name'] !== 'string'
        ? []
        : [
            {
              name: peer['name'],
              age: peer['age'] === null ? null : count(peer['age']),
              failures: count(peer['failures']),
            },
          ],
    ),
  };
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record).filter((each) => each !== undefined) : [];
}

function count(value: unknown): number {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : 0;
}
