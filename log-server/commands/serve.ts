import type { Command } from 'commander';
import { EXIT, hostAndPort, replying } from '../../system/commands.js';
import type { Replies } from '../../system/commands.js';
import { repeated, setting, wholeNumber } from '../options.js';
import type { ServeOptions } from '../serve.js';
import { DEFAULT_LIMITS } from '../settings.js';
import {
  admissionOption,
  folderOption,
  neededFolder,
  readInput,
  reserveOption,
  witnessTimeoutOption,
} from './flags.js';

interface ServeFlags extends Omit<ServeOptions, 'folder' | 'policy' | 'onListening'> {
  folder?: string;
  policy?: string;
}

/** `serve`. */
export function addServe(program: Command, replies: Replies): void {
  const command = program
    .command('serve')
    .description('take entries, have the tree cosigned, publish; serve readers')
    .addOption(folderOption())
    .addOption(admissionOption())
    .addOption(
      setting('-l, --listen <host:port>', 'address to listen on; put TLS in front of it')
        .default({ host: '127.0.0.1', port: 7381 }, '127.0.0.1:7381')
        .argParser(hostAndPort),
    )
    .addOption(
      setting('--policy <file>', "must be the charter's in force; the folder's own where nothing is said"),
    )
    .addOption(
      setting(
        '--publish-partials',
        'write partial tiles and bundles too: the folder alone is then a complete log',
      ),
    )
    .addOption(
      setting(
        '--leave-out <witness>',
        'a witness that the gate and the quorum do without; repeat it',
      ).argParser(repeated),
    )
    .addOption(
      setting('--add-anew <witness>', 'a witness whose earlier state does not count; repeat it').argParser(
        repeated,
      ),
    )
    .addOption(
      setting(
        '--publish-interval <ms>',
        'least time from the beginning of one head to that of the next (1000; 0 where the quorum is none)',
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting(
        '--collection-timeout <ms>',
        `how long a head waits for its quorum (${DEFAULT_LIMITS.collectionTimeoutMs})`,
      ).argParser(wholeNumber(1)),
    )
    .addOption(witnessTimeoutOption())
    .addOption(
      setting(
        '--backlog <entries>',
        `unpublished entries above which nothing is admitted (${DEFAULT_LIMITS.backlog})`,
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      setting(
        '--rate <entries>',
        `per second of one participant, ten times as many at once; 0: no limit (${DEFAULT_LIMITS.ratePerParticipant})`,
      ).argParser(wholeNumber(0)),
    )
    .addOption(reserveOption())
    .addOption(
      setting('--log-level <level>', 'least level of the JSON lines on stderr')
        .choices(['debug', 'info', 'warn', 'error', 'alarm'])
        .default('info'),
    );
  replying<ServeFlags>(command, replies, async (flags, _args, tell) => {
    const { policy } = flags;
    const { serve } = await import('../serve.js');
    await serve({
      ...flags,
      folder: await neededFolder(flags.folder),
      policy: policy === undefined ? undefined : await readInput(policy),
      onListening: (url) => tell({ lines: [url], result: { url } }),
    });
    return EXIT.ok;
  });
}
