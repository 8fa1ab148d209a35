import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import { onResponse } from './listeners.js';

/** An address is crowding when it holds more than this part of all connections. */
const CROWD = 16;

interface Held {
  readonly address: string;
  /** To the request that came last on it, until it has been taken. */
  answer?: ServerResponse | undefined;
}

/**
 * The open connections of a server, at most `limit`. Who comes when all places are taken gets the place of
 * the connection that has been quiet longest (since it was opened, or last had an answer), and an address
 * that crowds the others out gives first: so thousands of connections that ask for nothing, or drip, keep
 * nobody out who asks. A connection that waits for us, with its request here whole and unanswered, is
 * never closed; if all are such, who comes is refused.
 */
export class Connections {
  readonly #limit: number;
  /** Quiet longest first. */
  readonly #held = new Map<Socket, Held>();
  readonly #counts = new Map<string, number>();
  readonly #onTaken = onResponse((response) => this.#taken(response));

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#held.size;
  }

  /** A connection was opened. It is closed at once if there is no room for it. */
  open(socket: Socket): void {
    if (this.#held.size >= this.#limit && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    const address = networkOf(socket.remoteAddress ?? '');
    this.#held.set(socket, { address });
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    socket.once('close', () => this.#forget(socket));
  }

  /** A request's headers are here. */
  asked(request: IncomingMessage, response: ServerResponse): void {
    const held = this.#held.get(request.socket);
    if (held === undefined) return;
    held.answer = response;
    response.on('close', this.#onTaken);
  }

  #taken({ req: { socket } }: ServerResponse): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    held.answer = undefined;
    // Behind all others: it has just been served.
    this.#held.delete(socket);
    this.#held.set(socket, held);
  }

  #makeRoom(): boolean {
    let quietest: Socket | undefined;
    let crowding = false;
    for (const count of this.#counts.values()) crowding ||= count > this.#limit / CROWD;
    for (const [socket, { address, answer }] of this.#held) {
      if (answer?.req.complete === true && !answer.headersSent) continue;
      quietest ??= socket;
      if (crowding && (this.#counts.get(address) ?? 0) <= this.#limit / CROWD) continue;
      quietest = socket;
      break;
    }
    if (quietest === undefined) return false;
    this.#forget(quietest);
    quietest.destroy();
    return true;
  }

  #forget(socket: Socket): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    this.#held.delete(socket);
    const left = (this.#counts.get(held.address) ?? 0) - 1;
    if (left > 0) this.#counts.set(held.address, left);
    else this.#counts.delete(held.address);
  }
}

/** Who has one IPv6 address has 2^64 of them: what counts as one address there is a /64. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [left = '', right] = address.split('%', 1)[0]?.split('::') ?? [];
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
