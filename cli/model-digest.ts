// Which files a model is, as OpenSSF Model Signing 1.0 computes it: the SHA-256 of every file, sorted by
// path, and the SHA-256 of those digests one after another as the root. The root binds no file names,
// so the digest of the list of names and digests stands beside it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { canonicalJson } from '../attestation/index.js';
import { CliError, EXIT } from './errors.js';
import { codeOf } from './files.js';

/** A model's identity as run statements carry it; digests are hex SHA-256. */
export type ModelIdentity = {
  root: string;
  manifestDigest: string;
  files: number;
};

/** Left out at the top of a folder, as the reference implementation does by default. */
const IGNORED = new Set(['.git', '.gitattributes', '.github', '.gitignore']);

const WEIGHT_FILE = /\.(safetensors|gguf|onnx|h5|npz|pt|pth|bin)$/;
/** What trainers save beside the weights under the same endings. */
const NOT_WEIGHTS = /^(optimizer|scheduler|scaler|rng_state|training_args)/;

/** Whether a file's name says that it holds weights of the model itself. */
export function isWeightFile(path: string): boolean {
  return WEIGHT_FILE.test(path) && !NOT_WEIGHTS.test(basename(path));
}

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
  return identityOf(folder, await digestFiles(folder, wanted));
}

async function digestFiles(folder: string, wanted: (path: string) => boolean): Promise<DigestedFile[]> {
  const files: DigestedFile[] = [];
  for (const path of (await listFiles(folder, '')).filter(wanted).sort(comparePaths)) {
    files.push({ path, digest: await digestFile(join(folder, path)) });
  }
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
function notInCheckpoint(path: string): boolean {
  return !/^checkpoint-[0-9]+\//.test(path);
}

/** A model folder as run statements state it: its weight files alone, and all its files. */
export async function identifyModel(
  folder: string,
): Promise<{ weights: ModelIdentity; folder: ModelIdentity }> {
  // Every file is read once, however large it is.
  const files = await digestFiles(folder, notInCheckpoint);
  return {
    weights: identityOf(
      folder,
      files.filter(({ path }) => isWeightFile(path)),
    ),
    folder: identityOf(folder, files),
  };
}

/** SHA-256 of a file, streamed. Throws CliError `bad_model`, `model_changed`. */
export async function digestFile(path: string): Promise<Buffer> {
  const hash = createHash('sha256');
  try {
    const before = await stat(path);
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
    const after = await stat(path);
    if (before.size === after.size && before.mtimeMs === after.mtimeMs && before.ino === after.ino) {
      return hash.digest();
    }
  } catch (cause) {
    throw bad(
      path,
      `expected a file that can be read, found ${codeOf(cause) === 'ENOENT' ? 'none' : (codeOf(cause) ?? String(cause))}`,
      cause,
    );
  }
  throw new CliError(
    EXIT.usage,
    'model_changed',
    `${path}: expected a file at rest, found that it changed while it was read`,
    'wait until whoever writes it has finished',
  );
}

async function listFiles(folder: string, prefix: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(join(folder, prefix), { withFileTypes: true });
  } catch (cause) {
    throw bad(
      join(folder, prefix),
      `expected a folder that can be read, found ${codeOf(cause) ?? String(cause)}`,
      cause,
    );
  }
  const found: string[] = [];
  for (const entry of entries) {
    if (prefix === '' && IGNORED.has(entry.name)) continue;
    const path = prefix + entry.name;
    if (entry.isDirectory()) found.push(...(await listFiles(folder, `${path}/`)));
    else if (entry.isFile()) found.push(path);
    else throw bad(join(folder, path), 'expected a file or a folder, found a link or a device');
  }
  return found;
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
