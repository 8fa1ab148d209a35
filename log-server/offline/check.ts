// What the commands fsck and recover need of a log's folder, and how they say what they found.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fetch } from '../../client/index.js';
import type { Reply } from '../../system/index.js';
import { equalBytes } from '../../tlog/index.js';
import { effectsByEntries } from '../admission-charter.js';
import type { FirstEntry } from '../admission-charter.js';
import { hasCharter } from '../charter-check.js';
import { LogError } from '../errors.js';
import { FILES } from '../folder.js';
import { whereToSet } from '../options.js';
import { keysOf, readKeyLives, signHead, storageOf } from '../log-keys.js';
import { fsckKeys } from './fsck-keys.js';
import { checkSource } from './fsck-source.js';
import { fsckFolder } from './fsck.js';
import type { FsckReport } from './report.js';
import { recover } from './recover.js';
import type { RecoverResult } from './recover.js';
import type { Problem } from './tree-check.js';

/** What `stele-log fsck` is told. */
export interface CheckOptions {
  /** A log's own folder, stopped; or undefined where `source` is given. */
  readonly folder: string | undefined;
  /** URL or folder of any C2SP tlog-tiles log. */
  readonly source: string | undefined;
  /** Keys of that log. */
  readonly vkeys: readonly string[];
  /** Its origin, where that is not its key's name. */
  readonly origin: string | undefined;
  readonly fetch: Fetch;
}

/** Checks a log. Throws LogError, StorageError, ClientError; what is wrong with the log is in the report. */
export async function check(options: CheckOptions): Promise<FsckReport> {
  const { folder, source, vkeys, origin, fetch } = options;
  if (source !== undefined) return checkSource({ source, vkeys, origin, fetch });
  if (folder === undefined) {
    throw new LogError(
      'missing_option',
      'expected --folder, or the URL or folder of a log, found neither',
      whereToSet('folder'),
    );
  }
  const lives = await readKeyLives(folder);
  const layout = storageOf(folder, lives);
  const made = await hasCharter(folder);
  const { effects, first } = effectsByEntries(layout.origin, made);
  const report = await fsckFolder({
    ...layout,
    effects,
    keysOf: (ledger) => fsckKeys(folder, lives, ledger),
  });
  if (!made) return { ...report, remarks: [...report.remarks, ...strayCharter(first())] };
  const problem = await charterProblem(folder, first());
  return problem === undefined ? report : { ...report, problems: [...report.problems, problem] };
}

/** What `stele-log recover` is told. */
export interface RecoverFlags {
  readonly folder: string;
  readonly from: readonly string[];
  readonly now: Date;
  readonly fetch: Fetch;
  readonly onProgress: (entries: number, size: number) => void;
}

/** Rebuilds a log's data folder. Throws as `recover` does. */
export async function recoverFolder(flags: RecoverFlags): Promise<RecoverResult> {
  const { folder, from, now, fetch, onProgress } = flags;
  const lives = await readKeyLives(folder);
  const keys = keysOf(folder, lives);
  const layout = storageOf(folder, lives);
  const made = await hasCharter(folder);
  const { effects, first } = effectsByEntries(layout.origin, made);
  const done = await recover({
    ...layout,
    effects,
    from,
    now,
    fetch,
    onProgress,
    signHead: (text) => signHead(text, keys),
  });
  if (!made) return { ...done, remarks: [...done.remarks, ...strayCharter(first())] };
  const problem = await charterProblem(folder, first());
  if (problem === undefined) return done;
  const { file, expected, found } = problem;
  return { ...done, remarks: [...done.remarks, `${file}: expected ${expected}, found ${found}`] };
}

/** A charter that nothing in the folder knows of: somebody's joke, or the folder lacks what it had. */
function strayCharter(first: FirstEntry | undefined): string[] {
  if (first?.charter === undefined) return [];
  return [
    `entry 0 is a charter of this log, and neither ${FILES.charter} nor ${FILES.anchorKey} is here: taken for an entry of --admission none; if the log has a charter, restore both and run this again`,
  ];
}

/** charter.json beside the data against entry 0: a start needs the file, and does not read that entry. */
async function charterProblem(folder: string, first: FirstEntry | undefined): Promise<Problem | undefined> {
  if (first === undefined) return undefined;
  const { charter } = first;
  const file = FILES.charter;
  const bytes = await readFile(join(folder, file)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (charter === undefined)
    return bytes && { file, expected: 'none, since entry 0 is no charter of this log', found: 'one' };
  if (bytes !== undefined && equalBytes(bytes, charter)) return undefined;
  const found = bytes === undefined ? 'no file' : 'another';
  return { file, expected: 'the charter, which is entry 0 of the log, byte for byte', found };
}

/** What recover answers. */
export function replyOfRecovery(done: RecoverResult): Reply {
  const { size, headSize, headFrom, unsigned, remarks, kept } = done;
  const taken = [...done.taken];
  return {
    lines: [
      `${size} entries; all below ${headSize} hash to the head found in ${headFrom}`,
      ...(unsigned > 0
        ? [
            `${unsigned} entries behind it, which no head found covers, are kept; whether they were signed the witnesses say at a start`,
          ]
        : []),
      ...(taken.length > 0
        ? [`entries taken: ${taken.map(([place, count]) => `${count} from ${place}`).join(', ')}`]
        : []),
      ...remarks.map((remark) => `remark: ${remark}`),
      ...(kept === undefined ? [] : [`the folder as it was is kept as ${kept}`]),
    ],
    prose: [
      'Check it with stele-log fsck, then start it: its witnesses say whether entries are still missing.',
    ],
    result: {
      size,
      headSize,
      headFrom,
      unsigned,
      taken: taken.map(([from, entries]) => ({ from, entries })),
      remarks,
      kept: kept ?? null,
    },
  };
}
