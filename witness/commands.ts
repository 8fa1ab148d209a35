// stele-witness: init | add-log | add-peer | serve | confirm-clock. Results on stdout, everything else on stderr.
import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { addCompletion, exitStatusHelp, packageVersion, syncFolder, systemClock } from '../system/index.js';
import { formatVkey, parseVkey, SteleError } from '../tlog/index.js';
import { readLeap } from './clock-guard.js';
import { addLog, checkFormat, initFolder, layout } from './folder.js';
import { startWitness } from './index.js';
import { addPeer } from './peers.js';
import { jsonLogger, type Level } from './log.js';

const EXIT: Readonly<Record<string, number>> = {
  state_damaged: 1,
  state_failed: 1,
  locked: 3,
  lock_failed: 3,
  EADDRINUSE: 3,
  EADDRNOTAVAIL: 3,
};

/** The commands of `stele-witness`; `end` is told of a status other than 0. */
export function buildProgram(end: (status: number) => void): Command {
  const program = new Command('stele-witness')
    .description(
      'Checks that transparency logs only ever grow, and cosigns their checkpoints (C2SP tlog-witness).',
    )
    .version(`stele-witness ${packageVersion()}`, '--version', 'print the version')
    .addHelpText('after', exitStatusHelp([0, 1, 2, 3]))
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  const folderOption = (): Option =>
    new Option('-f, --folder <folder>', "the witness's folder")
      .env('STELE_WITNESS_FOLDER')
      .makeOptionMandatory();

  program
    .command('init')
    .description('make a new witness: its keys and its folder')
    .addOption(folderOption())
    .requiredOption('-n, --name <name>', 'key name, for good: a schema-less URL such as witness.example/w1')
    .option('--ml-dsa', 'cosign with ML-DSA-44 as well as with Ed25519')
    .action(async ({ folder, name, mlDsa }: { folder: string; name: string; mlDsa?: true }) => {
      const vkeys = await initFolder(folder, name, {
        ed25519: randomBytes(32),
        ...(mlDsa && { mldsa: randomBytes(32) }),
      });
      for (const vkey of vkeys) print(formatVkey(vkey));
    });

  program
    .command('add-log')
    .description('add a log, or another key of one; a serving witness takes it up on SIGHUP')
    .addOption(folderOption())
    .argument('<vkey>', "the log's verifier key")
    .option('--origin <origin>', "the log's origin, where it differs from the key's name")
    .option('--url <url>', 'where the log serves its checkpoint and tiles; without it, less can be proven')
    .action(
      async (vkey: string, { folder, origin, url }: { folder: string; origin?: string; url?: string }) => {
        const log = await addLog(folder, parseVkey(vkey), origin, url);
        print(`${log.origin}: ${count(log.keys.length)}${log.url === undefined ? '' : `, ${log.url}`}`);
      },
    );

  program
    .command('add-peer')
    .description('add another witness to compare notes with; a serving witness takes it up on SIGHUP')
    .addOption(folderOption())
    .argument('<vkey...>', "the other witness's verifier keys")
    .option('--url <url>', 'its monitoring prefix; without one, it is read from the checkpoints of the logs')
    .option('--c2sp', 'it does not speak our gossip: only read it')
    .action(async (vkeys: string[], options: { folder: string; url?: string; c2sp?: true }) => {
      const peer = await addPeer(
        options.folder,
        vkeys.map((vkey) => parseVkey(vkey)),
        { ...(options.url !== undefined && { url: options.url }), c2sp: options.c2sp === true },
      );
      print(`${peer.name}: ${count(peer.vkeys.length)}, ${peer.url ?? "read from the logs' checkpoints"}`);
    });

  program
    .command('serve')
    .description('answer add-checkpoint, and serve the latest checkpoints to monitors')
    .addOption(folderOption())
    .addOption(
      new Option('-l, --listen <host:port>', 'address to listen on; put TLS in front of it')
        .env('STELE_WITNESS_LISTEN')
        .default({ host: '127.0.0.1', port: 7380 }, '127.0.0.1:7380')
        .argParser(parseListen),
    )
    .addOption(
      new Option('--log-level <level>', 'least level of the JSON lines on stderr')
        .env('STELE_WITNESS_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async (options: { folder: string; listen: { host: string; port: number }; logLevel: Level }) => {
      end(await serve(options));
    });

  program
    .command('confirm-clock')
    .description('after a leap of the clock: say that the time shown now is right, and sign again')
    .addOption(folderOption())
    .option('--yes', 'confirm; without it, only show what there is to confirm')
    .action(async ({ folder, yes }: { folder: string; yes?: true }) => {
      end(await confirmClock(folder, yes === true));
    });

  addCompletion(program, (text) => process.stdout.write(text));
  for (const command of [program, ...program.commands]) speakAlike(command);
  return program;
}

