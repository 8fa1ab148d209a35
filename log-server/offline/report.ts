// What a full check found, and how it is said.
import { EXIT } from '../../system/commands.js';
import type { Reply } from '../../system/commands.js';
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

/** What fsck answers. */
export function replyOfCheck(report: FsckReport): Reply {
  const { problems, notChecked, remarks, size, rootHash, checked } = report;
  return {
    lines: describeCheck(report),
    checks: [
      ...problems.map(({ file, expected, found }) => ({
        name: file,
        status: 'fail' as const,
        detail: `expected ${expected}, found ${found}`,
      })),
      ...notChecked.map((what) => ({ name: what, status: 'not-checkable' as const, detail: '' })),
    ],
    result: {
      origin: report.origin,
      size,
      rootHash: rootHash === undefined ? null : encodeBase64(rootHash),
      ledger: report.ledger ?? null,
      checked,
      remarks,
    },
    status: problems.length === 0 ? EXIT.ok : EXIT.failed,
  };
}

/** The report as lines for people. */
function describeCheck(report: FsckReport): string[] {
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
