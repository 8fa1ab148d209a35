import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Connections, inTurn } from '../../system/index.js';
import { Door } from './door.js';

/** Bounds of the HTTP server. */
export interface HttpLimits {
  /** Open connections. Above it the one that was quiet longest is closed for whoever comes. */
  readonly connections: number;
  /** Milliseconds from the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** Milliseconds from the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** Milliseconds a connection may be idle between requests. */
  readonly keepAliveTimeoutMs: number;
  /** Milliseconds in which nothing is sent or taken while a request is answered. Longer than any answer takes. */
  readonly stallTimeoutMs: number;
}

/** A listening server. */
export interface Listening {
  readonly url: string;
  /** Ends when every request under way has been answered, or after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Serves `app` on `host`:`port`; port 0 takes a free one. */
export async function listen(
  app: RequestListener,
  { host, port }: { readonly host: string; readonly port: number },
  limits: HttpLimits,
): Promise<Listening> {
  const options = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // Node looks for connections that exceed the limits above only so often; its default is 30 s.
    connectionsCheckingInterval: Math.max(
      100,
      Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs) / 4,
    ),
    maxHeaderSize: 16 * 1024,
  };
  const connections = new Connections(limits.connections);
  const door = new Door(app);
  const server = createServer(
    options,
    inTurn((request, response) => {
      connections.asked(request, response);
      door.enter(request, response);
    }),
  );
  // What ends a connection that sends nothing and takes nothing: an answer that nobody reads.
  server.timeout = limits.stallTimeoutMs;
  server.on('connection', (socket) => {
    door.opened();
    connections.open(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  const name = family === 'IPv6' ? `[${address}]` : address;
  return { url: `http://${name}:${bound}`, close: (graceMs) => closeServer(server, graceMs) };
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
