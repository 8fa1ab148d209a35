// What a full check found, and how it is said.
import { encodeBase64 } from '../../tlog/index.js';
import type { Problem } from './tree-check.js';

/** What a full check found. It is clean when `problems` is empty; what could not be checked is named. */
export interface FsckReport {
  readonly origin: string;
  /** Size and root of the tree that was walked. */
  readonly size: number;
  readonly rootHash: Uint8Array | undefined;
  readonly checked: {
    readonly entries: number;
    readonly bundles: number;
    readonly tiles: number;
    readonly partials: number;
    readonly identities: number;
    readonly ledgerKeys: number;
  };
  /** `<size> <digest>` of the ledger that the entries yield: what two auditors compare. */
  readonly ledger: string | undefined;
  readonly problems: readonly Problem[];
  /** What is as it should be and might surprise: left by a crash and mended at the next start, say. */
  readonly remarks: readonly string[];
  readonly notChecked: readonly string[];
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
