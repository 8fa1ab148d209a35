// Digests of what is at rest: one folder after another, in the background, and only if nothing changes
// meanwhile. The recorder's loop takes up what they came to.
import type { Context } from '../context.js';
import { CliError } from '../errors.js';
import type { FileState } from '../file-state.js';
import { identifyFolder, type Digester, type FolderIdentity, type ModelIdentity } from '../model-digest.js';
import type { Report } from '../report.js';
import { chooseWeights, sayPassedOver, someOf } from '../weight-files.js';
import { inUnits } from './bar.js';
import { told, type Counting } from './counting.js';
import type { Counted, Digests } from './journal.js';
import { printOf, type CheckpointLook, type FolderLook, type Look } from './look.js';
import { incompleteShards, weightsIncomplete } from './shards.js';

/** Bytes from which a digest takes long enough to be told of where no bar shows it. */
const LARGE = 1_000_000_000;
/** Milliseconds by which a timer may end before a finer clock says so. */
const EARLY = 20;
/** Milliseconds before a folder that could not be digested is tried again, while the run is followed. */
const TRY_AGAIN = 60_000;
/** Attempts at a folder that does not change, before it is recorded without digests. */
const ATTEMPTS = 5;
/** The same when nothing is followed: whoever waits can mend it. */
const ATTEMPTS_ONCE = 2;

/** What digesting takes. */
export interface DigestingParts {
  readonly context: Pick<Context, 'monotonic'>;
  readonly report: Pick<Report, 'say'>;
  readonly counting: Counting;
  readonly digester: Digester;
  /** As long must a folder have been at rest, in milliseconds. */
  readonly every: number;
  /** Whether the run is followed to its end: a folder that cannot be digested is tried again and again. */
  readonly follow: boolean;
  /** That the run is over by its user's word, whatever cannot be read. */
  readonly outcome: string | undefined;
  /** Called for a folder that changed while it was digested. */
  readonly onDisturbed: () => void;
  /** Told what is about to be digested, and that it has been. */
  readonly onDigest: ((label: string, bytes: number) => () => void) | undefined;
}

export class Digesting {
  readonly #parts: DigestingParts;
  /** Prints by path, and since when they have been so. */
  readonly #rest = new Map<string, { print: string; since: number }>();
  /** Paths that could not be digested, how often, and until when they are let alone. */
  readonly #failed = new Map<string, { print: string; attempts: number; until: number; error: Error }>();
  /** What was said of folders, by what it is about. */
  readonly #said = new Set<string>();
  #running: Promise<void> | undefined;
  /** What digests came to. */
  readonly #done: (() => void)[] = [];

  constructor(parts: DigestingParts) {
    this.#parts = parts;
  }

  /** Resolves when the digest that is under way ends; undefined where there is none. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Whether something has come of a digest that the loop has not taken up. */
  get done(): boolean {
    return this.#done.length > 0;
  }

