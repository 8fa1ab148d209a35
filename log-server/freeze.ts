import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildFreeze,
  formatEnvelope,
  parseEnvelope,
  parseStatement,
  sign,
  typeUri,
} from '../attestation/index.js';
import type { Charter } from '../attestation/index.js';
import type { Fetch } from '../client/index.js';
import { LogReader, httpSource } from '../client/index.js';
import { createFile, readKeyFile } from '../system/index.js';
import { encodeHex, leafHash, parsePolicy } from '../tlog/index.js';
import type { Clock } from '../tlog/index.js';
import { LogError } from './errors.js';
import { FILES, readPolicyFile } from './folder.js';

/** What `stele-log freeze` is told. */
export interface FreezeOptions {
  readonly folder: string;
  /** Of the running log. */
  readonly url: string;
  /** Path of the operator's key; the folder's own where nothing is said. */
  readonly operatorKey: string | undefined;
  readonly reason: string;
  readonly successor: string | undefined;
  readonly clock: Clock;
  readonly fetch: Fetch;
}

/** The signed freeze lies here before it is first sent, and the same bytes are sent ever after. */
const FREEZE_FILE = 'freeze.json';

/**
 * Freezes a running log: signs the freeze, keeps it, submits it. The server itself then logs the last
 * anchor. Resolves with the index of the freeze entry. Throws LogError, ClientError.
 */
export async function freeze(options: FreezeOptions): Promise<number> {
  const { folder, url, fetch } = options;
  const envelope = await signedFreeze(options);
  let answer: Response;
  try {
    const headers = { accept: 'text/plain', 'content-type': 'application/json' };
    answer = await fetch(new URL('add', `${url.replace(/\/$/, '')}/`).href, {
      method: 'POST',
      body: envelope,
      headers,
    });
  } catch (cause) {
    const hint = 'the log must be running: stele-log serve, or name it with --url';
    throw new LogError('unreachable', `expected a log at ${url}, found none`, hint, { cause });
  }
  const text = await answer.text();
  if (answer.status !== 200) {
    const code = answer.status === 503 ? 'unreachable' : 'not_frozen';
    throw new LogError(
      code,
      `expected the freeze to be logged, found ${answer.status}: ${text.trim()}`,
      `${join(folder, FREEZE_FILE)} is kept; run this again`,
    );
  }
  return Number(text.trim());
}

async function signedFreeze(options: FreezeOptions): Promise<Uint8Array> {
  const { folder, url, operatorKey, reason, successor, clock, fetch } = options;
  const path = join(folder, FREEZE_FILE);
  const kept = await readFile(path).catch(() => undefined);
  if (kept !== undefined) return kept;
  const charterBytes = await readFile(join(folder, FILES.charter)).catch((cause: unknown) => {
    throw new LogError(
      'no_charter',
      `expected a charter in ${folder}, found none`,
      'only a log with a charter can be frozen',
      { cause },
    );
  });
  const { statement } = parseStatement(parseEnvelope(charterBytes).payload);
  const { participant, terms } = (statement as Charter).predicate;
  const key = readKeyFile(operatorKey ?? join(folder, FILES.operatorKey));
  const recentAnchor = await newestAnchor(
    httpSource(url, { fetch, timer: clock }),
    await readPolicyFile(folder),
  );
  const predicate = {
    participant,
    issuedAt: Math.floor(clock.now() / 1000),
    recentAnchor,
    origin: terms.origin,
    reason: reason as 'planned',
    successor: successor ?? null,
  };
  const envelope = formatEnvelope(sign(buildFreeze(predicate), key.secret));
  await createFile(path, envelope, 0o644);
  return envelope;
}

/** The last anchor of the published log, every byte of it verified. */
async function newestAnchor(
  source: ReturnType<typeof httpSource>,
  policy: Uint8Array,
): Promise<{ index: number; leafHash: string }> {
  const reader = new LogReader(source, parsePolicy(policy));
  const { size } = await reader.checkpoint();
  for (let index = size - 1; index > 0; index--) {
    const entry = await reader.entry(index);
    const { statement } = parseStatement(parseEnvelope(entry).payload);
    if (statement.predicateType === typeUri('anchor')) return { index, leafHash: encodeHex(leafHash(entry)) };
  }
  throw new LogError(
    'no_anchor',
    'expected an anchor in the log, found none',
    'wait until the log has logged its first anchor',
  );
}
