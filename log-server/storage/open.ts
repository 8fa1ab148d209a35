import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../../system/index.js';
import { decodeUtf8, quote } from '../../tlog/index.js';
import { type KeyLock, acquireKeyLock } from '../lock.js';
import { replaceFile } from './atomic-file.js';
import { FolderDisk } from './disk.js';
import { StorageError, reason } from './error.js';
import { FileTileStore } from './file-tiles.js';
import { LevelTreeState } from './level-state.js';
import { PUBLIC, SeamStorage } from './log-storage.js';
import { checkStart } from './start-check.js';
import { Tail } from './tail.js';
import type { Disk, LogStorage, LogStorageOptions, StepName, TileStore, TreeState } from './types.js';

/** Number of the on-disk format. Those before are upgraded: log-server/upgrade.ts. */
export const FORMAT = 1;

/** What lies beneath a LogStorage. Tests and simulations bring their own; `folderDrivers` is the default. */
export interface Drivers {
  readonly disk: Disk;
  readonly lock: () => Promise<KeyLock>;
  readonly createState: () => Promise<TreeState>;
  readonly openState: () => Promise<TreeState>;
  /** Plain files under `public/` of the disk unless given. */
  readonly tiles?: TileStore;
}

/** The embedded default: `level` for the state, plain files for the rest. */
export function folderDrivers(options: LogStorageOptions): Drivers {
  // Absolute, so that a change of the working directory changes nothing.
  const folder = resolve(options.folder);
  return {
    disk: new FolderDisk(folder),
    lock: () => acquireKeyLock(resolve(options.keyFolder), options.logKeys[0].keyId),
    createState: () => LevelTreeState.create(join(folder, 'state')),
    openState: () => LevelTreeState.open(join(folder, 'state')),
  };
}

function nothing(): Promise<void> {
  return Promise.resolve();
}

function stepper(options: LogStorageOptions): (name: StepName) => () => Promise<void> {
  return (name) => () => Promise.resolve(options.step?.(name));
}

function tailOf(disk: Disk, options: LogStorageOptions): Tail {
  const step = stepper(options);
  return new Tail(disk, 'tail', { written: step('tail:written'), renamed: step('tail:renamed') });
}

function tilesOf(drivers: Drivers, options: LogStorageOptions): TileStore {
  const step = stepper(options);
  return (
    drivers.tiles ??
    new FileTileStore(drivers.disk, PUBLIC, { written: step('seal:written'), renamed: step('seal:renamed') })
  );
}

/** `format` names the version and the owner: written last by init, read first by open. */
function formatFile(origin: string): Uint8Array {
  return new TextEncoder().encode(`stele-log ${FORMAT}\n${origin}\n`);
}

/**
 * Makes the folder of a new log, empty, and opens it. Throws StorageError "already_exists" if a log,
 * or anything else of ours, is there.
 */
export async function initLogStorage(options: LogStorageOptions, drivers?: Drivers): Promise<LogStorage> {
  if (!drivers) await makeRoot(resolve(options.folder));
  const used = drivers ?? folderDrivers(options);
  const { disk } = used;
  const lock = await used.lock();
  try {
    const found = (await disk.list('.')).filter((name) => !name.endsWith('.tmp'));
    if (found.length > 0) {
      throw new StorageError(
        'already_exists',
        `init: expected an empty folder, found ${found.slice(0, 5).map(quote).join(', ')}`,
        'choose another folder, or start the log that is there; an init that was cut off is removed by hand',
      );
    }
    if (lock.mark && lock.mark.size > 0) {
      throw new StorageError(
        'already_exists',
        `init: this key has signed a tree of ${lock.mark.size} entries already`,
        'a second log under one key would be a fork: use another key, or start the log this one belongs to',
      );
    }
    await createFiles(options, used);
  } catch (error) {
    await lock.close();
    throw error instanceof StorageError
      ? error
      : new StorageError('storage_failed', `init: ${reason(error)}`, 'see the message', { cause: error });
  }
  return openLocked(options, used, lock);
}

/** The files of an empty log, `format` last: without it there is no log here. */
async function createFiles({ origin }: LogStorageOptions, drivers: Drivers): Promise<void> {
  const { disk } = drivers;
  const state = await drivers.createState();
  await state.close();
  await disk.makeFolder(PUBLIC);
  const tail = new Tail(disk, 'tail', { written: nothing, renamed: nothing });
  await tail.replace(0, []);
  await writeFormat(disk, origin);
}

