// C2SP tlog-witness from the caller's side, and what the field's witnesses answer besides.
import {
  concatBytes,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  parseCheckpoint,
  parseDecimal,
  parseNote,
  parseSignatureLines,
  SteleError,
  verifySignatureLine,
  verifySubtree,
  type Vkey,
} from '../tlog/index.js';
import { ClientError } from './errors.js';
import { exchange, joinUrl, systemTimer, type Answer, type Fetch, type Timer } from './http.js';

/** Which witness is asked, and how. */
export interface WitnessClientOptions {
  /** The witness's submission prefix. */
  url: string;
  /** The witness's verifier keys (types 0x04, 0x06), one for each kind of cosignature it makes. */
  vkeys: readonly Vkey[];
  fetch?: Fetch;
  timer?: Timer;
  /** Milliseconds for one request, answer included. Default 10,000. */
  timeoutMs?: number;
  /** Bytes of request body that this witness takes; some of the field's take 10 or 16 KB. Default 128 KiB. */
  maxBody?: number;
  /** Bytes of answer that are read. Default 64 KiB. */
  maxReply?: number;
}

/** What `add-checkpoint` carries (C2SP tlog-witness). */
export interface AddCheckpointRequest {
  /** Size of the last checkpoint that the witness is believed to have cosigned; 0 if none. */
  oldSize: number;
  /** Consistency proof from `oldSize` to the checkpoint, 32-byte hashes; empty when either is 0 or both equal. */
  proof: readonly Uint8Array[];
  /** The signed checkpoint. */
  note: Uint8Array;
}

/** What `sign-subtree` carries (C2SP tlog-witness). */
export interface SignSubtreeRequest {
  /** Index of the first leaf, and of the last plus one: `isSubtree`. */
  start: number;
  end: number;
  /** 32-byte root of those leaves. */
  hash: Uint8Array;
  /** From the subtree to the tree of `note`, as `proveSubtree` gives it; 32-byte hashes. */
  proof: readonly Uint8Array[];
  /** A checkpoint that the witness cosigned, with its cosignature. */
  note: Uint8Array;
}

/** A cosignature that has been verified over the very note that was sent. */
export interface VerifiedCosignature {
  vkey: Vkey;
  /** Seconds since the epoch; never 0. */
  timestamp: number;
  /** The signature line, with its newline, as it goes under the note. */
  line: string;
}

/**
 * What a witness's answer means. What the caller makes of it (the gate at start, setting a witness
 * aside at run time) is the caller's business.
 */
export type AddCheckpointResult =
  | { kind: 'cosigned'; lines: string[]; cosignatures: VerifiedCosignature[] }
  /** 409. Without a size the witness holds another root for the same size (omniwitness says it so). */
  | { kind: 'conflict'; size?: number }
  /** 422: the proof does not lead from what the witness holds to this checkpoint. */
  | { kind: 'inconsistent' }
  /** 404. Some older witnesses answer 403 instead, which is `refused`. */
  | { kind: 'unknown-log'; status: number }
  /** 400, 403, 413 and whatever else below 500 the witness says no with. */
  | { kind: 'refused'; status: number }
  /** No answer, 429, 5xx, or an answer that makes no sense. `retryAfter` is in seconds. */
  | { kind: 'silent'; error: SteleError; retryAfter?: number };

/** Speaks `add-checkpoint` to one witness. Holds no state: what the witness last saw is the caller's. */
export class WitnessClient {
  readonly url: string;
  readonly vkeys: readonly Vkey[];
  readonly #options: Required<Omit<WitnessClientOptions, 'url' | 'vkeys'>>;

