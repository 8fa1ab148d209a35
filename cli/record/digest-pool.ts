// Several files digested at a time, each in a thread of its own: SHA-256 is what takes the time, and one
// file's digest cannot be split.
import { Worker } from 'node:worker_threads';
import type { FileState } from '../file-state.js';
import { fileChanged, fileUnreadable } from '../model-digest.js';
import type { DigestAnswer, DigestTask } from './digest-worker.js';

/** Threads that digest files. They do not keep the process alive. */
export class DigestPool {
  readonly size: number;
  /** Called with the bytes read since the last call. */
  onRead: (bytes: number) => void = () => undefined;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  constructor(size: number) {
    this.size = size;
  }

  /** SHA-256 of a file, of the one that was `listed`. At most `size` at once. Throws CliError "bad_model", "model_changed". */
  digest(path: string, listed?: FileState): Promise<Buffer> {
    const worker = this.#idle.pop() ?? this.#start();
    worker.ref();
    return new Promise<Buffer>((resolve, reject) => {
      const end = (): void => {
        worker.removeAllListeners('message');
        worker.removeAllListeners('error');
        worker.unref();
        this.#idle.push(worker);
      };
      worker.on('message', (answer: DigestAnswer) => {
        if ('read' in answer) {
          this.onRead(answer.read);
          return;
        }
        end();
        if ('digest' in answer) resolve(Buffer.from(answer.digest));
        else reject('error' in answer ? fileUnreadable(path, answer.error) : fileChanged(path));
      });
      worker.once('error', (error) => {
        this.#all.delete(worker);
        reject(error);
      });
      worker.postMessage({ path, listed } satisfies DigestTask);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
    this.#all.clear();
    this.#idle.length = 0;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./digest-worker.js', import.meta.url));
    this.#all.add(worker);
    return worker;
  }
}
