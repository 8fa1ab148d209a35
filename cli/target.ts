// How people name an entry: by its index, by the digest of its payload, by the envelope itself.
import { resolve } from 'node:path';
import { parseEnvelope, parseJson } from '../attestation/index.js';
import { idOf, looksLikeBundle, parseBundle } from './bundle.js';
import type { Context } from './context.js';
import { asInput, CliError, EXIT } from './errors.js';
import { readIfThere } from './files.js';
import { checkCount } from './identifiers.js';
import type { OpenLog } from './log.js';
import { exchange, systemTimer } from '../client/index.js';
import { decodeUtf8, quote } from '../tlog/index.js';
import { required, type Settings } from './settings.js';

/** Longest answer read, in bytes: an entry with its proof. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The index of the entry that `target` names. Throws CliError "not_found", status 1. */
export async function findEntry(
  context: Context,
  settings: Settings,
  log: OpenLog,
  target: string,
): Promise<number> {
  if (/^[0-9]{1,16}$/.test(target)) {
    const index = checkCount(target, 'index');
    if (index < log.checkpoint.size) return index;
    throw notFound(`expected an index below ${log.checkpoint.size}, the log's size, found ${index}`);
  }
  const id = /^[0-9a-f]{64}$/.test(target) ? target : readId(context, target);
  const hinted = await askIndex(context, settings, id);
  if (hinted !== undefined && hinted < log.checkpoint.size) {
    if (idOf(parseEnvelope(await log.reader.entry(hinted))) === id) return hinted;
  }
  // The log's look-up need not be believed, and other logs have none: read the entries.
  const index = await log.index.update(log.reader, log.checkpoint.size, id);
  if (index !== undefined) return index;
  throw notFound(
    `expected an entry whose payload has the digest ${id}, found none in ${log.checkpoint.size} entries`,
  );
}

function readId(context: Context, file: string): string {
  const bytes = readIfThere(resolve(context.cwd, file));
  if (bytes === undefined) {
    throw new CliError(
      EXIT.usage,
      'unreadable',
      `expected an index, the SHA-256 of a payload in hex, or a file that holds the envelope, found ${quote(file)}`,
      'check the path; "stele get" takes "checkpoint" and "terms" too',
    );
  }
  return asInput(file, () =>
    idOf(looksLikeBundle(parseJson(bytes)) ? parseBundle(bytes).envelope : parseEnvelope(bytes)),
  );
}

/** The log's own answer, a hint: undefined where it has none or cannot be asked. */
async function askIndex(context: Context, settings: Settings, id: string): Promise<number | undefined> {
  const url = required(settings, 'log');
  try {
    const address = new URL(`api/v1/entries?payload=${id}`, url.endsWith('/') ? url : `${url}/`).href;
    const { status, body } = await exchange(address, {
      fetch: context.fetch,
      timer: systemTimer,
      timeoutMs: 1000 * (settings.timeout ?? 60),
      maxBody: MAX_ANSWER_BYTES,
      headers: { accept: 'application/json' },
    });
    if (status !== 200) return undefined;
    const { index } = JSON.parse(decodeUtf8(body)) as { index?: unknown };
    return Number.isSafeInteger(index) && (index as number) >= 0 ? (index as number) : undefined;
  } catch {
    return undefined;
  }
}

function notFound(message: string): CliError {
  return new CliError(EXIT.failed, 'not_found', message, 'has it been submitted, and to this log?');
}