/** Runs one command line, without the program's name. Resolves with the exit status. */
export async function runCommand(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = buildProgram((found) => (status = found));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    return explain(error);
  }
}

/** Usage errors look like all others; subcommands inherit neither of these. */
function speakAlike(command: Command): void {
  command.configureOutput({
    outputError: (text, write) => {
      write(`stele-witness: ${text.replace(/^error: /, '')}`);
    },
  });
  command.showHelpAfterError(`  see stele-witness${command.parent ? ` ${command.name()}` : ''} --help`);
}

async function serve(options: {
  folder: string;
  listen: { host: string; port: number };
  logLevel: Level;
}): Promise<number> {
  const log = jsonLogger(
    (line) => process.stderr.write(line),
    () => systemClock.now(),
    options.logLevel,
  );
  const witness = await startWitness({ folder: options.folder, listen: options.listen, log });
  const reload = (): void => {
    witness.reload().then(
      () => log('info', 'reloaded'),
      (error: unknown) =>
        log('error', 'reload-failed', { message: error instanceof Error ? error.message : '' }),
    );
  };
  process.on('SIGHUP', reload);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    // Whoever starts the witness learns from this line where it is, and that it is ready.
    print(witness.url);
  });
  await witness.close();
  process.off('SIGHUP', reload);
  // Whoever watches over the process must not take this for a clean end.
  return witness.spent() ? 1 : 0;
}

async function confirmClock(folder: string, yes: boolean): Promise<number> {
  await checkFormat(folder);
  const file = layout.leap(folder);
  const leap = await readLeap(file);
  if (!leap) {
    print('nothing to confirm: no leap of the clock was noticed');
    return 0;
  }
  const iso = (ms: number): string => new Date(ms).toISOString();
  print(
    `expected about ${iso(leap.expected)}, found ${iso(leap.found)}; the clock now shows ${iso(systemClock.now())}`,
  );
  if (!yes) {
    console.error(
      'compare with a clock you trust, set this one right if it is wrong, then repeat with --yes',
    );
    return 1;
  }
  await unlink(file);
  await syncFolder(folder);
  print('confirmed: the witness signs again');
  return 0;
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(0|[1-9][0-9]{0,4})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65535) {
    throw new InvalidArgumentError('expected host:port, for example 127.0.0.1:7380 or [::1]:7380');
  }
  return { host, port };
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said what was wrong; its own status for that is 1, ours is 2. Help is no error.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof SteleError) {
    console.error(
      `stele-witness: ${error.message} (${error.code})${error.hint === '' ? '' : `\n  ${error.hint}`}`,
    );
    return EXIT[error.code] ?? 2;
  }
  const code = (error as NodeJS.ErrnoException).code ?? '';
  console.error(
    `stele-witness: ${error instanceof Error ? error.message : 'unknown'}${code === '' ? '' : ` (${code})`}`,
  );
  return EXIT[code] ?? 2;
}

function count(keys: number): string {
  return `${keys} ${keys === 1 ? 'key' : 'keys'}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
