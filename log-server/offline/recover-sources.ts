import { lstat, opendir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatEnvelope, parseEnvelope } from '../../attestation/index.js';
import { type Fetch, type TileSource, httpSource } from '../../client/index.js';
import {
  MAX_ENTRY_SIZE,
  SteleError,
  encodeHex,
  leafHash,
  openCheckpoint,
  parseTlogProof,
} from '../../tlog/index.js';
import { whatStandsAt } from '../../system/index.js';
import { LogError } from '../errors.js';
import { StorageError, reason } from '../storage/error.js';
import { FolderSource, holdsTiles } from '../storage/folder-source.js';
import { keysTooLate } from '../storage/note-check.js';
import { parseNoteFile } from '../storage/note-file.js';
import { parseTail } from '../storage/tail.js';
import type { LogStorageOptions } from '../storage/types.js';

/** A head under the log's signature. */
export interface SignedHead {
  readonly size: number;
  readonly rootHash: Uint8Array;
  /** Where it was found. */
  readonly from: string;
  /** undefined: only size and root are known (the mark beside the key). */
  readonly note: Uint8Array | undefined;
  /** Whether the log had published it: mirrors and proofs show nothing else. */
  readonly published: boolean;
  readonly policy?: Uint8Array;
}

/** Where entries and hashes may come from. Nothing it says is believed. */
export interface Origin {
  readonly name: string;
  readonly source?: TileSource;
  /** Single entries by index. */
  readonly entries?: ReadonlyMap<number, Uint8Array>;
  /** Single entries by the hex of their leaf hash. */
  readonly byHash?: ReadonlyMap<string, () => Promise<Uint8Array | undefined>>;
}

/** All that was found in one place. */
export interface Findings {
  readonly origins: Origin[];
  readonly heads: SignedHead[];
  /** What could not be read, for the report. */
  readonly remarks: string[];
}

type Keys = Pick<LogStorageOptions, 'logKeys' | 'keySpans' | 'origin'>;

/** The head in a note, if the log signed it. Throws TlogError, StorageError "not_allowed". */
export function headIn(
  note: Uint8Array,
  from: string,
  published: boolean,
  keys: Keys,
  policy?: Uint8Array,
): SignedHead {
  const opened = openCheckpoint(note, keys.logKeys, [], keys.origin);
  const { size, rootHash } = opened.checkpoint;
  // Whoever has found an old key can sign anything: what it signs after its time is not this log's.
  const late = keysTooLate(opened, keys);
  if (late.length === opened.logSignatures.length)
    throw new StorageError(
      'not_allowed',
      `${from}: expected a head signed by a key of its time, found size ${size} signed by a retired one, ${late.join(', ')}`,
      'leave this source out: whoever has found the old key can make such a head',
    );
  return { size, rootHash, from, note, published, ...(policy && { policy }) };
}

/** Reads a URL or a folder that an operator named with --from. Throws LogError "unreadable". */
export async function findIn(from: string, keys: Keys, fetch?: Fetch): Promise<Findings> {
  const findings: Findings = { origins: [], heads: [], remarks: [] };
  if (/^https?:\/\//.test(from)) {
    await addTiles(findings, from, httpSource(from, fetch ? { fetch } : {}), keys);
    return findings;
  }
  const { found, names, error } = await whatStandsAt(from);
  if (names === undefined)
    throw new LogError(
      'unreadable',
      `--from ${from}: expected an http or https URL or a folder, found ${found}`,
      'give a mirror, a backup, a cache of a reader, proofs and envelopes of submitters; check the path',
      { cause: error },
    );
  await findInFolder(findings, from, keys, 0);
  return findings;
}

async function addTiles(findings: Findings, name: string, source: TileSource, keys: Keys): Promise<void> {
  findings.origins.push({ name, source });
  try {
    findings.heads.push(headIn(await source.checkpoint(), `${name}/checkpoint`, true, keys));
  } catch (error) {
    // A cache has none; a mirror that is not ours shows another log's.
    findings.remarks.push(`${name}/checkpoint: ${reason(error)}`);
  }
}

const MAX_DEPTH = 6;

async function findInFolder(findings: Findings, folder: string, keys: Keys, depth: number): Promise<void> {
  const tiles = await holdsTiles(folder);
  if (tiles) await addTiles(findings, folder, new FolderSource(folder), keys);
  const byHash = new Map<string, () => Promise<Uint8Array | undefined>>();
  for await (const item of await opendir(folder)) {
    const path = join(folder, item.name);
    if (item.isDirectory()) {
      // A state of another copy is LevelDB's; tiles were added above.
      if (depth < MAX_DEPTH && item.name !== 'state' && !(tiles && item.name === 'tile')) {
        await findInFolder(findings, path, keys, depth + 1);
      }
    } else if (item.isFile()) {
      await readLooseFile(findings, byHash, path, item.name, keys);
    }
  }
  if (byHash.size > 0) findings.origins.push({ name: `files in ${folder}`, byHash });
}

async function readLooseFile(
  findings: Findings,
  byHash: Map<string, () => Promise<Uint8Array | undefined>>,
  path: string,
  name: string,
  keys: Keys,
): Promise<void> {
  const { size } = await lstat(path);
  if (size > 64 * 1024 * 1024) return;
  const bytes = await readFile(path);
  const attempt = (work: () => void): boolean => {
    try {
      work();
      return true;
    } catch (error) {
      if (error instanceof SteleError) return false;
      throw error;
    }
  };
  if (name === 'tail') {
    attempt(() => {
      const { start, entries } = parseTail(bytes);
      findings.origins.push({ name: path, entries: new Map(entries.map((entry, i) => [start + i, entry])) });
    });
  } else if (name === 'signed' || name === 'published') {
    attempt(() => {
      const { note, policy } = parseNoteFile(bytes, path);
      findings.heads.push(headIn(note, path, name === 'published', keys, policy));
    });
  } else if (attempt(() => findings.heads.push(headIn(parseTlogProof(bytes).checkpoint, path, true, keys)))) {
    // A proof: its checkpoint was published.
  } else if (name !== 'checkpoint' && attempt(() => findings.heads.push(headIn(bytes, path, true, keys)))) {
    // A note somebody kept.
  } else {
    if (bytes.length <= MAX_ENTRY_SIZE) byHash.set(encodeHex(leafHash(bytes)), () => readFile(path));
    attempt(() => {
      const leaf = formatEnvelope(parseEnvelope(bytes));
      byHash.set(encodeHex(leafHash(leaf)), async () => formatEnvelope(parseEnvelope(await readFile(path))));
    });
  }
}
