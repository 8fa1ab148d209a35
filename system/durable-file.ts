import { link, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes names in a folder (created, renamed, removed) durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes beside `file`, under `.tmp`, and syncs: the first half of replacing it. */
export async function writeTemporary(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<string> {
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}

/** Replaces a file or makes it: whole and durable when this resolves, the old one or the new one before. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  await rename(await writeTemporary(file, content), file);
  await syncFolder(dirname(file));
}

/**
 * Makes a file that must not exist, readable by its owner only unless `mode` says otherwise. Throws
 * EEXIST. Whole and durable when it resolves: a crash leaves no half of it under its name, which is why it
 * is linked and not just opened.
 */
export async function createFile(file: string, content: string | Uint8Array, mode?: number): Promise<void> {
  const temporary = await writeTemporary(file, content, mode);
  try {
    await link(temporary, file);
  } finally {
    await unlink(temporary);
  }
  await syncFolder(dirname(file));
}
