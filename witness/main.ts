#!/usr/bin/env node
import { outliveReaders } from '../system/readers.js';

outliveReaders('stele-witness');
const args = process.argv.slice(2);
// A service manager takes a witness for started before it has loaded what follows, and may tell it to reload: by
// itself that signal would end the process. What changed by then is read at the start.
if (args.includes('serve')) process.on('SIGHUP', () => undefined);
const { runCommand } = await import('./commands.js');
process.exitCode = await runCommand(args);
