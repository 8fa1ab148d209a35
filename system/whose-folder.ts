import { lstat, readdir } from 'node:fs/promises';

/** What stands where the folder of one of the programs was expected. */
export interface Standing {
  /** In words, behind "found". */
  readonly found: string;
  /** The names in it; undefined where it is no folder, or cannot be read. */
  readonly names: readonly string[] | undefined;
  /** The system's error, where it is neither a folder nor missing nor a file. */
  readonly error?: unknown;
}

/** Files by which the folders of the programs are told. */
const MARKS: readonly (readonly [file: string, folder: string])[] = [
  ['witness.key', 'the folder of a witness, which is for stele-witness'],
  ['log-keys.json', 'the folder of a log, which is for stele-log'],
];

/** Looks what is at `folder`. Throws nothing. */
export async function whatStandsAt(folder: string): Promise<Standing> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      return { found: `one that cannot be read (${code ?? 'unreadable'})`, names: undefined, error };
    const there = code === 'ENOTDIR' && (await lstat(folder).catch(() => undefined)) !== undefined;
    return { found: there ? 'a file' : 'none', names: undefined };
  }
  if (names.length === 0) return { found: 'an empty folder', names };
  const mark = MARKS.find(([file]) => names.includes(file));
  return { found: mark?.[1] ?? 'a folder that holds nothing of one', names };
}
