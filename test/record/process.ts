// `stele` as a process of its own, in somebody's folder.
import { spawn, type ChildProcess } from 'node:child_process';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Person } from '../cli/world.js';

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

const running = new Set<ChildProcess>();

/** Ends what a test that failed has left running. */
export function killRest(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** A process that was started. */
export interface Started {
  readonly process: ChildProcess;
  /** Exit status, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  stdout(): string;
  stderr(): string;
  /** Resolves once stderr holds the text; rejects if the process ends without it. */
  says(text: string): Promise<void>;
}

/** Starts `stele` with these words; `nodeArgs` go to Node. */
export function startStele(
  person: Person,
  argv: readonly string[],
  nodeArgs: readonly string[] = [],
): Started {
  const kept = Object.entries(process.env).filter(([name]) => !/^(STELE_|XDG_)/.test(name));
  const child = spawn(process.execPath, [...nodeArgs, MAIN, ...argv], {
    cwd: person.folder,
    env: { ...Object.fromEntries(kept), HOME: dirname(person.folder) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let out = '';
  let err = '';
  let onText: () => void = () => undefined;
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    onText();
  });
  const ended = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown')),
  );
  return {
    process: child,
    ended,
    stdout: () => out,
    stderr: () => err,
    says: (text) =>
      new Promise((resolve, reject) => {
        onText = () => {
          if (err.includes(text)) resolve();
        };
        onText();
        // Whoever waits in vain learns what was said instead.
        const late = setTimeout(() => reject(new Error(`expected "${text}", found: ${err}`)), 180_000);
        late.unref();
        void ended.then(() =>
          reject(
            new Error(
              `expected "${text}", found the end (${String(child.exitCode)} ${String(child.signalCode)}): ${err}`,
            ),
          ),
        );
      }),
  };
}

/** Node's arguments that make a process print its largest resident set, in kB, when it ends. */
export const TELL_MEMORY: readonly string[] = [
  '--import',
  'data:text/javascript,process.on("exit",()=>process.stderr.write("maxRSS "+process.resourceUsage().maxRSS+"\\n"))',
];

/** Stands before a server; closed, it is as if the server were away. */
export class Gate {
  open = true;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before(url: string): Promise<Gate> {
    const { hostname, port } = new URL(url);
    const server = createServer();
    const gate = new Gate(server);
    server.on('connection', (socket) => {
      if (!gate.open) {
        socket.destroy();
        return;
      }
      const behind = connect(Number(port), hostname);
      for (const each of [socket, behind]) {
        gate.#sockets.add(each);
        each
          .on('error', () => undefined)
          .on('close', () => {
            socket.destroy();
            behind.destroy();
            gate.#sockets.delete(each);
          });
      }
      socket.pipe(behind).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
