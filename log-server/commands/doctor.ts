import { resolve } from 'node:path';
import type { Command } from 'commander';
import { replying, systemClock } from '../../system/commands.js';
import type { Replies } from '../../system/commands.js';
import { settingsFaults } from '../options.js';
import { DEFAULT_LIMITS } from '../settings.js';
import {
  fetch,
  folderOption,
  needed,
  neededUrl,
  reserveOption,
  urlOption,
  witnessTimeoutOption,
} from './flags.js';

interface DoctorFlags {
  folder?: string;
  url: string;
  reserve?: number;
  witnessTimeout?: number;
}

/** `doctor`. */
export function addDoctor(program: Command, replies: Replies): void {
  const command = program
    .command('doctor')
    .description(
      "say what is wrong with a log's folder, its server or its witnesses, and what to do; changes nothing",
    )
    .addOption(folderOption())
    .addOption(urlOption())
    .addOption(reserveOption())
    .addOption(witnessTimeoutOption());
  replying<DoctorFlags>(command, replies, async (flags) => {
    const { folder, url, reserve, witnessTimeout = DEFAULT_LIMITS.witnessTimeoutMs } = flags;
    const { examineLog } = await import('../doctor.js');
    const { replyOfDoctor } = await import('../../system/doctor/index.js');
    const exam = await examineLog({
      folder: resolve(needed(folder, '--folder')),
      url: neededUrl(url),
      reserveBytes: reserve === undefined ? undefined : reserve * 1024 * 1024,
      timeoutMs: witnessTimeout,
      now: () => systemClock.now(),
      fetch,
    });
    for (const fault of await settingsFaults(program)) exam.fail('settings', fault);
    return replyOfDoctor(exam);
  });
}
