// stele-log: init | serve | freeze | add-key | retire-key | upgrade | fsck | recover | terms | doctor. Results on
// stdout, everything else on stderr.
// Each command loads what it needs when it runs: a module takes a millisecond, and all together are 140. What a full check
// loads before it begins names files of system/ and client/, where index.js would bring twenty more.
import { Command } from 'commander';
import {
  completionCommand,
  completionReply,
  exitStatusHelp,
  packageVersion,
  processStreams,
  replying,
  runBuilt,
} from '../system/commands.js';
import type { ExitStatus, Streams } from '../system/commands.js';
import { addDoctor } from './commands/doctor.js';
import { addFreeze } from './commands/freeze.js';
import { addInit } from './commands/init.js';
import { addKeys } from './commands/keys.js';
import { addFsck, addRecover, addTerms, addUpgrade } from './commands/offline.js';
import { addServe } from './commands/serve.js';
import { applyConfigFiles } from './options.js';

/** The commands of `stele-log`; `end` is told the exit status of the one that ran. */
export function buildProgram(end: (status: ExitStatus) => void, streams: Streams = processStreams): Command {
  const program = new Command('stele-log')
    .description('Runs an append-only transparency log for attestations of AI training runs.')
    .version(`stele-log ${packageVersion()}`, '--version', 'print the version')
    .addHelpText('after', exitStatusHelp([0, 1, 2, 3, 4]))
    .hook('preAction', (_, command) => applyConfigFiles(command));
  const replies = { end, streams };
  addInit(program, replies);
  addServe(program, replies);
  addFreeze(program, replies);
  addKeys(program, replies);
  addUpgrade(program, replies);
  addFsck(program, replies);
  addRecover(program, replies);
  addTerms(program, replies);
  addDoctor(program, replies);
  replying(completionCommand(program), replies, (_flags, args) =>
    Promise.resolve(completionReply(program, args)),
  );
  return program;
}

/** Runs one command line, without the program's name. Resolves with the exit status. */
export function runCommand(args: readonly string[], streams?: Streams): Promise<ExitStatus> {
  return runBuilt(buildProgram, args, streams);
}
