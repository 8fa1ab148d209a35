// stele-log upgrade: a folder of an older format becomes one of this. Each step can be cut off at any point and
// done again; the number in `format` is its last word.
import { join } from 'node:path';
import { readKeyFile } from '../system/index.js';
import { FILES, isThere } from './folder.js';
import { acquireKeyLock } from './lock.js';
import { readListedKeys, writeKeyLives } from './log-keys.js';
import type { KeyLife } from './log-keys.js';
import { FORMAT, FolderDisk } from './storage/index.js';
import { readFormat, unknownFormat, writeFormat } from './storage/open.js';

/** Where a crash can fall in an upgrade, in order. */
export const UPGRADE_STEPS = ['upgrade:begun', 'upgrade:written', 'upgrade:format'] as const;

/** Called, and awaited, at each step. */
export type UpgradeHook = (name: (typeof UPGRADE_STEPS)[number]) => void | Promise<void>;

interface Upgrade {
  readonly from: number;
  /** For people: what is different afterwards. */
  readonly what: string;
  /** Does all but the number. Done again after it was cut off, it comes to the same. */
  readonly run: (folder: string) => Promise<void>;
}

/** One for each format but the last, in order. */
const UPGRADES: readonly Upgrade[] = [
  {
    from: 0,
    what: `${FILES.logKeys} says which keys the log has, and from which size on each signs`,
    run: listKeys,
  },
];

/** What an upgrade did. */
export interface Upgraded {
  readonly from: number;
  readonly to: number;
  /** A sentence for each step; none where there was nothing to do. */
  readonly done: readonly string[];
}

/**
 * Brings the folder of a stopped log to this program's format. Throws StorageError "unknown_format" for one that
 * a newer program wrote, "locked", LogError "wrong_log_key", "no_log_keys", "bad_log_keys", KeyFileError.
 */
export async function upgradeLog(folder: string, step: UpgradeHook = () => undefined): Promise<Upgraded> {
  const disk = new FolderDisk(join(folder, FILES.data));
  // Without data there is no number: a folder to be recovered, of which the list of keys may be missing.
  const from = (await readFormat(disk))?.format ?? 0;
  if (from > FORMAT) throw unknownFormat(from);
  const listed = await isThere(join(folder, FILES.logKeys));
  const [{ vkey }] = listed || from === FORMAT ? await readListedKeys(folder) : await initialKeys(folder);
  const lock = await acquireKeyLock(folder, vkey.keyId);
  try {
    const due = UPGRADES.filter((each) => each.from >= from);
    for (const { run } of due) {
      await step('upgrade:begun');
      await run(folder);
      await step('upgrade:written');
    }
    if (due.length > 0 && (await readFormat(disk)) !== undefined) {
      await writeFormat(disk, vkey.name);
      await step('upgrade:format');
    }
    return { from, to: FORMAT, done: due.map(({ what }) => what) };
  } finally {
    await lock.close();
  }
}

/** 0 → 1. In format 0 a log had the keys that init made, and they sign from the first head on. */
async function listKeys(folder: string): Promise<void> {
  if (await isThere(join(folder, FILES.logKeys))) return;
  await writeKeyLives(folder, await initialKeys(folder));
}

async function initialKeys(folder: string): Promise<[KeyLife, ...KeyLife[]]> {
  const span = { from: 0, until: null };
  const first = readKeyFile(join(folder, FILES.logKey)).vkey;
  const lives: [KeyLife, ...KeyLife[]] = [{ vkey: first, file: FILES.logKey, ...span }];
  if (await isThere(join(folder, FILES.logMldsaKey))) {
    const second = readKeyFile(join(folder, FILES.logMldsaKey)).vkey;
    lives.push({ vkey: second, file: FILES.logMldsaKey, ...span });
  }
  return lives;
}
