// Which files a model is, as OpenSSF Model Signing 1.0 computes it: the SHA-256 of every file, sorted by
// path, and the SHA-256 of those digests one after another as the root. The root binds no file names,
// so the digest of the list of names and digests stands beside it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../attestation/index.js';
import { CliError, EXIT } from './errors.js';
import { sameState, type FileState } from './file-state.js';
import { codeOf } from './files.js';
import { chooseWeights, isCheckpoint, isWeightFile } from './weight-files.js';

/** A model's identity as run statements carry it; digests are hex SHA-256. */
export type ModelIdentity = {
  root: string;
  manifestDigest: string;
  files: number;
};

/** Left out at the top of a folder, as the reference implementation does by default. */
const IGNORED = new Set(['.git', '.gitattributes', '.github', '.gitignore']);

/** A file of a model and its SHA-256. */
interface DigestedFile {
  readonly path: string;
  readonly digest: Buffer;
}

/**
 * Identifies the files of a folder: all of them, or those that `wanted` picks by relative path.
 * Streams: memory does not grow with the files. Throws CliError `bad_model` where the folder cannot be
 * read, holds a symbolic link (as the reference implementation refuses) or has no wanted file, and
 * `model_changed` where a file changed while it was read.
 */
export async function digestModel(
  folder: string,
  wanted: (path: string) => boolean = () => true,
): Promise<ModelIdentity> {
  const { paths, others } = await listFiles(folder);
  refuse(folder, others);
  return identityOf(folder, await digestFiles(folder, paths.filter(wanted)));
}

/** How files are digested: one after another in this thread, or several at a time elsewhere. */
export interface Digester {
  /** Files at a time. */
  readonly size: number;
  /** SHA-256 of a file, of the one that was `listed` where that is given. Throws CliError `bad_model`, `model_changed`. */
  digest(path: string, listed?: FileState): Promise<Buffer>;
}

async function digestFiles(
  folder: string,
  found: readonly string[],
  digester: Digester = { size: 1, digest: digestFile },
  listed?: ReadonlyMap<string, FileState>,
): Promise<DigestedFile[]> {
  const paths = found.toSorted(comparePaths);
  const files: DigestedFile[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      const at = next++;
      const path = paths[at] ?? '';
      try {
        const state = listed?.get(path);
        if (listed !== undefined && state === undefined) throw fileChanged(join(folder, path));
        files[at] = { path, digest: await digester.digest(join(folder, path), state) };
      } catch (error) {
        next = paths.length; // nothing more is begun
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: digester.size }, work));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return files;
}

function identityOf(folder: string, files: readonly DigestedFile[]): ModelIdentity {
  if (files.length === 0) throw bad(folder, 'expected files of a model, found none');
  const root = createHash('sha256');
  for (const { digest } of files) root.update(digest);
  const manifest = files.map(({ path, digest }) => [path, 'sha256', digest.toString('hex')]);
  return {
    root: root.digest('hex'),
    manifestDigest: createHash('sha256').update(canonicalJson(manifest)).digest('hex'),
    files: files.length,
  };
}

/** A final model's files lie beside the checkpoints that led to it, which are not part of it. */
function notInCheckpoint(path: string, kind: 'file' | 'other'): boolean {
  const [name = '', below] = path.split('/');
  return !isCheckpoint(name, below === undefined ? kind : 'folder');
}

/** A model folder as run statements state it: its weight files alone, and all its files. */
export async function identifyModel(
  folder: string,
): Promise<{ weights: ModelIdentity; folder: ModelIdentity; passedOver: readonly string[] }> {
  refuse(
    folder,
    (await listFiles(folder)).others.filter((path) => notInCheckpoint(path, 'other')),
  );
  const found = await identifyFolder(folder);
  if (found.weights === undefined || found.folder === undefined)
    throw bad(folder, 'expected files of a model, found none');
  return { weights: found.weights, folder: found.folder, passedOver: found.passedOver };
}

/** What a folder comes to that need not be a model. */
export interface FolderIdentity {
  /** Undefined where there are no weight files, or where one is a link. */
  readonly weights: ModelIdentity | undefined;
  /** Undefined where there are no files, or anything beside files and folders. */
  readonly folder: ModelIdentity | undefined;
  /** Paths of links, devices and the like, which Model Signing refuses. */
  readonly others: readonly string[];
  /** Paths of weight files that are none of `weights`: in folders below a model. */
  readonly passedOver: readonly string[];
}

/**
 * The same, where there may be anything. Every file is read once, however large it is; where `states` says how they were,
 * by path, none that is otherwise: a folder that is put in this one's place for a while is not taken for it.
 */
