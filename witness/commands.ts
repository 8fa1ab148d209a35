// stele-witness: init | add-log | remove-key | add-peer | serve | upgrade | confirm-clock | doctor. Results on stdout, everything else on stderr.
import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  asInput,
  asInputs,
  completionCommand,
  completionReply,
  EXIT,
  exitStatusHelp,
  hostAndPort,
  jsonLines,
  packageVersion,
  processStreams,
  replying,
  runBuilt,
  syncFolder,
  systemClock,
  type Address,
  type ExitStatus,
  type Reply,
  type Streams,
} from '../system/index.js';
import { formatVkey, parseVkey } from '../tlog/index.js';
import { leapFile } from './clock-guard.js';
import { addLog, checkFormat, checkUrl, initFolder, layout, removeKey } from './folder.js';
import { startWitness, upgradeStopped } from './index.js';
import { addPeer } from './peers.js';
import type { Level, Logger } from './log.js';

/** The commands of `stele-witness`; `end` is told the exit status of the one that ran. */
export function buildProgram(end: (status: ExitStatus) => void, streams: Streams = processStreams): Command {
  const program = new Command('stele-witness')
    .description(
      'Checks that transparency logs only ever grow, and cosigns their checkpoints (C2SP tlog-witness).',
    )
    .version(`stele-witness ${packageVersion()}`, '--version', 'print the version')
    .addHelpText('after', exitStatusHelp([0, 1, 2, 3]))
    .configureHelp({ showGlobalOptions: true });
  const replies = { end, streams };
  const folderOption = (): Option =>
    new Option('-f, --folder <folder>', "the witness's folder")
      .env('STELE_WITNESS_FOLDER')
      .makeOptionMandatory();

  const init = program
    .command('init')
    .description('make a new witness: its keys and its folder')
    .addOption(folderOption())
    .requiredOption('-n, --name <name>', 'key name, for good: a schema-less URL such as witness.example/w1')
    .option('--ml-dsa', 'cosign with ML-DSA-44 as well as with Ed25519');
  replying<{ folder: string; name: string; mlDsa?: true }>(init, replies, async ({ folder, name, mlDsa }) => {
    const seeds = { ed25519: randomBytes(32), ...(mlDsa && { mldsa: randomBytes(32) }) };
    const vkeys = (await asInputs(() => initFolder(folder, name, seeds))).map((vkey) => formatVkey(vkey));
    return { lines: vkeys, result: { folder, name, vkeys } };
  });

  const add = program
    .command('add-log')
    .description('add a log, or another key of one; a serving witness takes it up on SIGHUP')
    .addOption(folderOption())
    .argument('<vkey>', "the log's verifier key")
    .option('--origin <origin>', "the log's origin, where it differs from the key's name")
    .option('--url <url>', 'where the log serves its checkpoint and tiles; without it, less can be proven');
  replying<{ folder: string; origin?: string; url?: string }>(
    add,
    replies,
    async ({ folder, origin, url }, [vkey = '']) => {
      const key = asInput('vkey', () => parseVkey(vkey));
      const log = await asInputs(() => addLog(folder, key, origin, url));
      return {
        lines: [`${log.origin}: ${count(log.keys.length)}${log.url === undefined ? '' : `, ${log.url}`}`],
        result: { origin: log.origin, vkeys: log.keys.map((each) => formatVkey(each)), url: log.url ?? null },
      };
    },
  );

  const removing = program
    .command('remove-key')
    .description('take a key from a log that has retired it; a serving witness sees it on SIGHUP')
    .addOption(folderOption())
    .argument('<vkey>', "the log's former verifier key")
    .option('--origin <origin>', "the log's origin, where it differs from the key's name");
  replying<{ folder: string; origin?: string }>(
    removing,
    replies,
    async ({ folder, origin }, [vkey = '']) => {
      const key = asInput('vkey', () => parseVkey(vkey));
      const log = await asInputs(() => removeKey(folder, key, origin));
      return {
        lines: [`${log.origin}: ${count(log.keys.length)}`],
        result: { origin: log.origin, vkeys: log.keys.map((each) => formatVkey(each)) },
      };
    },
  );

  const peering = program
    .command('add-peer')
    .description('add another witness to compare notes with; a serving witness takes it up on SIGHUP')
    .addOption(folderOption())
    .argument('<vkey...>', "the other witness's verifier keys")
    .option('--url <url>', 'its monitoring prefix; without one, it is read from the checkpoints of the logs')
    .option('--c2sp', 'it does not speak our gossip: only read it');
  replying<{ folder: string; url?: string; c2sp?: true }>(
    peering,
    replies,
    async ({ folder, url, c2sp }, vkeys) => {
      const keys = asInput('vkey', () => vkeys.map((vkey) => parseVkey(vkey)));
      const options = { ...(url !== undefined && { url }), c2sp: c2sp === true };
      const peer = await asInputs(() => addPeer(folder, keys, options));
      return {
        lines: [
          `${peer.name}: ${count(peer.vkeys.length)}, ${peer.url ?? "read from the logs' checkpoints"}`,
        ],
        result: {
          name: peer.name,
          vkeys: peer.vkeys.map((each) => formatVkey(each)),
          url: peer.url ?? null,
          gossip: peer.gossip,
        },
      };
    },
  );

  const serving = program
    .command('serve')
    .description('answer add-checkpoint, and serve the latest checkpoints to monitors')
    .addOption(folderOption())
    .addOption(
      new Option('-l, --listen <host:port>', 'address to listen on; put TLS in front of it')
        .env('STELE_WITNESS_LISTEN')
        .default({ host: '127.0.0.1', port: 7380 }, '127.0.0.1:7380')
        .argParser(hostAndPort),
    )
    .addOption(
      new Option('--log-level <level>', 'least level of the JSON lines on stderr')
        .env('STELE_WITNESS_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    );
  replying<ServeFlags>(serving, replies, (flags, _args, tell) => serve(flags, tell));

  const upgrading = program
    .command('upgrade')
    .description("bring a stopped witness's folder to this version's format, as serve does too")
    .addOption(folderOption());
  replying<{ folder: string }>(upgrading, replies, async ({ folder }) => {
    const upgraded = await upgradeStopped(folder);
    const line = upgraded ? 'format 0 is now 1: it has a journal' : 'format 1: nothing to do';
    return { lines: [line], result: { from: upgraded ? 0 : 1, to: 1 } };
  });

  const confirming = program
    .command('confirm-clock')
    .description('after a leap of the clock: say that the time shown now is right, and sign again')
    .addOption(folderOption())
    .option('--yes', 'confirm; without it, only show what there is to confirm');
  replying<{ folder: string; yes?: true }>(confirming, replies, ({ folder, yes }) =>
    confirmClock(folder, yes === true),
  );

  const doctor = program
    .command('doctor')
    .description(
      'say what is wrong with the folder, its server, logs or peers, and what to do; changes nothing',
    )
    .addOption(folderOption())
    .addOption(
      new Option('--url <url>', 'where its server answers')
        .env('STELE_WITNESS_URL')
        .default('http://127.0.0.1:7380'),
    )
    .option('--timeout <seconds>', 'for each answer', wholeSeconds, 10);
  replying<{ folder: string; url: string; timeout: number }>(
    doctor,
    replies,
    async ({ folder, url, timeout }) => {
      const { examineWitness } = await import('./doctor.js');
      const { replyOfDoctor } = await import('../system/doctor/index.js');
      const asking = { url: asInput('--url', () => checkUrl(url)), timeoutMs: 1000 * timeout };
      const now = (): number => systemClock.now();
      return replyOfDoctor(
        await examineWitness({
          folder: resolve(folder),
          ...asking,
          now,
          fetch: (to, init) => fetch(to, init),
        }),
      );
    },
  );

  replying(completionCommand(program), replies, (_flags, args) =>
    Promise.resolve(completionReply(program, args)),
  );
  return program;
}

/** Runs one command line, without the program's name. Resolves with the exit status. */
export function runCommand(args: readonly string[], streams?: Streams): Promise<ExitStatus> {
  return runBuilt(buildProgram, args, streams);
}

interface ServeFlags {
  folder: string;
  listen: Address;
  logLevel: Level;
}

async function serve(options: ServeFlags, tell: (reply: Reply) => void): Promise<ExitStatus> {
  const log: Logger = jsonLines({
    write: (line) => process.stderr.write(line),
    now: () => systemClock.now(),
    from: options.logLevel,
    about: 'event',
  });
  const starting = startWitness({ folder: options.folder, listen: options.listen, log });
  // Before the witness serves too: the start may have read the folder before what the signal is about was written there.
  const reload = (): void => {
    starting
      .then((started) => started.reload())
      .then(
        () => log('info', 'reloaded'),
        (error: unknown) =>
          log('error', 'reload-failed', { message: error instanceof Error ? error.message : '' }),
      );
  };
  process.on('SIGHUP', reload);
  const witness = await starting;
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    // Whoever starts the witness learns from this line where it is, and that it is ready.
    tell({
      lines: [witness.url],
      result: { url: witness.url, vkeys: witness.vkeys.map((vkey) => formatVkey(vkey)) },
    });
  });
  await witness.close();
  process.off('SIGHUP', reload);
  // Whoever watches over the process must not take this for a clean end.
  return witness.spent() ? EXIT.failed : EXIT.ok;
}

