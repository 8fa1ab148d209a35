// An ML-DSA-44 signature takes about 5 ms, during which a server that signs on its own thread answers
// nobody. So those are made in worker threads; Ed25519, at 0.05 ms, is not worth the way there.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import {
  checkDistinctKeys,
  COSIGNATURE_MLDSA44,
  signNoteLine,
  SteleError,
  type Clock,
  type SigningKey,
  type Subtree,
  type Vkey,
} from '../tlog/index.js';
import { systemClock } from './clock.js';

/**
 * Why no signature was made. Codes:
 *
 * - `signing_busy`: as many wait as may wait. Ask again.
 * - `signing_failed`: the worker thread ended or hung, and was replaced. Ask again.
 * - `bad_reference`: what a subtree is part of was signed by none of the keys, or a line under one is bad.
 *
 * and those of tlog, where what is to be signed is at fault.
 */
export class SigningError extends SteleError {}

/** What a worker is asked; `key` counts the keys that its `workerData` has. */
export interface SigningRequest {
  readonly id: number;
  readonly key: number;
  /** The text of a note, with the POSIX seconds to sign with it. */
  readonly note?: { readonly text: string; readonly timestamp: number };
  /** Or a subtree, and the note of which one of the keys must have signed the checkpoint it is part of. */
  readonly subtree?: Subtree;
  readonly reference?: Uint8Array;
}

/** What it answers: a signature line, or the error of tlog that the request ran into. */
export type SigningAnswer =
  | { readonly id: number; readonly line: string }
  | { readonly id: number; readonly code: string; readonly message: string; readonly hint: string };

/** How a pool is laid out. All have defaults. */
export interface SigningPoolOptions {
  /** Worker threads at most: one per processor, and 8, unless given. They start as they are needed. */
  readonly threads?: number;
  /** Requests that may wait for a thread, of each kind; what is beyond is refused. */
  readonly waiting?: { readonly notes: number; readonly subtrees: number };
  /** Milliseconds after which a thread that has not answered is taken to hang. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
  /** What runs in a thread: for tests, one that misbehaves. */
  readonly script?: URL;
}

/** Figures for whoever watches. */
export interface SigningPoolStatus {
  readonly threads: number;
  /** Requests that a thread has in hand. */
  readonly signing: number;
  readonly waiting: number;
  /** Signatures made in threads so far, and threads that ended or hung. */
  readonly signed: number;
  readonly replaced: number;
  readonly refused: number;
}

interface Job {
  readonly request: SigningRequest;
  readonly resolve: (line: string) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread's place: the thread comes with the first job and goes when it fails. */
interface Seat {
  worker: Worker | undefined;
  job: Job | undefined;
  /** Calls off the watch over the job. */
  settled: AbortController | undefined;
}

const PATIENCE = 10_000;
/** Some seconds' worth. Subtrees are asked for by anybody, and wait behind everything else. */
const WAITING = { notes: 1024, subtrees: 64 };
const MAX_THREADS = 8;

/**
 * Signs with a fixed set of keys: ML-DSA-44 in worker threads, which have copies of those keys, all
 * others at once. Starts no thread where no key is of that type.
 */
export class SigningPool {
  readonly #keys: readonly SigningKey[];
  /** Those that threads sign with. */
  readonly #threaded: readonly SigningKey[];
  readonly #seats: readonly Seat[];
  readonly #limits: { readonly notes: number; readonly subtrees: number };
  readonly #patience: number;
  readonly #clock: Clock;
  readonly #script: URL;
  readonly #notes: Job[] = [];
  readonly #subtrees: Job[] = [];
  #next = 0;
  #signed = 0;
  #replaced = 0;
  #refused = 0;
  #closed = false;

