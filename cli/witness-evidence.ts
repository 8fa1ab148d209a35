// Files of evidence, to witnesses and from them (spec/gossip.md).
import { exchange, joinUrl, systemTimer, type Fetch } from '../client/index.js';
import { MAX_EVIDENCE_BYTES } from '../evidence/index.js';
import { CliError, EXIT } from './errors.js';

interface Asking {
  fetch: Fetch;
  timeoutMs: number;
}

/** What a witness made of a file. */
export interface Receipt {
  /** HTTP status: 200 kept, 400 no evidence, 403 keys that it does not know, 422 it proves nothing. */
  readonly status: number;
  /** SHA-256, in hex, of the file that it keeps for the case, which may be another one; null if it keeps none. */
  readonly kept: string | null;
  /** Its words otherwise. */
  readonly said: string;
}

/** `POST <url>/gossip/evidence`. Throws ClientError where nobody answers. */
export async function sendEvidence(url: string, bytes: Uint8Array, asking: Asking): Promise<Receipt> {
  const { status, body } = await exchange(joinUrl(url, 'gossip/evidence'), {
    ...asking,
    timer: systemTimer,
    maxBody: 64 * 1024,
    method: 'POST',
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: bytes,
  });
  const text = new TextDecoder().decode(body).trim().slice(0, 300);
  const kept = status === 200 && /^[0-9a-f]{64}$/.test(text) ? text : null;
  return { status, kept, said: text };
}

/** `GET <url>/gossip/evidence/<sha256>`. Throws ClientError, CliError "bad_status". */
export async function fetchEvidence(url: string, sha256: string, asking: Asking): Promise<Uint8Array> {
  const address = joinUrl(url, `gossip/evidence/${sha256}`);
  const { status, body } = await exchange(address, {
    ...asking,
    timer: systemTimer,
    maxBody: MAX_EVIDENCE_BYTES,
  });
  if (status === 200) return body;
  throw new CliError(
    EXIT.network,
    'bad_status',
    `${address}: expected status 200, found ${status}`,
    'ask again later, or look at its status.json',
  );
}
