import type { Command } from 'commander';
import { replying, systemClock } from '../../system/commands.js';
import type { Replies } from '../../system/commands.js';
import { encodeBase64 } from '../../tlog/index.js';
import { setting } from '../options.js';
import { fetch, folderOption, neededFolder, neededUrl, operatorKeyOption, urlOption } from './flags.js';

interface FreezeFlags {
  folder?: string;
  url?: string;
  operatorKey?: string;
  reason: string;
  successor?: string;
}

/** `freeze`. */
export function addFreeze(program: Command, replies: Replies): void {
  const command = program
    .command('freeze')
    .description(
      'end a running log: log its freeze entry and one last anchor, and wait until they are published; then it only serves',
    )
    .addOption(folderOption())
    .addOption(urlOption())
    .addOption(operatorKeyOption())
    .addOption(
      setting('--reason <code>', 'why')
        .choices(['planned', 'key-compromised', 'storage-damaged', 'superseded'])
        .default('planned'),
    )
    .addOption(setting('--successor <origin>', 'the log that continues this one'));
  replying<FreezeFlags>(command, replies, async (flags) => {
    const { url, operatorKey, reason, successor } = flags;
    const { freeze } = await import('../freeze.js');
    const { origin, index, size, rootHash } = await freeze({
      folder: await neededFolder(flags.folder),
      url: neededUrl(url),
      operatorKey,
      reason,
      successor,
      clock: systemClock,
      fetch,
    });
    return {
      lines: [String(index)],
      prose: [
        `${origin} is frozen by entry ${index}. Its last tree, of ${size} entries, is published: it takes nothing more, and only serves.`,
        'Leave it running for its readers. A successor begins with this tree: stele get checkpoint --output last, then stele-log init --predecessor last --predecessor-vkey VKEY.',
      ],
      result: { origin, index, size, rootHash: encodeBase64(rootHash) },
    };
  });
}
