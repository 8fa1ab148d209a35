// A witness that says what a test tells it to: every row of the table of the log's gate, and worse.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  COSIGNATURE_ED25519,
  decodeUtf8,
  encodeUtf8,
  newSigningKey,
  parseCheckpoint,
  parseNote,
  sha256,
  signNoteLine,
  type Checkpoint,
  type SigningKey,
  type Vkey,
} from '../../tlog/index.js';

/** How to answer one request. */
export type Reply =
  /** 200 with a valid cosignature, whatever is asked, dated now or as told (seconds). */
  | { kind: 'cosign'; timestamp?: number }
  /** 200 with a cosignature under the right key over another tree. */
  | { kind: 'cosign-other' }
  /** 409 as the specification has it. */
  | { kind: 'conflict'; size: number }
  /** 409 without a size, as an omniwitness says that it holds another root. */
  | { kind: 'conflict-without-size' }
  /** 422. */
  | { kind: 'inconsistent' }
  | { kind: 'status'; status: number; body?: string; headers?: Record<string, string> }
  /** Reads the request and never answers. */
  | { kind: 'hang' }
  /** Sends headers and a first byte, and then nothing. */
  | { kind: 'hang-in-body' }
  /** 200 with bytes that are no signature line. */
  | { kind: 'garbage' }
  /** 200 with a body that does not end, until the client gives up. */
  | { kind: 'endless' }
  /** Closes the connection without an answer. */
  | { kind: 'disconnect' }
  | { kind: 'redirect'; to: string };

/** A request as it came; nothing in it was checked. */
export interface SeenRequest {
  oldSize: number;
  proofLines: number;
  note: Uint8Array;
  text: string;
  checkpoint: Checkpoint;
}

export type Script = Reply | ((request: SeenRequest, count: number) => Reply);

export interface FakeWitness {
  url: string;
  vkey: Vkey;
  key: SigningKey;
  /** Every request so far, in order of arrival. */
  requests: SeenRequest[];
  /** What it does from now on. */
  script: Script;
  close(): Promise<void>;
}

/** Starts one on a free port of loopback. `now` is in seconds and dates its cosignatures. */
export async function startFakeWitness(options: {
  name?: string;
  script: Script;
  now?: () => number;
}): Promise<FakeWitness> {
  const name = options.name ?? 'witness.example/fake';
  const key = newSigningKey(name, COSIGNATURE_ED25519, sha256(encodeUtf8(`${name} Ed25519`)));
  const now = options.now ?? ((): number => Math.floor(Date.now() / 1000));
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing);
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const request = parse(await read(incoming));
    fake.requests.push(request);
    const { script } = fake;
    const reply = typeof script === 'function' ? script(request, fake.requests.length) : script;
    const send = (status: number, body = '', headers: Record<string, string> = {}): void => {
      outgoing.writeHead(status, headers).end(body);
    };
    switch (reply.kind) {
      case 'cosign':
        send(200, signNoteLine(request.text, key, reply.timestamp ?? now()));
        return;
      case 'cosign-other': {
        const { origin, size } = request.checkpoint;
        const text = `${origin}\n${size + 1}\n${Buffer.alloc(32, 7).toString('base64')}\n`;
        send(200, signNoteLine(text, key, now()));
        return;
      }
      case 'conflict':
        send(409, `${reply.size}\n`, { 'content-type': 'text/x.tlog.size' });
        return;
      case 'conflict-without-size':
        send(409);
        return;
      case 'inconsistent':
        send(422);
        return;
      case 'status':
        send(reply.status, reply.body, reply.headers);
        return;
      case 'garbage':
        send(200, '\u0000 not a signature line');
        return;
      case 'redirect':
        send(307, '', { location: reply.to });
        return;
      case 'hang':
        return;
      case 'hang-in-body':
        outgoing.writeHead(200, { 'content-length': '1000' }).write('x');
        return;
      case 'endless':
        outgoing.writeHead(200);
        pour(outgoing);
        return;
      case 'disconnect':
        incoming.socket.destroy();
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeWitness = {
    url: `http://127.0.0.1:${port}`,
    vkey: key.vkey,
    key,
    requests: [],
    script: options.script,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

function pour(outgoing: ServerResponse): void {
  while (!outgoing.destroyed && outgoing.write('x'.repeat(16_384)));
  if (!outgoing.destroyed) outgoing.once('drain', () => pour(outgoing));
}

async function read(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parse(body: Uint8Array): SeenRequest {
  const text = decodeUtf8(body, 'request');
  const end = text.indexOf('\n\n');
  const [old = '', ...proof] = text.slice(0, end).split('\n');
  const note = encodeUtf8(text.slice(end + 2));
  const parsed = parseNote(note);
  return {
    oldSize: Number(old.slice('old '.length)),
    proofLines: proof.length,
    note,
    text: parsed.text,
    checkpoint: parseCheckpoint(parsed.text),
  };
}