/**
 * An empty log in a folder of its own for recover to fill, which holds the key's lock itself and
 * answers for the mark.
 */
export async function createForRecovery(options: LogStorageOptions): Promise<LogStorage> {
  await makeRoot(resolve(options.folder));
  const drivers = folderDrivers(options);
  await createFiles(options, drivers);
  return openLocked(options, drivers, {
    mark: undefined,
    writeMark: nothing,
    close: nothing,
  });
}

/**
 * Opens a log's folder after checking it; see start-check.ts for what must hold. Mends what a crash
 * may tear, and nothing else. Throws StorageError "no_log_here", "unknown_format", "old_format", "wrong_origin",
 * "locked", "state_damaged", "state_rolled_back".
 */
export async function openLogStorage(options: LogStorageOptions, drivers?: Drivers): Promise<LogStorage> {
  const used = drivers ?? folderDrivers(options);
  return openLocked(options, used, await used.lock());
}

async function openLocked(options: LogStorageOptions, drivers: Drivers, lock: KeyLock): Promise<LogStorage> {
  let state: TreeState | undefined;
  try {
    await checkFormat(drivers.disk, options.origin);
    state = await drivers.openState();
    const { disk } = drivers;
    const tiles = tilesOf(drivers, options);
    const tail = tailOf(disk, options);
    const found = await checkStart({ options, disk, state, tiles, tail, lock });
    const storage = new SeamStorage({ options, disk, state, tiles, tail, lock, ...found });
    if (storage.readableSize < storage.size || tail.end === undefined) await storage.makeReadable();
    return storage;
  } catch (error) {
    await state?.close();
    await lock.close();
    throw error;
  }
}

/** What a data folder's `format` says; undefined where there is none. */
export async function readFormat(disk: Disk): Promise<{ format: number; origin: string } | undefined> {
  const file = await disk.read('format');
  if (file === undefined) return undefined;
  const text = decodeUtf8(file, 'format');
  const [, format, origin] = /^stele-log ([0-9]+)\n([^\n]+)\n$/.exec(text) ?? [];
  if (format === undefined || origin === undefined) throw noLogHere(quote(text));
  return { format: Number(format), origin };
}

function noLogHere(found: string): StorageError {
  return new StorageError(
    'no_log_here',
    `expected a log's folder with a file "format", found ${found}`,
    'check the folder, or make a log with: stele-log init',
  );
}

/** Throws StorageError "no_log_here", "unknown_format", "old_format", "wrong_origin". */
export async function checkFormat(disk: Disk, origin: string): Promise<void> {
  const found = await readFormat(disk);
  if (found === undefined) throw noLogHere('none');
  checkCurrent(found.format);
  if (found.origin !== origin) {
    throw new StorageError(
      'wrong_origin',
      `expected the folder of ${quote(origin)}, found that of ${quote(found.origin)}`,
      'a log never changes its origin: check which key and which folder belong together',
    );
  }
}

/** Throws StorageError "unknown_format", "old_format". */
export function checkCurrent(found: number): void {
  if (found > FORMAT) throw unknownFormat(found);
  if (found < FORMAT) {
    throw new StorageError(
      'old_format',
      `expected a folder of format ${FORMAT}, found ${found}`,
      'bring it to this one, once and for good, with: stele-log upgrade',
    );
  }
}

/** A newer program's folder is nothing to guess at. */
export function unknownFormat(found: number): StorageError {
  return new StorageError(
    'unknown_format',
    `expected a folder of format ${FORMAT} or older, found ${found}`,
    'use the version of stele-log that wrote it, or a newer one',
  );
}

/** The last word of an upgrade: from here on an older program refuses the folder. Durable when it resolves. */
export function writeFormat(disk: Disk, origin: string): Promise<void> {
  return replaceFile(disk, 'format', formatFile(origin), { written: nothing, renamed: nothing });
}

async function makeRoot(folder: string): Promise<void> {
  const parent = dirname(folder);
  try {
    await makeFolder(folder);
    await new FolderDisk(parent).syncFolder('.');
  } catch (cause) {
    throw new StorageError(
      'storage_failed',
      `${folder} cannot be made: ${reason(cause)}`,
      'check the path and who may write there',
      { cause },
    );
  }
}