async function confirmClock(folder: string, yes: boolean): Promise<Reply> {
  await checkFormat(folder);
  const file = layout.leap(folder);
  const leap = await leapFile(file).read();
  if (!leap) {
    return {
      lines: ['nothing to confirm: no leap of the clock was noticed'],
      result: { leap: null, confirmed: false },
    };
  }
  const iso = (ms: number): string => new Date(ms).toISOString();
  const shown = { expected: iso(leap.expected), found: iso(leap.found), now: iso(systemClock.now()) };
  const line = `expected about ${shown.expected}, found ${shown.found}; the clock now shows ${shown.now}`;
  if (!yes) {
    const todo = 'compare with a clock you trust, set this one right if it is wrong, then repeat with --yes';
    return {
      lines: [line],
      prose: [todo],
      checks: [{ name: 'clock', status: 'fail', detail: `${line}: ${todo}` }],
      result: { leap: shown, confirmed: false },
      status: EXIT.failed,
    };
  }
  await unlink(file);
  await syncFolder(folder);
  return {
    lines: [line, 'confirmed: the witness signs again'],
    result: { leap: shown, confirmed: true },
  };
}

function wholeSeconds(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError('expected a whole number of seconds.');
  return Number(text);
}

function count(keys: number): string {
  return `${keys} ${keys === 1 ? 'key' : 'keys'}`;
}
