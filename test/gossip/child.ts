// A witness in a process of its own, whose rounds of gossip the test asks for.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('../helpers/gossip-child.js', import.meta.url));

/** What the witness says of itself. */
export interface GossipStatus {
  rounds: number;
  convicted: { sha256: string; role: string; convicted: string[] }[];
}

export class GossipChild {
  url = '';
  readonly folder: string;
  #process: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  async start(): Promise<void> {
    const started = spawn(process.execPath, [child, this.folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = started;
    this.#lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
    this.url = await this.#line();
  }

  async ask(what: 'round' | 'reload'): Promise<GossipStatus> {
    this.#process?.stdin?.write(`${what}\n`);
    return JSON.parse(await this.#line()) as GossipStatus;
  }

  async kill(): Promise<void> {
    if (this.#process?.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async #line(): Promise<string> {
    const next = await this.#lines?.next();
    if (!next || next.done) throw new Error(`the witness in ${this.folder} ended`);
    return next.value;
  }
}
