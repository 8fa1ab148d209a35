// What is done to a log that does not run, or looks at one.
import type { Command } from 'commander';
import { replying, systemClock } from '../../system/commands.js';
import type { Replies } from '../../system/commands.js';
import { replyOfCheck } from '../offline/report.js';
import { repeated, setting } from '../options.js';
import { fetch, folderOption, neededFolder } from './flags.js';

/** `upgrade`. */
export function addUpgrade(program: Command, replies: Replies): void {
  const command = program
    .command('upgrade')
    .description(
      "bring a stopped log's folder, made by an older version, to this one's format; it can be run again",
    )
    .addOption(folderOption());
  replying<{ folder?: string }>(command, replies, async (flags) => {
    const { upgradeLog } = await import('../upgrade.js');
    const { from, to, done } = await upgradeLog(await neededFolder(flags.folder));
    const line =
      done.length === 0 ? `format ${to}: nothing to do` : `format ${from} is now ${to}: ${done.join('; ')}`;
    return { lines: [line], result: { from, to, done: [...done] } };
  });
}

/** `terms`. */
export function addTerms(program: Command, replies: Replies): void {
  const command = program
    .command('terms')
    .description("print the terms in force in a stopped log's folder, as its own ledger has them")
    .addOption(folderOption());
  replying<{ folder?: string }>(command, replies, async ({ folder }) => {
    const { termsHere } = await import('../terms.js');
    const { size, terms, digest } = await termsHere(await neededFolder(folder));
    const { origin } = terms;
    return {
      lines: JSON.stringify(terms, null, 2).split('\n'),
      prose: [`Terms of ${origin} at size ${size}, by this folder alone; stele get terms verifies them.`],
      result: { origin, size, terms, digest },
    };
  });
}

interface FsckFlags {
  folder?: string;
  vkey?: string[];
  origin?: string;
}

/** `fsck`. */
export function addFsck(program: Command, replies: Replies): void {
  const command = program
    .command('fsck')
    .description("check everything in a stopped log's folder; or any C2SP tlog-tiles log, by URL or folder")
    .argument('[source]', "URL or folder of a log's tiles, where it is not this program's own")
    .addOption(folderOption())
    .addOption(setting('--vkey <vkey>', "the log's key, with a source; repeat it").argParser(repeated))
    .addOption(setting('--origin <origin>', "the log's origin, where it is not its key's name"));
  replying<FsckFlags>(command, replies, async ({ folder, vkey, origin }, [source]) => {
    const vkeys = vkey ?? [];
    if (source !== undefined) {
      const { checkSource } = await import('../offline/fsck-source.js');
      return replyOfCheck(await checkSource({ source, vkeys, origin, fetch }));
    }
    const { check } = await import('../offline/check.js');
    const own = folder === undefined ? undefined : await neededFolder(folder);
    return replyOfCheck(await check({ folder: own, source, vkeys, origin, fetch }));
  });
}

/** `recover`. */
export function addRecover(program: Command, replies: Replies): void {
  const command = program
    .command('recover')
    .description(
      "rebuild a log's data from what is left of it, and from what others have; the folder as it was is kept",
    )
    .addOption(folderOption())
    .addOption(
      setting(
        '--from <url|folder>',
        "a mirror, a backup, a reader's cache, submitters' files; repeat it",
      ).argParser(repeated),
    );
  replying<{ folder?: string; from?: string[] }>(command, replies, async ({ folder, from }) => {
    const { recoverFolder, replyOfRecovery } = await import('../offline/check.js');
    const done = await recoverFolder({
      folder: await neededFolder(folder),
      from: from ?? [],
      now: new Date(systemClock.now()),
      fetch,
      onProgress: (entries, size) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${entries} of ${size} entries`);
      },
    });
    return replyOfRecovery(done);
  });
}
