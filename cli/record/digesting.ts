// Digests of what is at rest: one folder after another, in the background, and only if nothing changes
// meanwhile. The recorder's loop takes up what they came to.
import type { Context } from '../context.js';
import { identifyFolder, type Digester, type ModelIdentity } from '../model-digest.js';
import type { Report } from '../report.js';
import { inUnits } from './bar.js';
import { told, type Counting } from './counting.js';
import type { Digests } from './journal.js';
import { printOf, type FolderLook, type Look } from './look.js';

/** Bytes from which a digest takes long enough to be told of where no bar shows it. */
const LARGE = 1_000_000_000;
/** Milliseconds before a folder that cannot be read is tried again. */
const TRY_AGAIN = 60_000;

/** What digesting takes. */
export interface DigestingParts {
  readonly context: Pick<Context, 'now'>;
  readonly report: Pick<Report, 'say'>;
  readonly counting: Counting;
  readonly digester: Digester;
  /** As long must a folder have been at rest, in milliseconds. */
  readonly every: number;
  /** Whether a folder that cannot be read is tried again. */
  readonly follow: boolean;
  /** Called for a folder that changed while it was digested. */
  readonly onDisturbed: () => void;
  /** Told what is about to be digested, and that it has been. */
  readonly onDigest: ((label: string, bytes: number) => () => void) | undefined;
}

export class Digesting {
  readonly #parts: DigestingParts;
  /** Prints by path, and since when they have been so. */
  readonly #rest = new Map<string, { print: string; since: number }>();
  /** Paths that could not be read, and until when they are let alone. */
  readonly #later = new Map<string, number>();
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
    const now = this.#parts.context.now();
    for (const { path, print } of [...checkpoints, top])
      if (this.#rest.get(path)?.print !== print) this.#rest.set(path, { print, since: now });
  }

  /** Writes down what digests came to. */
  take(): void {
    for (const take of this.#done.splice(0)) take();
  }

  /** Milliseconds for which a folder has been at rest; undefined while that is not long enough. */
  rest({ path }: FolderLook): number | undefined {
    const now = this.#parts.context.now();
    const rest = now - (this.#rest.get(path)?.since ?? now);
    return rest >= this.#parts.every && (this.#later.get(path) ?? 0) <= now ? rest : undefined;
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
      // A run that was set back writes its later checkpoints again, state file and all. What only lies
      // elsewhere now, or lost files to a rotation under way, is no new checkpoint.
      const before = last.digests;
      if (last.signed !== true || before === undefined) continue;
      if (last.print === print || last.written === state.writtenAt) continue;
      this.digest(folder, false, (digests) => {
        const again =
          digests.weights !== null && (before === 'gone' || !sameModel(digests.weights, before.weights));
        counting.change((file) => {
          const entry = file.checkpoints.findLast((each) => each.step === step);
          if (again) file.checkpoints.push({ step, ...told(state, print, false), digests });
          else if (entry) Object.assign(entry, { print, written: state.writtenAt });
        });
      });
      return;
    }
  }

  /** Digests a folder in the background, if nothing changes meanwhile; `then` is called by `take`. */
  digest({ path, print, bytes }: FolderLook, top: boolean, then: (digests: Digests) => void): void {
    const { context, digester, follow, onDigest, onDisturbed, report } = this.#parts;
    const label = path.split(/[\\/]/).at(-1) ?? path;
    if (bytes >= LARGE) report.say(`${label}: digesting ${inUnits(bytes)}`);
    const end = onDigest?.(label, bytes);
    const work = async (): Promise<void> => {
      try {
        if (printOf(path, top).print !== print) {
          this.#done.push(onDisturbed);
          return;
        }
        const { weights, folder } = await identifyFolder(path, digester);
        // Nothing changed while it was digested: no file came, went or was written.
        if (printOf(path, top).print === print)
          this.#done.push(() => then({ weights: weights ?? null, folder: folder ?? null }));
        else this.#done.push(onDisturbed);
      } catch (error) {
        const changed = printOf(path, top).print !== print;
        this.#done.push(() => {
          // The next look tells what became of it.
          if (changed) {
            onDisturbed();
            return;
          }
          if (!follow) throw error;
          this.#later.set(path, context.now() + TRY_AGAIN);
          report.say(`${(error as Error).message}. It is tried again.`);
        });
      }
    };
    this.#running = work().finally(() => {
      end?.();
      this.#running = undefined;
    });
  }
}

function sameModel(a: ModelIdentity, b: ModelIdentity | null): boolean {
  return b !== null && a.root === b.root && a.manifestDigest === b.manifestDigest;
}
