// What must be on the disk before a byte leaves, judged from a trace of system calls.
//
// log server, when the last byte of a checkpoint's text goes out to a witness:
//   1. `signed` holds that text;
//   2. the mark beside the key holds its root;
//   3. the bytes of every entry below its size are in a log file of level's state …
//   4. … and, a second time, in the tail file or in their full bundle;
//   5. every full tile and bundle of that size is there, whole;
// when it goes out to a submitter or a reader:
//   6. `published` holds a checkpoint of at least that size;
// witness, when a cosignature goes out:
//   7. the log's state file holds that cosignature;
// all the time:
//   8. outside level's folders no name is given to bytes that are not synced.
//
// "Holds" means: in every state that a power cut could leave by POSIX alone, see disk-model.ts.
import { TILE_WIDTH, decodeBase64, entriesPath, tilePath, tilesForSize } from '../../tlog/index.js';
import { DiskModel, type SavedFile } from './disk-model.js';
import { type Call, tcpPorts } from './strace.js';

/** What the judge found. */
export interface Judgement {
  /** Each broken rule once, with where it was broken first and how often. */
  readonly violations: readonly string[];
  /** Checkpoints that went to witnesses; cosignatures that went out, of a witness. */
  readonly cosigned: number;
  /** Answers to submitters and readers that carried a checkpoint. */
  readonly answered: number;
  /** Entries whose two copies were looked for, each at every checkpoint that covers it. */
  readonly copies: number;
  readonly syncs: number;
  readonly renames: number;
}

class Violations {
  readonly #found = new Map<string, { where: string; count: number }>();

  check(holds: boolean, rule: string, where: string): void {
    if (holds) return;
    const before = this.#found.get(rule);
    if (before) before.count++;
    else this.#found.set(rule, { where, count: 1 });
  }

  list(): string[] {
    return [...this.#found].map(([rule, { where, count }]) => `${rule} (${count} times, first at ${where})`);
  }
}

const SENDS = new Set(['write', 'writev', 'sendto', 'sendmsg']);

/** Calls `onBegin` and `onEnd` in the order of the trace. */
function replay(calls: readonly Call[], onBegin: (call: Call) => void, onEnd: (call: Call) => void): void {
  const moments = calls.flatMap((call) => [
    { at: call.start, begin: true, call },
    { at: call.end, begin: false, call },
  ]);
  // Of one line: it began, then it ended.
  moments.sort((a, b) => a.at - b.at || Number(b.begin) - Number(a.begin));
  for (const { at, begin, call } of moments) {
    if (at === Infinity) continue;
    if (begin) onBegin(call);
    else onEnd(call);
  }
}

/** What each connection has carried so far, so that a text cut into several writes is seen whole. */
class Streams {
  readonly #sent = new Map<string, string>();

