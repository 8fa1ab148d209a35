// Logs and witnesses of a monitor's test: in memory, behind a fetch that the test owns, on a clock that it
// sets. A log may have two histories under one key, and show either.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatEnvelope, signEnvelope, type Json } from '../../attestation/index.js';
import { LogFollower, type FollowerOptions } from '../../cli/monitor/follower.js';
import type { FollowedLog } from '../../cli/monitor/config.js';
import type { Coverage } from '../../cli/monitor/coverage.js';
import type { MonitorEvent } from '../../cli/monitor/events.js';
import type { Fetch } from '../../client/index.js';
import {
  COSIGNATURE_ED25519,
  decodeUtf8,
  encodeUtf8,
  formatBundle,
  formatCheckpoint,
  formatTile,
  formatVkey,
  leafHash,
  newSigningKey,
  NOTE_ED25519,
  parseNote,
  parsePolicy,
  parseTilePath,
  perfectRoot,
  proveConsistency,
  signNote,
  signNoteLine,
  sha256,
  tileHashReader,
  TILE_WIDTH,
  treeRoot,
  type SigningKey,
} from '../../tlog/index.js';

export const ORIGIN = 'log.example/watched';
export const LOG_URL = 'http://log.invalid';
export const logKey: SigningKey = newSigningKey(ORIGIN, NOTE_ED25519, sha256(encodeUtf8('log')));
export const witnessKeys: readonly SigningKey[] = ['north', 'east', 'south'].map((name) =>
  newSigningKey(`witness.example/${name}`, COSIGNATURE_ED25519, sha256(encodeUtf8(name))),
);
const witnessUrl = (i: number): string => `http://witness-${i}.invalid`;
/** 2 of 3. */
export const POLICY: string = [
  `log ${formatVkey(logKey.vkey)} ${LOG_URL}/`,
  ...witnessKeys.map((key, i) => `witness W${i} ${formatVkey(key.vkey)} ${witnessUrl(i)}`),
  'group all 2 W0 W1 W2',
  'quorum all',
  '',
].join('\n');
const policy = parsePolicy(encodeUtf8(POLICY));

/** One history: all its tiles and bundles, whatever its size. */
export class History {
  readonly #entry: (index: number) => Uint8Array;
  readonly #tiles = new Map<string, Uint8Array[]>();

  constructor(entry: (index: number) => Uint8Array) {
    this.#entry = entry;
  }

