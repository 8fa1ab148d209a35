/**
 * A witness under attack, over real processes: strangers who take all they can, while honest logs ask for
 * cosignatures. The witness is the shipped program, with the limits that it ships with.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WitnessClient } from '../../client/index.js';
import {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  encodeUtf8,
  newSigningKey,
  sha256,
  type Vkey,
} from '../../tlog/index.js';
import { addPeer } from '../../witness/index.js';
import { SigningLog } from '../helpers/signing-log.js';
import { witnessFolder } from '../helpers/witness.js';
import { type Attack, type Honest, type Outcome, attackWith } from './phases.js';
import { peakMemory, startProgram } from './program.js';

/**
 * Most bytes that the witness may ever have in memory. Node and the program at rest are about 110 MB; 32 MiB
 * of bodies can be twice that while they grow; 4,096 connections with the headers and answers that they hold
 * are about 120 MB; the rest is for the collector. Found: 344 MiB, and 572 without the bound on bodies.
 */
export const MOST_MEMORY: number = 480 * 1024 * 1024;

/** Most files and connections that it may ever have open: 4,096 connections and a few dozen of its own. */
export const MOST_OPEN: number = 4096 + 128;

const NAME = 'witness.example/attacked';
const LOGS = 3;
/** What an attack on a witness comes to. */
export interface WitnessOutcome extends Outcome {
  /** Requests that reached the private address to which a peer redirects. */
  readonly redirected: number;
  /** How often each bad peer was asked. */
  readonly asked: readonly number[];
}

/** Attacks a witness in every way, each for so long. Throws if an honest log was left without an answer. */
export async function attackWitness(options: {
  readonly seconds: number;
  readonly connections: number;
}): Promise<WitnessOutcome> {
  const scratch = mkdtempSync(join(tmpdir(), 'stele-attack-'));
  const logs = Array.from({ length: LOGS }, (_, i) => new SigningLog(`attack.example/${i}`));
  const folder = await witnessFolder({ name: NAME, logs: logs.map(({ vkey }) => vkey), mldsa: true });
  const peers = await badPeers();
  for (const { url, vkey } of peers.list) await addPeer(folder, [vkey], { url });
  const { program: witness, whereIs } = startProgram('witness/main', folder, join(scratch, 'witness.log'));
  try {
    const url = await whereIs();
    // As witnessFolder makes them.
    const vkeys = [
      newSigningKey(NAME, COSIGNATURE_ED25519, sha256(encodeUtf8(`${NAME} Ed25519`))).vkey,
      newSigningKey(NAME, COSIGNATURE_MLDSA44, sha256(encodeUtf8(`${NAME} ML-DSA-44`))).vkey,
    ];
    const honest = logs.map((log) => new HonestLog(log, url, vkeys));
    const { phases, open } = await attackWith(attacks(logs, options.connections), {
      program: witness,
      url: `${url}/add-checkpoint`,
      honest,
      seconds: options.seconds,
      pauseMs: 20,
      scratch,
    });
    const memory = peakMemory(witness);
    return { phases, memory, open, redirected: peers.redirected(), asked: peers.asked() };
  } finally {
    const ended = new Promise((resolve) => witness.once('close', resolve));
    if (witness.exitCode === null && witness.kill('SIGKILL')) await ended;
    peers.close();
    rmSync(folder, { recursive: true });
    rmSync(scratch, { recursive: true });
  }
}

