#!/usr/bin/env node
// By its own path: the rest of system/ is loaded with the command.
import { outliveReaders } from '../system/readers.js';

outliveReaders('stele-log');
const [command, ...args] = process.argv.slice(2);
// A full check has the other cores from the beginning, while this one loads the program.
if (command === 'fsck') (await import('./offline/threads.js')).beginCheck(args);
const { runCommand } = await import('./commands.js');
process.exitCode = await runCommand(process.argv.slice(2));
