import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildFreeze,
  formatEnvelope,
  parseEnvelope,
  parseStatement,
  sign,
  typeUri,
} from '../attestation/index.js';
import type { Freeze } from '../attestation/index.js';
import type { Fetch } from '../client/index.js';
import { ClientError, LogReader, exchange, httpSource, joinUrl } from '../client/index.js';
import { createFile, readKeyFile } from '../system/index.js';
import { TILE_WIDTH, encodeHex, parsePolicy } from '../tlog/index.js';
import type { Clock } from '../tlog/index.js';
import { needCharterFile } from './charter-check.js';
import { LogError } from './errors.js';
import { FILES, readPolicyFile } from './folder.js';
import { DEFAULT_LIMITS } from './settings.js';

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

/** How a log has ended. */
export interface Frozen {
  readonly origin: string;
  /** Of the freeze entry. */
  readonly index: number;
  /** Of the last tree: the freeze, one anchor behind it, and nothing else ever. */
  readonly size: number;
  /** Of that tree, 32 bytes. */
  readonly rootHash: Uint8Array;
}

/** The signed freeze lies here before it is first sent, and the same bytes are sent ever after. */
const FREEZE_FILE = 'freeze.json';
/** A freeze that the log has refused for good: kept to be looked at, and never sent again. */
const REFUSED_FILE = 'freeze.refused.json';

/** For the log to answer the freeze: it keeps whoever submits waiting for its witnesses. */
const ADD_MS = DEFAULT_LIMITS.stallTimeoutMs + 30_000;
/** Longest answer to it that is read, in bytes. */
const MAX_ANSWER = 1024 * 1024;

/** How often the last tree is looked for, and for how long. */
const LOOK_MS = 250;
const PATIENCE_MS = 300_000;

/**
 * Freezes a running log: signs the freeze, keeps it, submits it. The server itself then logs the last
 * anchor. Resolves when the tree with that is published, which nothing follows; also where the freeze was logged before.
 * What the log
 * refused for good is put aside, so that the next attempt signs anew; after anything else the next
 * attempt sends the same bytes. Throws LogError `unreachable`, `timeout`, `redirected`, `too_large`, `not_frozen`,
 * `already_frozen`, `freeze_kept`, `no_charter`, `no_anchor`, ClientError.
 */
export async function freeze(options: FreezeOptions): Promise<Frozen> {
  const { folder, url, clock, fetch } = options;
  const envelope = await signedFreeze(options);
  const path = join(folder, FREEZE_FILE);
  const answer = await exchange(joinUrl(url, 'add'), {
    fetch,
    timer: clock,
    timeoutMs: ADD_MS,
    maxBody: MAX_ANSWER,
    method: 'POST',
    headers: { accept: 'text/plain', 'content-type': 'application/json' },
    body: envelope,
  }).catch((error: unknown): never => {
    if (!(error instanceof ClientError)) throw error;
    if (error.code === 'unreachable') throw noLogAt(url, error);
    const where = error.code === 'timeout' ? '' : "name the log's own address with --url, and ";
    const hint = `the freeze may be logged: ${where}run this again, which sends the same bytes, kept as ${path}`;
    throw new LogError(error.code, error.message, hint, { cause: error });
  });
  const text = new TextDecoder().decode(answer.body).trim();
  const index = answer.status === 200 ? indexIn(text) : undefined;
  if (index !== undefined) return lastTree(index, options);
  const found = `expected the freeze to be logged, found ${answer.status}: ${text.slice(0, 500)}`;
  if (answer.status === 410) {
    await setAside(folder);
    const hint = 'nothing is left to do: another freeze of this log is logged, and this one never will be';
    throw new LogError('already_frozen', found, hint);
  }
  if (answer.status === 400 || answer.status === 403) {
    await setAside(folder);
    const hint = `mend what the log says (often: another --operator-key) and run this again, which signs anew; what was refused is kept as ${join(folder, REFUSED_FILE)}`;
    throw new LogError('not_frozen', found, hint);
  }
  // It may be committed, or be so later: these bytes and no others.
  throw new LogError('unreachable', found, `run this again: it sends the same bytes, kept as ${path}`);
}

