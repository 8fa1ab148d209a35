import {
  decodeBase64,
  decodeUtf8,
  encodeUtf8,
  equalBytes,
  formatVkey,
  openCheckpoint,
  parseDecimal,
  signNoteLine,
  verifyConsistency,
} from '../../tlog/index.js';
import type { Clock, SigningKey, Vkey } from '../../tlog/index.js';
import type { Fetch } from '../../client/index.js';
import { LOG_KEY, testKey } from './fixture.js';

/** What a witness was asked. */
export interface Question {
  readonly oldSize: number;
  readonly size: number;
  readonly proof: readonly Uint8Array[];
  readonly note: Uint8Array;
}

/** An answer in place of the honest one; undefined for the honest one. */
export type Script = (question: Question) => Response | Promise<Response> | undefined;

/** A witness that keeps to tlog-witness, until its script says otherwise. */
export class ScriptedWitness {
  readonly name: string;
  readonly key: SigningKey;
  readonly url: string;
  readonly questions: Question[] = [];
  script: Script | undefined;
  /** The log it has configured. */
  logKey: Vkey = LOG_KEY.vkey;
  /** What it has cosigned last. */
  held: { size: number; rootHash: Uint8Array; note: Uint8Array } | undefined;
  readonly #clock: Clock;

  constructor(name: string, byte: number, clock: Clock) {
    this.name = name;
    this.key = testKey(`${name}.example`, 4, byte);
    this.url = `http://${name}.example/`;
    this.#clock = clock;
  }

  /** Its line in a policy. */
  get policyLine(): string {
    return `witness ${this.name} ${formatVkey(this.key.vkey)} ${this.url}`;
  }

  /** A cosignature line over a note's text, dated now plus `seconds`. */
  cosign(note: Uint8Array, seconds = 0): string {
    const { text } = openCheckpoint(note, [this.logKey]);
    return signNoteLine(text, this.key, Math.floor(this.#clock.now() / 1000) + seconds);
  }

  async answer(body: Uint8Array): Promise<Response> {
    const question = parseQuestion(body, this.logKey);
    this.questions.push(question);
    return (await this.script?.(question)) ?? this.honest(question);
  }

  honest({ oldSize, size, proof, note }: Question): Response {
    const { checkpoint } = openCheckpoint(note, [this.logKey]);
    const held = this.held?.size ?? 0;
    if (oldSize !== held) return conflict(held);
    if (this.held !== undefined && size === held && !equalBytes(this.held.rootHash, checkpoint.rootHash)) {
      return new Response('', { status: 422 });
    }
    if (this.held !== undefined && held > 0 && size > held) {
      try {
        const { rootHash } = this.held;
        verifyConsistency({
          oldSize,
          oldRoot: rootHash,
          newSize: size,
          newRoot: checkpoint.rootHash,
          proof: [...proof],
        });
      } catch {
        return new Response('', { status: 422 });
      }
    }
    this.held = { size, rootHash: checkpoint.rootHash, note };
    return new Response(this.cosign(note));
  }
}

/** 409 as tlog-witness has it. */
export function conflict(size: number): Response {
  return new Response(`${size}\n`, { status: 409, headers: { 'content-type': 'text/x.tlog.size' } });
}

/** A network on which these witnesses are, and nothing else. */
export function networkOf(witnesses: readonly ScriptedWitness[], others: Fetch = refuse): Fetch {
  return async (url, init) => {
    const witness = witnesses.find((each) => url === `${each.url}add-checkpoint`);
    if (witness === undefined) return others(url, init);
    return witness.answer(init.body as Uint8Array);
  };
}

/** Never answers. */
export function hang(): Promise<Response> {
  return new Promise(() => undefined);
}

const refuse: Fetch = () => Promise.reject(new Error('connection refused'));

function parseQuestion(body: Uint8Array, logKey: Vkey): Question {
  const text = decodeUtf8(body);
  const end = text.indexOf('\n\n');
  const [old = '', ...proof] = text.slice(0, end).split('\n');
  const note = encodeUtf8(text.slice(end + 2));
  const { checkpoint } = openCheckpoint(note, [logKey]);
  const hashes = proof.map((line) => decodeBase64(line, 'proof'));
  return {
    oldSize: parseDecimal(old.slice('old '.length), 'old size'),
    size: checkpoint.size,
    proof: hashes,
    note,
  };
}
