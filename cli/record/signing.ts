// Statements of what is known: drafted, signed once, each naming the one before, and handed to the outbox.
import { existsSync } from 'node:fs';
import type { AnchorRef } from '../../attestation/index.js';
import type { SigningKey } from '../../tlog/index.js';
import { signOnce, type Draft } from '../attest/sign-once.js';
import type { Invocation } from '../command.js';
import { lastOf, readRun, type RunRecord } from '../records.js';
import type { Counting } from './counting.js';
import { draftFinal, draftIntent, draftProgress, fileOf, type RunFacts } from './drafts.js';
import type { Counted, Ended, Told } from './journal.js';
import type { Outbox } from './outbox.js';

/** What signing takes. */
export interface SigningParts {
  readonly invocation: Invocation;
  readonly facts: RunFacts;
  readonly key: SigningKey;
  /** The records folder. */
  readonly records: string;
  readonly counting: Counting;
  readonly outbox: Outbox;
  readonly anchor: () => Promise<AnchorRef>;
}

export class Signing {
  readonly #parts: SigningParts;
  #declared = false;

  constructor(parts: SigningParts) {
    this.#parts = parts;
  }

  /** What an earlier recorder, or somebody by hand, has signed goes first. */
  sendWhatIsSigned(): void {
    const { outbox } = this.#parts;
    const rank = ({ statement }: RunRecord): number =>
      statement.predicateType === 'https://stele-log/run-intent/v1'
        ? -1
        : 'window' in statement.predicate
          ? statement.predicate.window
          : Infinity;
    for (const record of this.#read().sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)))) {
      const type = record.statement.predicateType.split('/').at(-2) ?? '';
      outbox.add({
        path: record.path,
        label: 'window' in record.statement.predicate ? progressLabel(record.statement.predicate) : type,
      });
    }
  }

  /** Signs all that is known and owed but for the end. */
  async signOwed(): Promise<void> {
    await this.#intent();
    for (const counted of this.#parts.counting.file.checkpoints)
      if (counted.digests !== undefined && counted.signed !== true) await this.#progress(counted);
  }

  /** Signs the end. */
  async final(final: Ended): Promise<void> {
    const { counting, facts, invocation, records } = this.#parts;
    const previous = lastOf(this.#read())?.id;
    const { checkpoints } = counting.file;
    const fallen = [...checkpoints, final].some((each, i) => hasFallen(each, checkpoints.slice(0, i)));
    const { digests } = final;
    if (digests !== undefined && digests !== 'gone' && digests.weights === null)
      invocation.report.sayOnce(
        'At the top of the folder is no file that is known to hold weights, or they are not whole: the end is recorded without any.',
      );
    if (fallen) this.#tellFallen();
    const draft = draftFinal(facts, final, previous, fallen);
    await this.#sign(draft, fileOf.final(records, facts.run), 'run-final');
    counting.change((file) => {
      if (file.final) file.final.signed = true;
    });
  }

  #read(): RunRecord[] {
    const { facts, invocation, records } = this.#parts;
    return readRun(records, facts.participant, facts.run, invocation.report);
  }

  async #intent(): Promise<void> {
    const { counting, facts, records } = this.#parts;
    if (counting.file.found !== 'nothing') return;
    if (this.#declared) return;
    // It may have been declared by hand.
    if (this.#read().length === 0) {
      await this.#sign(draftIntent(facts), fileOf.intent(records, facts.run), 'run-intent');
      counting.doubt();
    }
    this.#declared = true;
  }

  async #progress(counted: Counted): Promise<void> {
    const { counting, facts, records } = this.#parts;
    const at = counting.file.checkpoints.findIndex(
      ({ step, signed, digests }) => step === counted.step && signed !== true && digests !== undefined,
    );
    const earlier = counting.file.checkpoints.filter((each) => each.signed === true);
    const window = counted.window ?? Math.max(-1, ...earlier.map((each) => each.window ?? -1)) + 1;
    if (counted.window === undefined) {
      counting.change((file) => {
        const entry = file.checkpoints[at];
        if (entry) entry.window = window;
      });
    }
    const path = fileOf.progress(records, facts.run, window);
    const run = this.#read();
    const there = run.find((record) => record.path === path)?.statement.predicate;
    if (there !== undefined && !('lastStep' in there && there.lastStep === counted.step)) {
      // Somebody signed a window by hand meanwhile. Its place is taken; this one gets the next.
      counting.change((file) => {
        const entry = file.checkpoints[at];
        if (entry) Reflect.deleteProperty(entry, 'window');
      });
      counting.doubt();
      return;
    }
    const firstStep = Math.max(0, ...earlier.map(({ step }) => step).filter((step) => step < counted.step));
    const start = earlier.find((each) => each.window === window - 1)?.end;
    const previous = lastOf(run)?.id;
    if (hasFallen(counted, earlier)) this.#tellFallen();
    const draft = draftProgress(facts, counted, { window, firstStep, start, previous });
    await this.#sign(draft, path, progressLabel({ window, lastStep: counted.step }));
    counting.change((file) => {
      const entry = file.checkpoints[at];
      if (entry) entry.signed = true;
    });
  }

  #tellFallen(): void {
    this.#parts.invocation.report.sayOnce(
      "The trainer's count of FLOP is lower than on record: where the run was set back, it leaves out the work that was done again. State the whole of it: --fields, run-final, flop.",
    );
  }

  /** What is signed already is left as it is, whatever is said or told now. */
  async #sign(draft: Draft, path: string, label: string): Promise<void> {
    const { anchor, invocation, key, outbox } = this.#parts;
    if (!existsSync(path)) await signOnce(invocation, key, draft, path, anchor);
    outbox.add({ path, label });
  }
}

/** Whether less compute is counted than before: a trainer that was set back goes on from the checkpoint's count. */
function hasFallen({ flop }: Told, earlier: readonly Told[]): boolean {
  return (
    flop !== undefined && earlier.some((each) => each.flop !== undefined && BigInt(each.flop) > BigInt(flop))
  );
}

function progressLabel({ window, lastStep }: { window: number; lastStep: number }): string {
  return `run-progress ${window}, to step ${lastStep}`;
}