  /** 32 bytes. */
  root(size: number): Promise<Uint8Array> {
    return treeRoot(size, this.#reader(size));
  }

  proof(oldSize: number, newSize: number): Promise<Uint8Array[]> {
    return proveConsistency(oldSize, newSize, this.#reader(newSize));
  }

  /** A resource of a log of this size; undefined where there is none. */
  file(path: string, size: number): Uint8Array | undefined {
    const parsed = parseTilePath(path);
    const { index, width } = parsed;
    const level = 'level' in parsed ? parsed.level : 0;
    if (index * TILE_WIDTH + width > Math.floor(size / TILE_WIDTH ** level)) return undefined;
    if (path.startsWith('tile/entries/'))
      return formatBundle(Array.from({ length: width }, (_, i) => this.#entry(index * TILE_WIDTH + i)));
    return formatTile(this.#hashes(level, index, width));
  }

  #reader(size: number): ReturnType<typeof tileHashReader> {
    return tileHashReader(size, ({ level, index, width }) =>
      Promise.resolve(formatTile(this.#hashes(level, index, width))),
    );
  }

  #hashes(level: number, index: number, width: number): Uint8Array[] {
    const known = this.#tiles.get(`${level}/${index}`) ?? [];
    for (let i = known.length; i < width; i++) {
      const at = index * TILE_WIDTH + i;
      known.push(
        level === 0 ? leafHash(this.#entry(at)) : perfectRoot(this.#hashes(level - 1, at, TILE_WIDTH)),
      );
    }
    this.#tiles.set(`${level}/${index}`, known);
    return known.slice(0, width);
  }
}

/** Entries that differ from index `fork` on. */
export function plain(text = 'entry', fork = 0): History {
  return new History((index) => encodeUtf8(`${index < fork ? 'entry' : text} ${index}`));
}

/** A signed checkpoint with these witnesses' cosignatures, at a time in seconds. */
export async function cosigned(
  history: History,
  size: number,
  seconds: number,
  witnesses: readonly number[] = [0, 1, 2],
): Promise<Uint8Array> {
  const text = formatCheckpoint({
    origin: ORIGIN,
    size,
    rootHash: await history.root(size),
    extensions: [],
  });
  const lines = witnesses.flatMap((i) => {
    const key = witnessKeys[i];
    return key === undefined ? [] : [signNoteLine(text, key, seconds)];
  });
  return encodeUtf8(decodeUtf8(signNote(text, [logKey]), 'note') + lines.join(''));
}

/** What the world shows: the test changes it between rounds. */
export class Lab {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'stele-monitor-'));
  /** Milliseconds since 1970. */
  now = 1_800_000_000_000;
  /** What the log shows; undefined: it does not answer. */
  checkpoint: Uint8Array | undefined;
  /** The tree that its tiles are of. */
  history: History = plain();
  size = 0;
  /** What each witness's monitoring endpoint shows; undefined: 404. */
  readonly endpoints: (Uint8Array | undefined)[] = [undefined, undefined, undefined];
  /** Every address asked. */
  readonly asked: string[] = [];
  readonly events: MonitorEvent[] = [];
  /** Answers in place of all this; undefined: as usual. */
  override: (url: string) => Promise<Response> | undefined = () => undefined;

  get seconds(): number {
    return Math.floor(this.now / 1000);
  }

  pass(seconds: number): void {
    this.now += 1000 * seconds;
  }

  /** The log publishes a tree, cosigned now, and its witnesses show it. */
  async publish(history: History, size: number, witnesses: readonly number[] = [0, 1, 2]): Promise<void> {
    this.history = history;
    this.size = size;
    this.checkpoint = await cosigned(history, size, this.seconds, witnesses);
    for (const i of witnesses) this.endpoints[i] = await cosigned(history, size, this.seconds, [i]);
  }

  readonly fetch: Fetch = (url) => {
    this.asked.push(url);
    return this.override(url) ?? Promise.resolve(this.#answer(url));
  };

  #answer(url: string): Response {
    const reply = (bytes: Uint8Array | undefined): Response =>
      bytes === undefined
        ? new Response(null, { status: 404 })
        : new Response(new Uint8Array(bytes), { status: 200 });
    const witness = /^http:\/\/witness-(\d)\.invalid\/([0-9a-f]{64})\/checkpoint$/.exec(url);
    const hash = createHash('sha256').update(ORIGIN).digest('hex');
    if (witness !== null) return reply(witness[2] === hash ? this.endpoints[Number(witness[1])] : undefined);
    const path = url.slice(LOG_URL.length + 1);
    if (path === 'checkpoint') {
      if (this.checkpoint === undefined) throw new TypeError('fetch failed');
      return reply(this.checkpoint);
    }
    return reply(this.history.file(path, this.size));
  }

  /** A monitor of this log, as if its process had just begun. */
  follower(options: Partial<FollowerOptions> = {}): LogFollower {
    const log: FollowedLog = {
      origin: ORIGIN,
      policy,
      policyFile: 'policy',
      urls: [LOG_URL],
      witnesses: policy.witnesses.map(({ name, vkey, url }) => ({
        name,
        keyName: vkey.name,
        vkeys: [vkey],
        url,
      })),
    };
    const follower = new LogFollower({
      log,
      folder: this.folder,
      filters: [],
      limits: { log: 3_600_000, witness: 7_200_000, anchors: 3_600_000, lag: 300_000 },
      timeoutMs: 1000,
      context: {
        fetch: this.fetch,
        now: () => this.now,
        sleep: (_ms, signal) =>
          new Promise((_, reject) =>
            signal?.addEventListener('abort', () => reject(new Error('called off')), { once: true }),
          ),
        random: (count) => new Uint8Array(count),
      },
      deliver: (events, delivered) => {
        this.events.push(...events);
        delivered();
      },
      ...options,
    });
    follower.resume();
    return follower;
  }

  /** `raised rollback`, `cleared quiet-witness W1`, `match 7`, in the order they were told, and forgets them. */
  told(): string[] {
    return this.events
      .splice(0)
      .map((event) =>
        event.event === 'match'
          ? `match ${event.filter} ${event.index}`
          : `${event.event} ${event.kind}${event.about === '' || event.kind === 'proven' ? '' : ` ${event.about}`}`,
      );
  }

  /** Names of the files of evidence. */
  evidence(): string[] {
    try {
      return readdirSync(join(this.folder, 'evidence')).map((name) => join(this.folder, 'evidence', name));
    } catch {
      return [];
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One round and all that there is to read. */
export async function look(follower: LogFollower): Promise<Coverage[]> {
  const rows = await follower.round();
  while (await follower.readEntries(4));
  return [...rows, ...follower.entryCoverage()];
}

/** The status of a row. */
export function statusOf(rows: readonly Coverage[], name: string): string {
  return rows.find((row) => row.name === name)?.status ?? 'missing';
}

const signer = sha256(encodeUtf8('lab'));

/** A statement of no known type, as any lab may log one. */
export function statement(participant: string, run: string, more: Record<string, Json> = {}): Uint8Array {
  const value = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: run, digest: { sha256: createHash('sha256').update(run).digest('hex') } }],
    predicateType: 'https://labs.example/note/v1',
    predicate: { participant, signer: '0'.repeat(64), run, ...more },
  };
  return formatEnvelope(signEnvelope(value, signer));
}

/** An anchor of this checkpoint, as the log's operator may log one. */
export function anchor(note: Uint8Array): Uint8Array {
  const text = decodeUtf8(note, 'note');
  const value = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [
      {
        name: 'checkpoint',
        digest: { sha256: createHash('sha256').update(parseNote(note).text).digest('hex') },
      },
    ],
    predicateType: 'https://stele-log/anchor/v1',
    predicate: { participant: 'operator', signer: '0'.repeat(64), checkpoint: text },
  };
  return formatEnvelope(signEnvelope(value, signer));
}