export async function identifyFolder(
  folder: string,
  digester?: Digester,
  states?: ReadonlyMap<string, FileState>,
): Promise<FolderIdentity> {
  const listed = await listFiles(folder);
  const others = listed.others.filter((path) => notInCheckpoint(path, 'other'));
  const paths = listed.paths.filter((path) => notInCheckpoint(path, 'file'));
  const { weights, passedOver } = chooseWeights([...paths, ...others]);
  // Where the folder has no digest, what is none of the weights would be read for nothing.
  const wanted = others.length === 0 ? paths : paths.filter((path) => weights.has(path));
  const files = await digestFiles(folder, wanted, digester, states);
  const known = files.filter(({ path }) => weights.has(path));
  return {
    weights: known.length === 0 || known.length < weights.size ? undefined : identityOf(folder, known),
    folder: files.length === 0 || others.length > 0 ? undefined : identityOf(folder, files),
    others,
    passedOver,
  };
}

/** The same of a model: `bad_model` where there are no weight files, or one of them is a link. */
export async function identifyWeights(
  folder: string,
): Promise<FolderIdentity & { readonly weights: ModelIdentity }> {
  const found = await identifyFolder(folder);
  refuse(folder, found.weights === undefined ? found.others.filter(isWeightFile) : []);
  if (found.weights === undefined) throw bad(folder, 'expected files of a model, found none');
  return { ...found, weights: found.weights };
}

/** SHA-256 of a file, streamed; of the one that was `listed`. Throws CliError `bad_model`, `model_changed`. */
export async function digestFile(path: string, listed?: FileState): Promise<Buffer> {
  const hash = createHash('sha256');
  try {
    const before = await stat(path, { bigint: true });
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
    const after = await stat(path, { bigint: true });
    if (sameState(before, after) && sameState(before, listed ?? before)) return hash.digest();
  } catch (cause) {
    throw fileUnreadable(path, codeOf(cause) ?? String(cause), cause);
  }
  throw fileChanged(path);
}

/** CliError `bad_model` for a file that cannot be read, for this reason. */
export function fileUnreadable(path: string, reason: string, cause?: unknown): CliError {
  return new CliError(
    EXIT.usage,
    'bad_model',
    `${path}: expected a file that can be read, found ${reason === 'ENOENT' ? 'none' : reason}`,
    reason === 'EACCES' || reason === 'EPERM'
      ? 'safetensors makes files that nobody but the trainer\'s user may read: docs/record.md, "As a service"'
      : 'look at the file system that it lies on',
    { cause },
  );
}

/** CliError `model_changed`. */
export function fileChanged(path: string): CliError {
  return new CliError(
    EXIT.usage,
    'model_changed',
    `${path}: expected a file at rest, found that it changed while it was read`,
    'wait until whoever writes it has finished',
  );
}

function refuse(folder: string, [other]: readonly string[]): void {
  if (other !== undefined)
    throw bad(join(folder, other), 'expected a file or a folder, found a link or a device');
}

/** Regular files below a folder, and what is neither that nor a folder. */
async function listFiles(folder: string): Promise<{ paths: string[]; others: string[] }> {
  const paths: string[] = [];
  const others: string[] = [];
  const walk = async (prefix: string): Promise<void> => {
    let entries;
    try {
      entries = await readdir(join(folder, prefix), { withFileTypes: true, encoding: 'buffer' });
    } catch (cause) {
      throw bad(
        join(folder, prefix),
        `expected a folder that can be read, found ${codeOf(cause) ?? String(cause)}`,
        cause,
      );
    }
    for (const entry of entries) {
      const name = textOf(entry.name, join(folder, prefix));
      if (prefix === '' && IGNORED.has(name)) continue;
      const path = prefix + name;
      if (entry.isDirectory()) await walk(`${path}/`);
      else (entry.isFile() ? paths : others).push(path);
    }
  };
  await walk('');
  return { paths, others };
}

/**
 * A file's name as text. One that is not UTF-8 is refused: read as text it would be the name of another file, which
 * would then be digested in its place.
 */
function textOf(name: Buffer, folder: string): string {
  const text = name.toString('utf8');
  if (Buffer.from(text).equals(name)) return text;
  const shown = name
    .toString('latin1')
    .replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  throw new CliError(
    EXIT.usage,
    'bad_model',
    `${folder}: expected names in UTF-8, found ${shown}`,
    'rename it: the list of names and digests can hold no other name',
  );
}

/** Part by part, each by code points: the order of Python's PurePosixPath, which the tools sort by. */
export function comparePaths(a: string, b: string): number {
  const left = a.split('/');
  const right = b.split('/');
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = Buffer.compare(Buffer.from(left[i] ?? ''), Buffer.from(right[i] ?? ''));
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function bad(path: string, message: string, cause?: unknown): CliError {
  return new CliError(
    EXIT.usage,
    'bad_model',
    `${path}: ${message}`,
    'name the folder that holds the weights',
    { cause },
  );
}
