#!/usr/bin/env node
import { outliveReaders } from '../system/readers.js';
import { runCommand } from './commands.js';

outliveReaders('stele-witness');
process.exitCode = await runCommand(process.argv.slice(2));