function attacks(logs: readonly SigningLog[], connections: number): Attack[] {
  const [log] = logs;
  if (!log) throw new Error('expected a log');
  const valid = log.note(1);
  const forged = Uint8Array.from(valid);
  forged[forged.length - 20] = forged[forged.length - 20] === 65 ? 66 : 65;
  const line = `— stranger.example ${Buffer.alloc(40_000, 1).toString('base64')}\n`;
  const huge = Buffer.concat([valid, encodeUtf8(line), encodeUtf8(line)]);
  const other = new SigningLog('unknown.example/log').note(5);
  const asked = (note: Uint8Array): Uint8Array => Buffer.concat([encodeUtf8('old 1\n\n'), note]);
  const evidence = encodeUtf8(`stele-log/evidence@v1\n${'x'.repeat(100_000)}\n`);
  return [
    { name: 'connections that ask for nothing', kinds: [['idle', connections]] },
    { name: 'connections that ask and read nothing', kinds: [['deaf', connections]] },
    { name: 'headers that drip', kinds: [['headers', connections / 4]] },
    { name: 'bodies that drip', kinds: [['drip', connections / 4]] },
    { name: 'bodies announced as 10 GB', kinds: [['announce', 200]] },
    { name: 'bodies without an end', kinds: [['endless', 200]] },
    {
      name: 'cosigned notes shown again',
      kinds: [['flood:/add-checkpoint', 100]],
      bodies: [asked(valid), asked(forged), asked(huge), asked(other)],
    },
    {
      name: 'gossip, true, forged and huge',
      kinds: [['flood:/gossip/checkpoint', 100]],
      bodies: [valid, forged, huge, other],
    },
    {
      name: 'evidence that is none',
      kinds: [['flood:/gossip/evidence', 100]],
      bodies: [evidence, valid],
    },
  ];
}

/** A log that does what a log does: grows, and asks until it is answered. */
class HonestLog implements Honest {
  readonly #log: SigningLog;
  readonly #client: WitnessClient;
  #size = 0;

  constructor(log: SigningLog, url: string, vkeys: readonly Vkey[]) {
    this.#log = log;
    this.#client = new WitnessClient({ url, vkeys });
  }

  /** One more entry, cosigned. How often it had to ask again, and how long it all took. */
  async ask(signal: AbortSignal): Promise<{ again: number; ms: number } | undefined> {
    const oldSize = this.#size;
    const size = oldSize + 1;
    const proof = await this.#log.proof(oldSize, size);
    const begun = performance.now();
    for (let again = 0; !signal.aborted; again++) {
      const result = await this.#client.addCheckpoint({ oldSize, proof, note: this.#log.note(size) });
      if (result.kind === 'cosigned' || (result.kind === 'conflict' && result.size === size)) {
        this.#size = size;
        return { again, ms: performance.now() - begun };
      }
      if (result.kind !== 'silent')
        throw new Error(`expected a cosignature, found ${JSON.stringify(result)}`);
      await sleep(20);
    }
    return undefined;
  }
}

interface BadPeers {
  readonly list: readonly { readonly url: string; readonly vkey: Vkey }[];
  redirected: () => number;
  asked: () => number[];
  close: () => void;
}

/** Peers in the witness's own list: one hangs, one sends rubbish without an end, one redirects. */
async function badPeers(): Promise<BadPeers> {
  let redirected = 0;
  const secret = await serve((_, answer) => {
    redirected++;
    answer.end('secret');
  });
  const asked = [0, 0, 0];
  const count =
    (i: number, then: RequestListener): RequestListener =>
    (incoming, answer) => {
      asked[i] = (asked[i] ?? 0) + 1;
      then(incoming, answer);
    };
  const rubbish = Buffer.alloc(65536, 0xff);
  const bad = await Promise.all([
    serve(count(0, () => undefined)),
    serve(
      count(1, (_, answer) => {
        const more = (): void => {
          while (!answer.destroyed && answer.write(rubbish));
        };
        answer.on('drain', more);
        more();
      }),
    ),
    serve(count(2, (_, answer) => void answer.writeHead(307, { location: `${secret.url}/latest` }).end())),
  ]);
  return {
    list: bad.map(({ url }, i) => ({
      url,
      vkey: newSigningKey(`bad.example/${i}`, COSIGNATURE_ED25519, sha256(encodeUtf8(`bad ${i}`))).vkey,
    })),
    redirected: () => redirected,
    asked: () => asked,
    close() {
      for (const { server } of [secret, ...bad]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

async function serve(listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
