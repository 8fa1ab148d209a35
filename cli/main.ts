#!/usr/bin/env node
import { processContext } from './context.js';
import { run } from './program.js';

// Whoever reads our output may stop early, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await run(process.argv.slice(2), processContext());
