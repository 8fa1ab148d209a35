import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { anchoredHeads } from './recover-anchors.js';
import { type Findings, headIn } from './recover-sources.js';
import { FolderDisk } from '../storage/disk.js';
import { reason } from '../storage/error.js';
import { FolderSource } from '../storage/folder-source.js';
import { PUBLIC } from '../storage/log-storage.js';
import { parseNoteFile } from '../storage/note-file.js';
import { type Salvage, salvageState, withStateCopy } from '../storage/salvage.js';
import { parseTail } from '../storage/tail.js';
import type { LogStorageOptions } from '../storage/types.js';

/** Codes of a disk that takes no more. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** What the folder itself still gives. */
export interface Own extends Findings {
  readonly loose: ReadonlyMap<number, Uint8Array>;
  readonly salvage: Salvage;
}

/**
 * Reads a damaged folder, of which anything may be missing. Changes nothing in it. Throws the system's error where there is
 * no room to read its state: nothing is known then of what is in it.
 */
export async function findOwn(
  folder: string,
  options: Pick<LogStorageOptions, 'logKeys' | 'keySpans' | 'origin'>,
): Promise<Own> {
  const disk = new FolderDisk(folder);
  const findings: Findings = { origins: [], heads: [], remarks: [] };
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      findings.remarks.push(`${what}: ${reason(error)}`);
    }
  };
  for (const name of ['signed', 'published']) {
    const bytes = await disk.read(name);
    if (!bytes) findings.remarks.push(`${name}: no file`);
    else {
      attempt(name, () => {
        const { note, policy } = parseNoteFile(bytes, name);
        findings.heads.push(headIn(note, name, name === 'published', options, policy));
      });
    }
  }
  const checkpoint = await disk.read(`${PUBLIC}/checkpoint`);
  if (checkpoint) {
    const name = `${PUBLIC}/checkpoint`;
    attempt(name, () => findings.heads.push(headIn(checkpoint, name, true, options)));
  }
  findings.origins.push({ name: 'bundles', source: new FolderSource(join(folder, PUBLIC)) });
  const loose = new Map<number, Uint8Array>();
  const salvage = await salvageOf(folder);
  if (salvage.trouble !== undefined)
    findings.remarks.push(`state: ${reason(salvage.trouble).replace(/^state: /, '')}`);
  for (const [index, entry] of salvage.entries) loose.set(index, entry);
  findings.origins.push({ name: 'state', entries: salvage.entries });
  const tail = await disk.read('tail');
  if (tail) {
    attempt('tail', () => {
      const { start, entries, torn } = parseTail(tail);
      if (torn !== undefined) findings.remarks.push(`tail: ${torn}`);
      entries.forEach((entry, i) => loose.set(start + i, entry));
      findings.origins.push({
        name: 'tail',
        entries: new Map(entries.map((entry, i) => [start + i, entry])),
      });
    });
  } else findings.remarks.push('tail: no file');
  // Last: of two heads of one size the one from its own file is named.
  findings.heads.push(...anchoredHeads(loose, options));
  return { ...findings, loose, salvage };
}

/** What the state still gives, of a copy beside the folder: there its tables are linked, and a rebuilt one must have room anyway. */
async function salvageOf(folder: string): Promise<Salvage> {
  const scratch = `${folder}.salvaging`;
  try {
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch);
    try {
      return await withStateCopy(join(folder, 'state'), scratch, salvageState);
    } catch (trouble) {
      // The disk does not give all of the state back.
      if (NO_ROOM.has((trouble as NodeJS.ErrnoException).code ?? '')) throw trouble;
      return { entries: new Map(), witnesses: new Map(), trouble };
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