  constructor(options: WitnessClientOptions) {
    this.url = options.url;
    this.vkeys = options.vkeys;
    this.#options = {
      fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
      timer: options.timer ?? systemTimer,
      timeoutMs: options.timeoutMs ?? 10_000,
      maxBody: options.maxBody ?? 128 * 1024,
      maxReply: options.maxReply ?? 64 * 1024,
    };
  }

  /**
   * Submits a checkpoint. Never throws for anything that the witness or the network does: that is
   * `silent` with a reason. Throws TlogError if `note` is no signed note.
   */
  async addCheckpoint(request: AddCheckpointRequest, signal?: AbortSignal): Promise<AddCheckpointResult> {
    const text = parseNote(request.note).text;
    const body = formatAddCheckpoint(request);
    const { maxBody, maxReply, fetch, timer, timeoutMs } = this.#options;
    if (body.length > maxBody) {
      return {
        kind: 'silent',
        error: new ClientError(
          'too_large',
          `${this.url}: takes requests of ${maxBody} bytes, this one has ${body.length}`,
          'send fewer signature lines',
        ),
      };
    }
    try {
      const answer = await exchange(joinUrl(this.url, 'add-checkpoint'), {
        fetch,
        timer,
        timeoutMs,
        maxBody: maxReply,
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body,
        signal,
      });
      return this.#interpret(answer, text);
    } catch (error) {
      if (error instanceof SteleError) return { kind: 'silent', error };
      throw error;
    }
  }

  /**
   * Asks for a subtree cosignature, with the time zero. The lines by the witness's keys, verified; at least
   * one. Throws ClientError "bad_status" for a refusal, others for what goes wrong on the way, TlogError if
   * `note` is no signed checkpoint.
   */
  async signSubtree(request: SignSubtreeRequest, signal?: AbortSignal): Promise<string[]> {
    const { origin } = parseCheckpoint(parseNote(request.note).text);
    const { maxReply, fetch, timer, timeoutMs } = this.#options;
    const answer = await exchange(joinUrl(this.url, 'sign-subtree'), {
      fetch,
      timer,
      timeoutMs,
      maxBody: maxReply,
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: formatSignSubtree(request),
      signal,
    });
    if (answer.status !== 200) {
      throw new ClientError(
        'bad_status',
        `${this.url}: expected a subtree cosignature, found status ${answer.status}`,
        answer.status === 404 ? 'the log is not configured there, or subtrees are not signed there' : '',
      );
    }
    const { start, end, hash } = request;
    const lines: string[] = [];
    for (const { name, keyId, signature, line } of parseSignatureLines(answer.body)) {
      const vkey = this.vkeys.find((each) => each.name === name && each.keyId === keyId);
      if (!vkey) continue;
      // SPEC: "If the cosignature format supports timestamps, the timestamp MUST be zero."
      if (verifySubtree(vkey, { origin, start, end, hash }, signature) !== 0) {
        throw new ClientError(
          'bad_reply',
          `${this.url}: expected a subtree cosignature without a time`,
          'the witness does not keep to C2SP tlog-witness: tell its operator',
        );
      }
      lines.push(line);
    }
    if (lines.length === 0) throw this.#unsigned();
    return lines;
  }

  #interpret(answer: Answer, text: string): AddCheckpointResult {
    switch (answer.status) {
      case 200:
        return this.#verify(answer.body, text);
      case 409: {
        // SPEC: "The response body MUST consist of the tree size of the latest cosigned checkpoint in
        // decimal, followed by a newline. The response MUST have a Content-Type of text/x.tlog.size."
        if (answer.contentType !== 'text/x.tlog.size') return { kind: 'conflict' };
        return { kind: 'conflict', size: parseSizeBody(answer.body, this.url) };
      }
      case 422:
        return { kind: 'inconsistent' };
      case 404:
        return { kind: 'unknown-log', status: 404 };
    }
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429) {
      return { kind: 'refused', status: answer.status };
    }
    const error = new ClientError(
      'bad_status',
      `${this.url}: expected an answer of tlog-witness, found status ${answer.status}`,
      'try again later',
    );
    return answer.retryAfter === undefined
      ? { kind: 'silent', error }
      : { kind: 'silent', error, retryAfter: answer.retryAfter };
  }

  /** Keeps what the witness's own keys signed over this note; one bad line under them spoils the answer. */
  #verify(body: Uint8Array, text: string): AddCheckpointResult {
    const cosignatures: VerifiedCosignature[] = [];
    for (const signature of parseSignatureLines(body)) {
      // SPEC: "The client MUST ignore any cosignatures from unknown keys."
      if (!this.vkeys.some((vkey) => vkey.name === signature.name && vkey.keyId === signature.keyId))
        continue;
      const { vkey, timestamp, line } = verifySignatureLine(signature, text, this.vkeys);
      // SPEC: "The cosignature MUST NOT omit the timestamp, i.e. the timestamp MUST NOT be zero."
      if (timestamp === undefined || timestamp === 0) {
        throw new ClientError(
          'bad_reply',
          `${this.url}: expected a cosignature with a time, found none in it`,
          'the witness does not keep to C2SP tlog-witness: tell its operator',
        );
      }
      cosignatures.push({ vkey, timestamp, line });
    }
    if (cosignatures.length === 0) {
      throw this.#unsigned();
    }
    return { kind: 'cosigned', lines: cosignatures.map(({ line }) => line), cosignatures };
  }

  #unsigned(): ClientError {
    return new ClientError(
      'bad_reply',
      `${this.url}: expected a cosignature by ${this.vkeys.map(({ name }) => name).join(' or ')}, found none`,
      "is this the witness's key?",
    );
  }
}

/** The request body of C2SP tlog-witness `add-checkpoint`. */
export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpointRequest): Uint8Array {
  const lines = [`old ${oldSize}`, ...proof.map((hash) => encodeBase64(hash))];
  return concatBytes(encodeUtf8(`${lines.join('\n')}\n\n`), note);
}

/** The request body of C2SP tlog-witness `sign-subtree`. */
export function formatSignSubtree({ start, end, hash, proof, note }: SignSubtreeRequest): Uint8Array {
  const lines = [`subtree ${start} ${end}`, ...[hash, ...proof].map((each) => encodeBase64(each))];
  return concatBytes(encodeUtf8(`${lines.join('\n')}\n\n`), note);
}

function parseSizeBody(body: Uint8Array, url: string): number {
  const text = decodeUtf8(body, 'the size in a 409');
  if (!text.endsWith('\n')) {
    throw new ClientError(
      'bad_reply',
      `${url}: expected a size and a newline, found no newline`,
      'the witness does not keep to C2SP tlog-witness: tell its operator',
    );
  }
  return parseDecimal(text.slice(0, -1), 'the size in a 409');
}