  /** Throws TlogError "duplicate_key". */
  constructor(keys: readonly SigningKey[], options: SigningPoolOptions = {}) {
    checkDistinctKeys(keys.map(({ vkey }) => vkey));
    this.#keys = keys;
    this.#threaded = keys.filter(({ type }) => type === COSIGNATURE_MLDSA44);
    const threads = options.threads ?? Math.min(MAX_THREADS, availableParallelism());
    this.#seats = Array.from({ length: this.#threaded.length === 0 ? 0 : threads }, () => ({
      worker: undefined,
      job: undefined,
      settled: undefined,
    }));
    this.#limits = options.waiting ?? WAITING;
    this.#patience = options.patienceMs ?? PATIENCE;
    this.#clock = options.clock ?? systemClock;
    this.#script = options.script ?? new URL('./signing-worker.js', import.meta.url);
    // One is up before it is needed: a thread takes longer to start than to sign.
    const [first] = this.#seats;
    if (first) this.#start(first).unref();
  }

  /** The public halves, in the order of the keys. */
  get vkeys(): Vkey[] {
    return this.#keys.map(({ vkey }) => vkey);
  }

  /**
   * One signature line by each key over the note text, in the order of the keys. `timestamp` is POSIX
   * seconds. Rejects with SigningError, and with TlogError as `signNoteLine` throws it.
   */
  async signNoteLines(text: string, timestamp: number): Promise<string[]> {
    return Promise.all(
      // Each throws into its own promise, or one left behind would end the program.
      this.#keys.map(async (key) =>
        key.type === COSIGNATURE_MLDSA44
          ? this.#ask({ key: this.#threaded.indexOf(key), note: { text, timestamp } }, 'notes')
          : signNoteLine(text, key, timestamp),
      ),
    );
  }

  /**
   * One subtree cosignature line, with the timestamp zero, by each key that can make one: ML-DSA-44 keys.
   * The thread first verifies that one of the keys signed `reference`, the note of the checkpoint that the
   * subtree was shown to be part of: that takes milliseconds, too. Waits behind all notes. Rejects with
   * SigningError.
   */
  async signSubtreeLines(subtree: Subtree, reference: Uint8Array): Promise<string[]> {
    return Promise.all(this.#threaded.map((_, key) => this.#ask({ key, subtree, reference }, 'subtrees')));
  }

  status(): SigningPoolStatus {
    return {
      threads: this.#seats.filter(({ worker }) => worker).length,
      signing: this.#seats.filter(({ job }) => job).length,
      waiting: this.#notes.length + this.#subtrees.length,
      signed: this.#signed,
      replaced: this.#replaced,
      refused: this.#refused,
    };
  }

  /** Ends the threads. What was not signed is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of [...this.#notes.splice(0), ...this.#subtrees.splice(0)]) job.reject(stopped());
    await Promise.all(
      this.#seats.map(async (seat) => {
        const { worker } = seat;
        if (worker) {
          this.#lose(seat, worker, stopped());
          await worker.terminate();
        }
      }),
    );
  }

  #ask(request: Omit<SigningRequest, 'id'>, kind: 'notes' | 'subtrees'): Promise<string> {
    return new Promise((resolve, reject) => {
      const queue = kind === 'notes' ? this.#notes : this.#subtrees;
      if (this.#closed) {
        reject(stopped());
        return;
      }
      if (queue.length >= this.#limits[kind]) {
        this.#refused++;
        reject(
          new SigningError(
            'signing_busy',
            `expected at most ${this.#limits[kind]} signatures to wait for a thread, found as many`,
            'ask again in a second',
          ),
        );
        return;
      }
      queue.push({ request: { ...request, id: this.#next++ }, resolve, reject });
      this.#deal();
    });
  }

  /** Hands what waits to threads that are free. */
  #deal(): void {
    for (;;) {
      // Those that run already come first: another is started only when they are not enough.
      const seat =
        this.#seats.find(({ worker, job }) => worker && !job) ?? this.#seats.find(({ job }) => !job);
      if (!seat) return;
      const job = this.#notes.shift() ?? this.#subtrees.shift();
      if (!job) return;
      seat.job = job;
      const settled = new AbortController();
      seat.settled = settled;
      const worker = seat.worker ?? this.#start(seat);
      worker.ref();
      worker.postMessage(job.request);
      this.#clock.sleep(this.#patience, settled.signal).then(
        () => {
          void worker.terminate();
          this.#lose(seat, worker, failed(`an answer within ${this.#patience} ms, found none`));
        },
        () => undefined,
      );
    }
  }

  #start(seat: Seat): Worker {
    const worker = new Worker(this.#script, {
      name: 'stele-signing',
      workerData: {
        keys: this.#threaded.map(({ name, type, secret }) => ({ name, type, secret })),
        vkeys: this.#keys.map(({ vkey }) => vkey),
      },
      // Nothing of the program's own: a thread that signs needs only its keys.
      argv: [],
      env: {},
      execArgv: [],
    });
    seat.worker = worker;
    worker.on('message', (answer: SigningAnswer) => this.#answered(seat, worker, answer));
    worker.on('error', (error: Error) =>
      this.#lose(seat, worker, failed(`it to run, found ${error.message}`)),
    );
    worker.on('exit', (code) => this.#lose(seat, worker, failed(`it to run, found that it ended (${code})`)));
    return worker;
  }

  #answered(seat: Seat, worker: Worker, answer: SigningAnswer): void {
    const { job } = seat;
    if (seat.worker !== worker || job?.request.id !== answer.id) return;
    this.#settle(seat);
    worker.unref();
    if ('line' in answer) {
      this.#signed++;
      job.resolve(answer.line);
    } else {
      job.reject(new SigningError(answer.code, answer.message, answer.hint));
    }
    this.#deal();
  }

  /** A thread is gone or given up: its job is answered, and the next job gets another thread. */
  #lose(seat: Seat, worker: Worker, error: SigningError): void {
    if (seat.worker !== worker) return;
    seat.worker = undefined;
    if (!this.#closed) this.#replaced++;
    const { job } = seat;
    this.#settle(seat);
    job?.reject(error);
    if (!this.#closed) this.#deal();
  }

  #settle(seat: Seat): void {
    seat.job = undefined;
    seat.settled?.abort();
    seat.settled = undefined;
  }
}

function failed(what: string): SigningError {
  return new SigningError(
    'signing_failed',
    `signing thread: expected ${what}`,
    'nothing was signed; another thread takes its place: ask again',
  );
}

function stopped(): SigningError {
  return new SigningError(
    'signing_failed',
    'signing: expected to go on, found that the program stops',
    'ask again once it runs again',
  );
}
