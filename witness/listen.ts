// The HTTP server of a witness: how long, and how much, strangers can hold open.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Connections, inTurn } from '../system/index.js';

/** What bounds how long and how much strangers can hold open. Milliseconds, but for the last two. */
export interface Limits {
  headersMs: number;
  requestMs: number;
  keepAliveMs: number;
  /** How long nothing may be sent or taken on a connection while a request is under way. */
  stallMs: number;
  /** How long `close` waits for requests that are being answered. */
  drainMs: number;
  /** Open at once. */
  connections: number;
  /** Bytes of all request bodies together. */
  bodies: number;
}

export const LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 20_000,
  keepAliveMs: 60_000,
  stallMs: 30_000,
  drainMs: 10_000,
  connections: 4096,
  bodies: 32 * 1024 * 1024,
};

/** A server that listens. */
export interface Listening {
  /** With the port that it has, and no slash at the end. */
  readonly url: string;
  /** Takes no more, and resolves when what was asked is answered, or has had its time. */
  close(): Promise<void>;
}

/** Serves what `fetch` answers. Throws what listening throws. */
export async function listen(
  fetch: Parameters<typeof getRequestListener>[0],
  { host, port }: { host: string; port: number },
  limits: Limits,
): Promise<Listening> {
  // Global objects stay as they are: this may run inside another program.
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false });
  const connections = new Connections(limits.connections);
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      // What logs send is a few hundred bytes.
      maxHeaderSize: 8 * 1024,
      // Node looks for connections past their time only this often; its default is 30 seconds.
      connectionsCheckingInterval: Math.max(100, Math.min(1000, limits.headersMs / 2)),
    },
    inTurn((incoming, outgoing) => {
      connections.asked(incoming, outgoing);
      void listener(incoming, outgoing);
    }),
  );
  server.on('connection', (socket) => connections.open(socket));
  // An answer that nobody takes must end too.
  server.timeout = limits.stallMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A connection that was busy becomes idle, and would be kept alive.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const force = setTimeout(() => server.closeAllConnections(), limits.drainMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(force);
    },
  };
}