/** The index that the log gave the freeze; undefined where something else answers in its place. */
function indexIn(text: string): number | undefined {
  const index = /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(index) ? index : undefined;
}

function noLogAt(url: string, cause: unknown): LogError {
  const hint = 'the log must be running: stele-log serve, or name it with --url';
  return new LogError('unreachable', `expected a log at ${url}, found none`, hint, { cause });
}

function setAside(folder: string): Promise<void> {
  return rename(join(folder, FREEZE_FILE), join(folder, REFUSED_FILE));
}

/** Waits until the tree that ends with the last anchor is published, and cosigned as the folder's policy asks. */
async function lastTree(index: number, { folder, url, clock, fetch }: FreezeOptions): Promise<Frozen> {
  const reader = new LogReader(
    httpSource(url, { fetch, timer: clock }),
    parsePolicy(await readPolicyFile(folder)),
  );
  let found = 'no checkpoint';
  const until = clock.monotonic() + PATIENCE_MS;
  while (clock.monotonic() < until) {
    try {
      const { origin, size, rootHash } = await reader.checkpoint();
      // SPEC attestations.md rule 5: "After a freeze at index i nothing is admitted but an `anchor` at index i + 1".
      if (size >= index + 2) return { origin, index, size, rootHash };
      found = `one of ${size}`;
    } catch (error) {
      // The freeze is logged: whatever it is, it may pass.
      found = String(error);
    }
    await clock.sleep(LOOK_MS);
  }
  throw new LogError(
    'unreachable',
    `expected the last tree, of ${index + 2} entries, to be published, found ${found}`,
    `the freeze is logged, as entry ${index}, and the log takes nothing more. Its last anchor waits for the witnesses (stele-log doctor): run this again when they answer, before anybody takes the last checkpoint`,
  );
}

async function signedFreeze(options: FreezeOptions): Promise<Uint8Array> {
  const { folder, url, operatorKey, reason, successor, clock, fetch } = options;
  const path = join(folder, FREEZE_FILE);
  const kept = await readFile(path).catch(() => undefined);
  if (kept !== undefined) {
    checkKept(kept, options);
    return kept;
  }
  const { participant, terms } = (await needCharterFile(folder)).charter.predicate;
  const key = readKeyFile(operatorKey ?? join(folder, FILES.operatorKey));
  const recentAnchor = await newestAnchor(
    httpSource(url, { fetch, timer: clock }),
    await readPolicyFile(folder),
  ).catch((error: unknown) => {
    throw error instanceof ClientError && error.code === 'unreachable' ? noLogAt(url, error) : error;
  });
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

/** What was signed may be logged already, so nothing else is signed beside it. */
function checkKept(kept: Uint8Array, { folder, reason, successor }: FreezeOptions): void {
  const { predicate } = parseStatement(parseEnvelope(kept).payload).statement as Freeze;
  const said = `--reason ${predicate.reason}${predicate.successor === null ? '' : ` --successor ${predicate.successor}`}`;
  if (predicate.reason === reason && predicate.successor === (successor ?? null)) return;
  throw new LogError(
    'freeze_kept',
    `expected the freeze that is signed already (${said}), found another reason or successor`,
    `it was signed before and may have been sent (${join(folder, FREEZE_FILE)}): run this again with ${said}`,
  );
}

/** The last anchor of the published log, every byte of it verified: from the end, a bundle at a time. */
async function newestAnchor(
  source: ReturnType<typeof httpSource>,
  policy: Uint8Array,
): Promise<{ index: number; leafHash: string }> {
  const reader = new LogReader(source, parsePolicy(policy));
  const { size } = await reader.checkpoint();
  for (let end = size; end > 0;) {
    const start = Math.floor((end - 1) / TILE_WIDTH) * TILE_WIDTH;
    let newest: { index: number; leafHash: string } | undefined;
    for await (const { index, entry, leafHash } of reader.entries(start, end)) {
      const { statement } = parseStatement(parseEnvelope(entry).payload);
      if (statement.predicateType === typeUri('anchor')) newest = { index, leafHash: encodeHex(leafHash) };
    }
    if (newest !== undefined) return newest;
    end = start;
  }
  throw new LogError(
    'no_anchor',
    'expected an anchor in the log, found none',
    'wait until the log has logged its first anchor',
  );
}
