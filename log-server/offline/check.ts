// What the commands fsck and recover need of a log's folder, and how they say what they found.
import { join } from 'node:path';
import type { Fetch } from '../../client/index.js';
import { httpSource } from '../../client/index.js';
import { encodeBase64, parseVkey } from '../../tlog/index.js';
import { charterEffects } from '../admission-charter.js';
import { LogError } from '../errors.js';
import { FILES, readCharterFile } from '../folder.js';
import { readLogKeys, signHead, vkeysOf } from '../log-keys.js';
import type { LogKeys } from '../log-keys.js';
import { fsckFolder, fsckSource } from './fsck.js';
import type { FsckReport } from './fsck.js';
import { recover } from './recover.js';
import type { RecoverResult } from './recover.js';
import { FolderSource } from '../storage/folder-source.js';
import type { EffectsOf, LogStorageOptions } from '../storage/types.js';

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
  if (source !== undefined) {
    if (vkeys.length === 0)
      throw new LogError('missing_option', 'expected the log’s key, found none', 'name it with --vkey');
    const tiles = /^https?:\/\//.test(source) ? httpSource(source, { fetch }) : new FolderSource(source);
    return fsckSource(tiles, { logKeys: vkeys.map(parseVkey), ...(origin !== undefined && { origin }) });
  }
  if (folder === undefined) {
    throw new LogError(
      'missing_option',
      'expected --folder, or the URL or folder of a log, found neither',
      'name one',
    );
  }
  return fsckFolder(await layoutOf(folder, await readLogKeys(folder)));
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
  const keys = await readLogKeys(folder);
  return recover({
    ...(await layoutOf(folder, keys)),
    from,
    now,
    fetch,
    onProgress,
    signHead: (text) => signHead(text, keys),
  });
}

type Layout = Omit<LogStorageOptions, 'step'> & { readonly effects?: EffectsOf };

async function layoutOf(folder: string, keys: LogKeys): Promise<Layout> {
  const { name } = keys[0];
  const charter = await readCharterFile(folder);
  return {
    folder: join(folder, FILES.data),
    keyFolder: folder,
    origin: name,
    logKeys: vkeysOf(keys),
    ...(charter !== undefined && { effects: charterEffects(name) }),
  };
}

/** The report as lines for people. */
export function describeCheck(report: FsckReport): string[] {
  const { size, rootHash, checked, problems, remarks, notChecked } = report;
  const counts = Object.entries(checked)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${String(count)}`);
  const root = rootHash === undefined ? 'unknown' : encodeBase64(rootHash);
  return [
    // Without a checkpoint of the log's there is no name, and nothing has been looked at.
    ...(report.origin === '' ? [] : [`${report.origin}: size ${size}, root ${root}`]),
    ...(report.ledger === undefined ? [] : [`ledger: ${report.ledger}`]),
    counts.length === 0 ? 'checked nothing' : `checked: ${counts.join(', ')}`,
    ...notChecked.map((what) => `not checked: ${what}`),
    ...remarks.map((what) => `remark: ${what}`),
    ...problems.map(({ file, expected, found }) => `${file}: expected ${expected}, found ${found}`),
    problems.length === 0
      ? 'nothing wrong was found in what was checked'
      : `${problems.length} problem${problems.length === 1 ? '' : 's'}`,
  ];
}

const SCHEMA = 'https://stele-log/fsck-report/v1';

/** What is said as JSON instead of a report, where there can be none. */
export function failureToJson(code: string, message: string, hint: string): object {
  return { schema: SCHEMA, ok: false, checks: [], result: {}, error: { code, message, hint } };
}

/** The report as one JSON object, in the form all our programs have. */
export function checkToJson(report: FsckReport): object {
  const { problems, notChecked, remarks, size, rootHash, checked } = report;
  return {
    schema: SCHEMA,
    ok: problems.length === 0,
    checks: [
      ...problems.map(({ file, expected, found }) => ({
        name: file,
        status: 'fail',
        detail: `expected ${expected}, found ${found}`,
      })),
      ...notChecked.map((what) => ({ name: what, status: 'not-checkable', detail: '' })),
    ],
    result: {
      origin: report.origin,
      size,
      rootHash: rootHash === undefined ? null : encodeBase64(rootHash),
      ledger: report.ledger ?? null,
      checked,
      remarks,
    },
    error: null,
  };
}