  /** The matches that this call completes. */
  add(call: Call, pattern: RegExp): RegExpMatchArray[] {
    const key = call.target ?? '';
    const all = (this.#sent.get(key) ?? '') + call.strings.join('');
    const matches = [...all.matchAll(pattern)];
    const last = matches.at(-1);
    this.#sent.set(key, last ? all.slice(last.index + last[0].length) : all);
    return matches;
  }
}

/** What the judge of a log server is told. */
export interface LogCase {
  readonly folder: string;
  /** What the folder held when the trace began; empty for a trace from `init` on. */
  readonly before?: readonly SavedFile[];
  readonly origin: string;
  readonly witnessPorts: ReadonlySet<number>;
  readonly logPorts: ReadonlySet<number>;
  /** Bytes that are nowhere but in the entry of this index. */
  readonly markers: ReadonlyMap<number, string>;
}

/** Judges a log server. */
export function judgeLog(calls: readonly Call[], { folder, origin, ...of }: LogCase): Judgement {
  const disk = new DiskModel(folder, of.before);
  const data = `${folder}/data`;
  const found = new Violations();
  const streams = new Streams();
  const pattern = new RegExp(`${origin.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}\n(\\d+)\n(\\S{44})\n`, 'g');
  /** Entries of which level's copy has been seen; it leaves level when its bundle is sealed. */
  const committed = new Set<number>();
  let cosigned = 0;
  let answered = 0;
  let copies = 0;

  const levelFiles = (under: string): string[] => disk.below(under).filter((path) => path.endsWith('.log'));

  const toWitness = (text: string, size: number, root: string, where: string): void => {
    cosigned++;
    found.check(disk.holds(`${data}/signed`, text), 'sent to a witness before `signed` held it', where);
    const rootBytes = String.fromCharCode(...decodeBase64(root));
    const locks = disk.below(folder).filter((path) => path.startsWith(`${folder}/lock-`));
    found.check(
      locks.some((path) => disk.holds(path, rootBytes)),
      'sent to a witness before the mark beside the key held it',
      where,
    );
    const logs = levelFiles(`${data}/state`);
    for (const [index, marker] of of.markers) {
      if (index >= size) continue;
      copies++;
      if (!committed.has(index)) {
        const held = logs.some((path) => disk.holds(path, marker));
        found.check(held, "sent to a witness before level's log held an entry that it covers", where);
        if (held) committed.add(index);
      }
      const bundle = `${data}/public/${entriesPath(Math.floor(index / TILE_WIDTH), TILE_WIDTH)}`;
      found.check(
        disk.holds(`${data}/tail`, marker) || disk.holds(bundle, marker),
        'sent to a witness while an entry that it covers was in neither tail nor bundle',
        where,
      );
    }
    for (const tile of tilesForSize(size)) {
      if (tile.width < TILE_WIDTH) continue;
      const paths = [tilePath(tile), ...(tile.level === 0 ? [entriesPath(tile.index, TILE_WIDTH)] : [])];
      for (const path of paths) {
        found.check(
          disk.isWhole(`${data}/public/${path}`),
          'sent to a witness before a full tile or bundle was there',
          `${where}, ${path}`,
        );
      }
    }
  };

  const toReader = (size: number, where: string): void => {
    answered++;
    const sizes = disk.possible(`${data}/published`).map((bytes) => {
      return Number([...(bytes ?? '').matchAll(pattern)][0]?.[1] ?? -1);
    });
    found.check(
      sizes.every((held) => held >= size),
      'answered with a checkpoint before `published` held it',
      where,
    );
  };

  replay(
    calls,
    (call) => {
      disk.begin(call);
      const ports = SENDS.has(call.name) ? tcpPorts(call.target) : undefined;
      if (!ports) return;
      const asking = of.witnessPorts.has(ports.peer);
      if (!asking && !of.logPorts.has(ports.local)) return;
      for (const [text, size = '', root = ''] of streams.add(call, pattern)) {
        const where = `line ${call.start + 1}, size ${size}`;
        if (asking) toWitness(text, Number(size), root, where);
        else toReader(Number(size), where);
      }
    },
    (call) => disk.end(call),
  );
  const named = disk.unsyncedRenames.filter((path) => !/\/(state|lock-[0-9a-f]+)\//.test(path));
  for (const path of named) found.check(false, 'a name given to bytes not synced', path);
  return {
    violations: found.list(),
    cosigned,
    answered,
    copies,
    syncs: disk.syncs,
    renames: disk.renames,
  };
}

/** What the judge of a witness is told. */
export interface WitnessCase {
  readonly folder: string;
  readonly before?: readonly SavedFile[];
  readonly port: number;
}

/** Judges a witness. */
export function judgeWitness(calls: readonly Call[], { folder, before, port }: WitnessCase): Judgement {
  const disk = new DiskModel(folder, before);
  const found = new Violations();
  const streams = new Streams();
  let cosigned = 0;
  replay(
    calls,
    (call) => {
      disk.begin(call);
      const ports = SENDS.has(call.name) ? tcpPorts(call.target) : undefined;
      if (ports?.local !== port) return;
      for (const [, signature = ''] of streams.add(call, /\u00e2\u0080\u0094 \S+ (\S+)\n/g)) {
        cosigned++;
        const held = disk.below(`${folder}/state`).some((path) => disk.holds(path, signature));
        found.check(held, "a cosignature left before the log's state held it", `line ${call.start + 1}`);
      }
    },
    (call) => disk.end(call),
  );
  // Its lock is a level of its own, and holds nothing.
  const named = disk.unsyncedRenames.filter((path) => !path.includes('/lock/'));
  for (const path of named) found.check(false, 'a name given to bytes not synced', path);
  return {
    violations: found.list(),
    cosigned,
    answered: 0,
    copies: 0,
    syncs: disk.syncs,
    renames: disk.renames,
  };
}
