// One process of strangers: stranger.js KIND URL COUNT [FILE...]. URL has the path that they POST to. It goes on
// until it is ended, and opens again what the server closes. It prints a line when every connection has been opened
// once, and what it begins with has been sent or the server has closed it. FILEs are the request bodies of the kind `flood:PATH`.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [kind = '', url = '', count = '1', ...files] = process.argv.slice(2);
const { port, pathname } = new URL(url);
const host = '127.0.0.1';
const head = `POST ${pathname} HTTP/1.1\r\nHost: a\r\n`;
const dripped = Buffer.alloc(120 * 1024, 'x');
const ahead = `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(6000)}\r\n\r\n`.repeat(14);

/** What each kind does with a connection that has opened. */
const manners: Readonly<Record<string, (socket: Socket, sent: () => void) => void>> = {
  idle(socket, sent) {
    socket.resume();
    sent();
  },
  /** Asks once, reads nothing, and stays. */
  deaf: (socket, sent) => void socket.write(ahead, sent),
  drip(socket, sent) {
    socket.resume();
    socket.write(`${head}Content-Length: 131072\r\n\r\n`);
    socket.write(dripped, sent);
    const timer = setInterval(() => socket.write('x'), 500);
    socket.once('close', () => clearInterval(timer));
  },
  announce(socket, sent) {
    socket.resume();
    socket.write(`${head}Content-Length: 10000000000\r\n\r\n`, sent);
  },
  endless(socket, sent) {
    socket.resume();
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`, sent);
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65536, 'x'), Buffer.from('\r\n')]);
    const more = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', more);
    more();
  },
  headers(socket, sent) {
    socket.resume();
    socket.write(head, sent);
    const timer = setInterval(() => socket.write(`X${'x'.repeat(200)}: y\r\n`), 200);
    socket.once('close', () => clearInterval(timer));
  },
};

/** One connection, opened again whenever it is closed. */
async function stay(manner: (socket: Socket, sent: () => void) => void, begun: () => void): Promise<void> {
  for (;;) {
    const socket = connect(Number(port), host, () => manner(socket, begun));
    socket.on('error', () => undefined);
    if (kind === 'deaf') socket.pause();
    await new Promise((resolve) => socket.once('close', resolve));
    begun();
    await sleep(1000);
  }
}

const flood = /^flood:(.*)$/.exec(kind)?.[1];
const manner = manners[kind];
if (flood !== undefined) {
  const bodies = files.map((file) => readFileSync(file));
  const agent = new Agent({ keepAlive: true, maxSockets: Number(count) });
  const one = (i: number): Promise<void> =>
    new Promise((resolve) => {
      const asked = request({ host, port, path: flood, method: 'POST', agent }, (answer) => {
        answer.resume();
        answer.once('close', resolve);
      });
      asked.once('error', () => resolve());
      asked.end(bodies[i % bodies.length]);
    });
  for (let i = 0; i < Number(count); i++) {
    void (async () => {
      for (let n = i; ; n++) await one(n);
    })();
  }
} else if (manner) {
  const begun: Promise<void>[] = [];
  for (let i = 0; i < Number(count); i++) {
    begun.push(new Promise((resolve) => void stay(manner, resolve)));
    // All at once would wait for one another in the queue of the kernel.
    if (i % 100 === 99) await sleep(10);
  }
  await Promise.all(begun);
} else {
  throw new Error(`no such manner: ${kind}`);
}
console.log('ready');