  /** Sees what has changed since the look before. */
  watch({ checkpoints, top }: Look): void {
    const now = this.#parts.context.monotonic();
    for (const { path, print } of [...checkpoints, top])
      if (this.#rest.get(path)?.print !== print) this.#rest.set(path, { print, since: now });
  }

  /** Writes down what digests came to. */
  take(): void {
    // One that cannot be written down for now is there with the next look still.
    for (let take = this.#done[0]; take !== undefined; take = this.#done[0]) {
      take();
      this.#done.shift();
    }
  }

  /** Whether a folder has been as it is for so many looks. */
  isAtRest({ path }: FolderLook, looks = 1): boolean {
    return this.#unchanged(path) >= looks * this.#parts.every - EARLY;
  }

  /** Milliseconds for which a folder that may be digested has been at rest; undefined while that is not long enough. */
  rest(folder: FolderLook): number | undefined {
    const { path, print } = folder;
    const failed = this.#failed.get(path);
    if (failed?.print === print && failed.until > this.#parts.context.monotonic()) return undefined;
    return this.isAtRest(folder) ? this.#unchanged(path) : undefined;
  }

  #unchanged(path: string): number {
    const now = this.#parts.context.monotonic();
    return now - (this.#rest.get(path)?.since ?? now);
  }

  /** Why a folder, as it lies there, is given up until somebody mends it. */
  givenUp({ path, print }: FolderLook): Error | undefined {
    const failed = this.#failed.get(path);
    return failed?.until === Infinity && failed.print === print ? failed.error : undefined;
  }

  /** Starts with the first checkpoint that is owed a digest and at rest, if none is under way. */
  start(look: Look): void {
    if (this.#running !== undefined) return;
    const { counting } = this.#parts;
    const { checkpoints } = counting.file;
    for (const folder of look.checkpoints) {
      if (this.rest(folder) === undefined || folder.state?.step !== folder.step) continue;
      const { step, state, print } = folder;
      const last = checkpoints.findLast((each) => each.step === step);
      if (last === undefined) continue;
      if (last.signed !== true && last.digests === undefined) {
        this.digest(folder, false, (digests) => {
          counting.change((file) => {
            const entry = file.checkpoints.findLast((each) => each.step === step);
            if (entry?.print === print && entry.digests === undefined) entry.digests = digests;
          });
        });
        return;
      }
      const before = last.digests;
      if (before === undefined || !isWrittenAgain(folder, last)) continue;
      this.digest(folder, false, (digests) => {
        const again = isAnother(digests, before);
        counting.change((file) => {
          const entry = file.checkpoints.findLast((each) => each.step === step);
          if (again) file.checkpoints.push({ step, ...told(state, print, false), digests });
          else if (entry) Object.assign(entry, { print, written: state.writtenAt });
        });
      });
      return;
    }
  }

  /** Checkpoints that were written again since they were signed, of which it is not known yet whether with another model. */
  writtenAgain({ checkpoints }: Look): CheckpointLook[] {
    const { file } = this.#parts.counting;
    return checkpoints.filter((folder) => {
      const last = file.checkpoints.findLast(({ step }) => step === folder.step);
      return last !== undefined && isWrittenAgain(folder, last);
    });
  }

  /** Digests a folder in the background, if nothing changes meanwhile; `then` is called by `take`. */
  digest({ path, print, bytes }: FolderLook, top: boolean, then: (digests: Digests) => void): void {
    const { digester, onDigest, onDisturbed, report } = this.#parts;
    const label = path.split(/[\\/]/).at(-1) ?? path;
    if (bytes >= LARGE) report.say(`${label}: digesting ${inUnits(bytes)}`);
    const end = onDigest?.(label, bytes);
    const work = async (): Promise<void> => {
      try {
        const states = new Map<string, FileState>();
        if (printOf(path, top, states).print !== print) {
          this.#done.push(onDisturbed);
          return;
        }
        const said = this.#mustBeWhole(path, [...states.keys()]);
        const found = await identifyFolder(path, digester, states);
        // Nothing changed while it was digested: no file came, went or was written.
        if (printOf(path, top).print !== print) this.#done.push(onDisturbed);
        else
          this.#done.push(() => {
            this.#sayOnce(said);
            this.#tellLeftOut(label, top, found);
            then({ weights: found.weights ?? null, folder: found.folder ?? null });
          });
      } catch (error) {
        // Of what changed the next look tells what became of it.
        const changed = printIfRead(path, top) !== print;
        this.#done.push(() => {
          if (changed) onDisturbed();
          else if (this.#fails(path, print, error as Error)) then({ weights: null, folder: null });
        });
      }
    };
    this.#running = work().finally(() => {
      end?.();
      this.#running = undefined;
    });
  }

  /** Notes that a folder could not be digested, though it did not change. True when that is to go on record. */
  #fails(path: string, print: string, error: Error): boolean {
    const { context, follow, outcome, report } = this.#parts;
    const before = this.#failed.get(path);
    const attempts = 1 + (before?.print === print ? before.attempts : 0);
    const last = attempts >= (follow ? ATTEMPTS : ATTEMPTS_ONCE);
    const settled = last && (follow || outcome !== undefined);
    const now = context.monotonic();
    const until = settled || (!last && !follow) ? now : last ? Infinity : now + TRY_AGAIN;
    this.#failed.set(path, { print, attempts, until, error });
    // Taken up again and again while that cannot be written down.
    if (settled) this.#sayOnce(`${error.message}. It is recorded without digests.`, `${print} ${path}`);
    else if (attempts === 1)
      // Where nothing is followed, what to do is said at the end.
      report.say(
        `${error.message}. It is tried again${follow && error instanceof CliError ? `; ${error.hint}` : ''}.`,
      );
    return settled;
  }

  /** Throws CliError "weights_incomplete". Of a run that is over by word: what to say of its parts. */
  #mustBeWhole(path: string, files: readonly string[]): string | undefined {
    // Of a model at the top, copies below are none of its parts.
    const { passedOver } = chooseWeights(files);
    const parts = passedOver.length === 0 ? files : files.filter((file) => !file.includes('/'));
    const incomplete = incompleteShards(path, parts);
    if (incomplete === undefined) return undefined;
    const error = weightsIncomplete(path, incomplete, this.#parts.follow);
    if (this.#parts.outcome === undefined) throw error;
    return `${error.message}. It is recorded as it is.`;
  }

  /** Says what of a folder goes on no record, once for each reason: of checkpoints the next is like the first. */
  #tellLeftOut(label: string, top: boolean, { folder, others, passedOver, weights }: FolderIdentity): void {
    if (others.length > 0)
      this.#sayOnce(
        `${label} holds links or devices (${someOf(others)}), which Model Signing does not follow: ${weights ? 'its weights are recorded, the folder as a whole is not' : 'neither weights nor the folder as a whole are recorded'}.`,
      );
    // Of the end that is said when it is signed: its weights may be yet to come.
    else if (weights === undefined && folder !== undefined && !top)
      this.#sayOnce(
        `${label} holds no file that is known to hold weights: it is recorded without digests, as is any other like it.`,
        'no weights',
      );
    const said = sayPassedOver(passedOver);
    if (weights !== undefined && said !== undefined)
      this.#sayOnce(`${label}: ${said}`, top ? 'passed over at the end' : 'passed over');
  }

  #sayOnce(text: string | undefined, about = text): void {
    if (text === undefined || about === undefined || this.#said.has(about)) return;
    this.#said.add(about);
    this.#parts.report.say(text);
  }
}

/** Of a folder that cannot be listed, the print that a look gives it. */
function printIfRead(path: string, top: boolean): string {
  try {
    return printOf(path, top).print;
  } catch {
    return '';
  }
}

/**
 * A run that was set back writes its later checkpoints again, state file and all. What only lies elsewhere now, or lost files
 * to a rotation under way, is no new checkpoint.
 */
function isWrittenAgain({ print, state, step }: CheckpointLook, last: Counted): boolean {
  if (last.signed !== true || last.digests === undefined || state?.step !== step) return false;
  return last.print !== print && last.written !== state.writtenAt;
}

/** Whether a folder that was written again holds another model; where it holds no known weights, other files. */
function isAnother(now: Digests, before: Digests | 'gone'): boolean {
  if (before === 'gone') return now.weights !== null;
  if (now.weights === null && before.weights === null)
    return now.folder !== null && before.folder !== null && !sameModel(now.folder, before.folder);
  return now.weights !== null && !sameModel(now.weights, before.weights);
}

function sameModel(a: ModelIdentity, b: ModelIdentity | null): boolean {
  return b !== null && a.root === b.root && a.manifestDigest === b.manifestDigest;
}
