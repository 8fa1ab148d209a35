// Whether the weights in a folder are all there, by what their names and indexes say: a set of shards that is
// still being written is at rest between two of them.
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { join as joinPath } from 'node:path';
import { CliError, EXIT } from '../errors.js';
import { isWeightFile } from '../weight-files.js';

/** `model-00001-of-00003.safetensors`: what comes before the number, the number, how many there are, the ending. */
const SHARD = /^(.*-)([0-9]{5,6})(-of-([0-9]{5,6})(?:\.[^/]*)?)$/;
/** `model.safetensors.index.json`, or of a variant `model.safetensors.index.fp16.json`, and the one file instead. */
const INDEX = /^(.*)\.index(?:\.[^./]+)?\.json$/;
/** Longest index read, in bytes: millions of tensors. */
const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/** Weight files that a folder says it has. */
interface ShardSet {
  /** The set, as people know it. */
  readonly name: string;
  readonly expected: number;
  readonly found: number;
}

/**
 * The first set of weight files among `paths`, relative to `folder`, of which some are missing; undefined where there is
 * none. As a set counts what is numbered `-NNNNN-of-MMMMM`, from 0 or from 1, and the `weight_map` of an index, but
 * for one that loaders do not come to: a single file has taken its place, or it is of `.bin` and the model is there, whole, in
 * safetensors, which transformers and diffusers look for first. Throws the system's error.
 */
export function incompleteShards(folder: string, paths: readonly string[]): ShardSet | undefined {
  const sets = [...numberedSets(paths), ...indexedSets(folder, new Set(paths))];
  return sets.find(({ expected, found }) => found < expected);
}

/** CliError "weights_incomplete". */
export function weightsIncomplete(
  folder: string,
  { name, expected, found }: ShardSet,
  follow: boolean,
): CliError {
  return new CliError(
    EXIT.usage,
    'weights_incomplete',
    `${folder}: expected ${expected} files of ${name}, found ${found}`,
    follow
      ? 'at once when more of them come'
      : 'run it again when all are there; if they will not come, with --outcome: then what is there is recorded as it is',
  );
}

function numberedSets(paths: readonly string[]): ShardSet[] {
  const numbers = new Map<string, { expected: number; numbers: Set<number> }>();
  for (const path of paths) {
    const [, before = '', number, after = '', total] = (isWeightFile(path) && SHARD.exec(path)) || [];
    if (number === undefined) continue;
    const name = `${before}*${after}`;
    const set = numbers.get(name) ?? { expected: Number(total), numbers: new Set() };
    numbers.set(name, set);
    set.numbers.add(Number(number));
  }
  return [...numbers].map(([name, set]) => ({ name, expected: set.expected, found: set.numbers.size }));
}

function indexedSets(folder: string, paths: ReadonlySet<string>): ShardSet[] {
  const sets = [...paths].flatMap((path) => {
    const whole = INDEX.exec(path)?.[1];
    if (whole === undefined || !isWeightFile(whole) || paths.has(whole)) return [];
    const files = filesOf(joinPath(folder, path));
    const found = files.filter((file) => paths.has(join(dirname(path), file)));
    return [{ whole, name: basename(path), expected: files.length, found: found.length }];
  });
  // One whose own files are not all there is found for that.
  const isThere = (file: string): boolean =>
    paths.has(file) || sets.some(({ whole, expected }) => whole === file && expected > 0);
  return sets.filter(({ whole }) => !whole.endsWith('.bin') || !isThere(inSafetensors(whole)));
}

/** The file that loaders look for before a `.bin`: transformers' has another name, diffusers' the same. */
function inSafetensors(path: string): string {
  return join(dirname(path), basename(path, '.bin').replace(/^pytorch_model$/, 'model')) + '.safetensors';
}

/** The files that an index names. One that is no index, or is not whole, names none. */
function filesOf(index: string): string[] {
  const stat = statSync(index, { throwIfNoEntry: false });
  if (stat?.isFile() !== true || stat.size > MAX_INDEX_BYTES) return [];
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(index, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  const map = typeof read === 'object' && read !== null && 'weight_map' in read ? read.weight_map : undefined;
  if (typeof map !== 'object' || map === null) return [];
  return [...new Set(Object.values(map).filter((file) => typeof file === 'string'))];
}
