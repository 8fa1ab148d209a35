// What stele-log doctor makes of what the server says of itself at /readyz.
import {
  readinessInWords,
  type Examination,
  type ReadyzClaim,
  type WitnessesFound,
} from '../system/doctor/index.js';

/** What to do where the server takes nothing, by the state that it says: anything may answer there. */
const WHAT_TO_DO: ReadonlyMap<string, string> = new Map([
  [
    'behind_witness',
    'the folder is an older copy: stop the log; put the newest one in its place, or bring back what is missing (stele-log recover --from): "Backup and restore" in docs/operating.md',
  ],
  [
    'forked',
    'stop it. Is another process signing with this key? Else this is not the newest folder: "Backup and restore" in docs/operating.md',
  ],
  ['starting', "wait for a moment; if it stays so, see the log's own lines (journalctl -u stele-log)"],
  ['storage_failed', 'see what it says of the disk; it goes on by itself once that is mended'],
  [
    'stopped',
    'see its messages of level alarm (journalctl -u stele-log), then start it again, which checks everything',
  ],
]);

/** What a server says of itself. Where what was found of the witnesses is why, the fault is told there, once. */
export function checkReadiness(
  exam: Examination,
  url: string,
  readiness: ReadyzClaim | undefined,
  witnesses: WitnessesFound | undefined,
): void {
  if (readiness?.ready === true) {
    exam.pass('server', `${url}: says that it takes entries`);
    return;
  }
  if (readiness?.state === 'frozen') {
    exam.remark('server', `${url}: the log is frozen, for good: it serves what it has and takes nothing`);
    return;
  }
  const words = readiness === undefined ? 'that it does not say so' : readinessInWords(readiness);
  const state = readiness?.state ?? '';
  const waits = state === 'gate_closed' || state === 'starting';
  if ((waits && witnesses?.quorum === false) || (state === 'behind_witness' && witnesses?.ahead === true)) {
    exam.remark('server', `${url}: takes nothing (${words}): why is said of its witnesses below`);
    return;
  }
  exam.fail('server', {
    expected: `${url} to take entries`,
    found: words,
    todo:
      WHAT_TO_DO.get(state) ??
      "see what is said of its witnesses below, and the log's own lines (journalctl -u stele-log)",
  });
}
