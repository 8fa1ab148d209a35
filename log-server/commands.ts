// stele-log: init | serve | freeze | add-key | retire-key | upgrade | fsck | recover. Results on stdout, everything else on stderr.
// Each command loads what it needs when it runs: a module takes a millisecond, and all together are 140.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, type Option } from 'commander';
import type { Predecessor } from '../attestation/index.js';
import {
  EXIT,
  asInput,
  asInputs,
  completionCommand,
  completionReply,
  exitStatusHelp,
  packageVersion,
  processStreams,
  readKeyFile,
  replying,
  runProgram,
  systemClock,
} from '../system/index.js';
import type { ExitStatus, Replies, Reply, Streams } from '../system/index.js';
import type { Fetch } from '../client/index.js';
import { TlogError, formatKeyId, formatVkey, parseVkey } from '../tlog/index.js';
import { replyOfCheck } from './offline/report.js';
import { LogError } from './errors.js';
import type { OfficerOptions } from './init.js';
import { applyConfigFiles, hostAndPort, repeated, setting, wholeNumber } from './options.js';
import type { RotateOptions, Rotated } from './rotation.js';
import type { ServeOptions } from './serve.js';

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
  replying(completionCommand(program), replies, (_flags, args) =>
    Promise.resolve(completionReply(program, args)),
  );
  return program;
}

/** Runs one command line, without the program's name. Resolves with the exit status. */
export async function runCommand(
  args: readonly string[],
  streams: Streams = processStreams,
): Promise<ExitStatus> {
  let status: ExitStatus = EXIT.ok;
  const program = buildProgram((found) => (status = found), streams);
  return runProgram(program, args, () => status, streams);
}

/** Node loads its own only when it is first named, which takes a while. */
const fetch: Fetch = (url, init) => globalThis.fetch(url, init);

const folderOption = (): Option => setting('-f, --folder <folder>', "the log's folder");
const admissionOption = (): Option =>
  setting(
    '--admission <rules>',
    'charter: the rules of spec/attestations.md; none: any bytes, for tests and benchmarks',
  )
    .choices(['charter', 'none'])
    .default('charter');

interface InitFlags {
  folder?: string;
  admission: 'charter' | 'none';
  origin?: string;
  policy?: string;
  operatorKey?: string;
  operator?: OfficerName;
  registrar?: OfficerOptions[];
  registrarThreshold?: number;
  anchorInterval?: number;
  sizeLimit?: number;
  mlDsa?: true;
  predecessor?: string;
  predecessorVkey?: string[];
}

interface OfficerName {
  participant: string;
  name: string;
}

function addInit(program: Command, replies: Replies): void {
  const command = program
    .command('init')
    .description(
      'make the folder of a new log: its keys, policy and charter, and a signed checkpoint of size 0',
    )
    .addOption(folderOption())
    .addOption(
      setting('--origin <origin>', "the log's name, for good: a schema-less URL such as example.com/log42"),
    )
    .addOption(admissionOption())
    .addOption(setting('--policy <file>', "tlog-policy: witnesses and quorum; the log's own lines are added"))
    .addOption(setting('--ml-dsa', 'sign checkpoints with ML-DSA-44 as well as with Ed25519'))
    .addOption(
      setting('--operator-key <file>', "the operator's signing key; a new one is made where none is given"),
    )
    .addOption(setting('--operator <id:name>', 'who operates the log').argParser(officerName))
    .addOption(
      setting('--registrar <id:name:key>', 'who introduces participants (key in hex); repeat it').argParser(
        registrar,
      ),
    )
    .addOption(
      setting('--registrar-threshold <k>', 'how many registrars it takes to amend the charter').argParser(
        wholeNumber(1),
      ),
    )
    .addOption(
      setting('--anchor-interval <seconds>', 'time between anchors; 600 where nothing is said').argParser(
        wholeNumber(1),
      ),
    )
    .addOption(
      setting('--size-limit <bytes>', 'of an entry; 65535 where nothing is said').argParser(wholeNumber(1)),
    )
    .addOption(
      setting(
        '--predecessor <file>',
        'last checkpoint of the log that this one continues; the charter names its origin, size and root',
      ),
    )
    .addOption(
      setting('--predecessor-vkey <vkey>', 'the key that signed that checkpoint; repeat it').argParser(
        repeated,
      ),
    );
  replying<InitFlags>(command, replies, async (flags) => {
    const {
      operatorKey,
      operator,
      registrar: registrars,
      registrarThreshold,
      anchorInterval,
      sizeLimit,
      mlDsa,
    } = flags;
    const predecessor = await readPredecessor(flags);
    const policy = await readInput(needed(flags.policy, '--policy'));
    const { initLog } = await import('./init.js');
    const folder = resolve(needed(flags.folder, '--folder'));
    const made = await asInputs(() =>
      initLog({
        folder,
        origin: needed(flags.origin, '--origin'),
        admission: flags.admission,
        policy,
        clock: systemClock,
        ...(operatorKey && { operatorKey: readKeyFile(operatorKey) }),
        ...(operator && { operator }),
        ...(registrars && { registrars }),
        ...(registrarThreshold !== undefined && { registrarThreshold }),
        ...(anchorInterval !== undefined && { anchorInterval }),
        ...(sizeLimit !== undefined && { sizeLimit }),
        ...(mlDsa && { mlDsa }),
        ...(predecessor && { predecessor }),
      }),
    );
    return {
      lines: made.vkeys,
      prose: [
        `Give ${made.vkeys.length === 1 ? 'this vkey' : 'these vkeys'} to the witnesses of the policy, and start the log with stele-log serve.`,
      ],
      result: { folder, origin: flags.origin, vkeys: made.vkeys },
    };
  });
}

async function readPredecessor({ predecessor, predecessorVkey }: InitFlags): Promise<Predecessor> {
  if (predecessor === undefined && predecessorVkey === undefined) return null;
  const file = needed(predecessor, '--predecessor');
  const vkeys = asInput('--predecessor-vkey', () =>
    needed(predecessorVkey, '--predecessor-vkey').map(parseVkey),
  );
  const note = await readInput(file);
  const { predecessorOf } = await import('../attestation/index.js');
  try {
    return predecessorOf(note, vkeys);
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new LogError('bad_predecessor', `${file}: ${cause.message}`, cause.hint, { cause });
  }
}

interface ServeFlags extends Omit<ServeOptions, 'folder' | 'policy' | 'onListening'> {
  folder?: string;
  policy?: string;
}

function addServe(program: Command, replies: Replies): void {
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
        'least time from the beginning of one head to that of the next',
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting('--collection-timeout <ms>', 'how long a head waits for its quorum').argParser(wholeNumber(1)),
    )
    .addOption(setting('--witness-timeout <ms>', 'for one exchange with a witness').argParser(wholeNumber(1)))
    .addOption(
      setting('--backlog <entries>', 'unpublished entries above which nothing is admitted').argParser(
        wholeNumber(1),
      ),
    )
    .addOption(
      setting(
        '--rate <entries>',
        'per second of one participant, ten times as many at once; 0: no limit',
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting(
        '--reserve <MiB>',
        'free space without which nothing is admitted; 64 where nothing is said',
      ).argParser(wholeNumber(0)),
    )
    .addOption(
      setting('--log-level <level>', 'least level of the JSON lines on stderr')
        .choices(['debug', 'info', 'warn', 'error', 'alarm'])
        .default('info'),
    );
  replying<ServeFlags>(command, replies, async (flags, _args, tell) => {
    const { policy } = flags;
    const { serve } = await import('./serve.js');
    await serve({
      ...flags,
      folder: resolve(needed(flags.folder, '--folder')),
      policy: policy === undefined ? undefined : await readInput(policy),
      onListening: (url) => tell({ lines: [url], result: { url } }),
    });
    return EXIT.ok;
  });
}

interface FsckFlags {
  folder?: string;
  vkey?: string[];
  origin?: string;
}

function addFsck(program: Command, replies: Replies): void {
  const command = program
    .command('fsck')
    .description("check everything in a stopped log's folder; or any C2SP tlog-tiles log, by URL or folder")
    .argument('[source]', "URL or folder of a log's tiles, where it is not this program's own")
    .addOption(folderOption())
    .addOption(setting('--vkey <vkey>', "the log's key, with a source; repeat it").argParser(repeated))
    .addOption(setting('--origin <origin>', "the log's origin, where it is not its key's name"));
  replying<FsckFlags>(command, replies, async ({ folder, vkey, origin }, [source]) => {
    const vkeys = vkey ?? [];
    if (source !== undefined) {
      const { checkSource } = await import('./offline/fsck-source.js');
      return replyOfCheck(await checkSource({ source, vkeys, origin, fetch }));
    }
    const { check } = await import('./offline/check.js');
    const own = folder === undefined ? undefined : resolve(folder);
    return replyOfCheck(await check({ folder: own, source, vkeys, origin, fetch }));
  });
}

function addRecover(program: Command, replies: Replies): void {
  const command = program
    .command('recover')
    .description(
      "rebuild a log's data from what is left of it, and from what others have; the damaged folder is kept",
    )
    .addOption(folderOption())
    .addOption(
      setting(
        '--from <url|folder>',
        "a mirror, a backup, a reader's cache, submitters' files; repeat it",
      ).argParser(repeated),
    );
  replying<{ folder?: string; from?: string[] }>(command, replies, async ({ folder, from }) => {
    const { recoverFolder, replyOfRecovery } = await import('./offline/check.js');
    const done = await recoverFolder({
      folder: resolve(needed(folder, '--folder')),
      from: from ?? [],
      now: new Date(systemClock.now()),
      fetch,
      onProgress: (entries, size) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${entries} of ${size} entries`);
      },
    });
    return replyOfRecovery(done);
  });
}

interface FreezeFlags {
  folder?: string;
  url?: string;
  operatorKey?: string;
  reason: string;
  successor?: string;
}

function addFreeze(program: Command, replies: Replies): void {
  const command = program
    .command('freeze')
    .description('end a running log: log its freeze entry and one last anchor, after which it only serves')
    .addOption(folderOption())
    .addOption(setting('--url <url>', 'of the running log').default('http://127.0.0.1:7381'))
    .addOption(
      setting('--operator-key <file>', "the operator's signing key; the folder's where nothing is said"),
    )
    .addOption(
      setting('--reason <code>', 'why')
        .choices(['planned', 'key-compromised', 'storage-damaged', 'superseded'])
        .default('planned'),
    )
    .addOption(setting('--successor <origin>', 'the log that continues this one'));
  replying<FreezeFlags>(command, replies, async (flags) => {
    const { url, operatorKey, reason, successor } = flags;
    const { freeze } = await import('./freeze.js');
    const index = await freeze({
      folder: resolve(needed(flags.folder, '--folder')),
      url: needed(url, '--url'),
      operatorKey,
      reason,
      successor,
      clock: systemClock,
      fetch,
    });
    return { lines: [String(index)], result: { index } };
  });
}

interface KeyFlags {
  folder?: string;
  mlDsa?: true;
  operatorKey?: string;
  consent?: string;
}

function addKeys(program: Command, replies: Replies): void {
  const common = (command: Command): Command =>
    command
      .addOption(folderOption())
      .addOption(
        setting('--operator-key <file>', "the operator's signing key; the folder's where nothing is said"),
      )
      .addOption(
        setting(
          '--consent <file>',
          "the last registrar's signed charter-amendment, where the operator is none",
        ),
      );
  const optionsOf = async (flags: KeyFlags): Promise<RotateOptions> => ({
    folder: resolve(needed(flags.folder, '--folder')),
    clock: systemClock,
    operatorKey: flags.operatorKey,
    consent: flags.consent === undefined ? undefined : await readInput(flags.consent),
  });
  const adding = program
    .command('add-key')
    .description(
      'give a stopped log another signing key: it is logged, and signs beside the others from the next head on',
    )
    .addOption(setting('--ml-dsa', 'an ML-DSA-44 key; Ed25519 where nothing is said'));
  replying<KeyFlags>(common(adding), replies, async (flags) => {
    const options = await optionsOf(flags);
    const { addKey } = await import('./rotation.js');
    return replyOfKeys(await addKey({ ...options, mlDsa: flags.mlDsa === true }));
  });
  const retiring = program
    .command('retire-key')
    .description(
      'take a signing key from a stopped log: that is logged, and the key signs no head from then on',
    )
    .argument('<key id>', 'eight hex digits, as add-key prints them');
  replying<KeyFlags>(common(retiring), replies, async (flags, [keyId = '']) => {
    const options = await optionsOf(flags);
    const { retireKey } = await import('./rotation.js');
    return replyOfKeys(await retireKey({ ...options, keyId }));
  });
}

/** A line per key: ID, size of its first head, of its last or `-`, vkey. */
function replyOfKeys({ resumed, lives }: Rotated): Reply {
  const keys = lives.map(({ vkey, from, until }) => {
    return { keyId: formatKeyId(vkey.keyId), from, until, vkey: formatVkey(vkey) };
  });
  return {
    lines: keys.map(({ keyId, from, until, vkey }) => `${keyId} ${from} ${until ?? '-'} ${vkey}`),
    prose: [
      resumed
        ? 'A change of keys that had been begun is ended; nothing else was done.'
        : 'Start the log with stele-log serve; witnesses and readers have to learn of this: docs/operating.md, "Keys".',
    ],
    result: { resumed, keys },
  };
}

function addUpgrade(program: Command, replies: Replies): void {
  const command = program
    .command('upgrade')
    .description(
      "bring a stopped log's folder, made by an older version, to this one's format; it can be run again",
    )
    .addOption(folderOption());
  replying<{ folder?: string }>(command, replies, async (flags) => {
    const { upgradeLog } = await import('./upgrade.js');
    const { from, to, done } = await upgradeLog(resolve(needed(flags.folder, '--folder')));
    const line =
      done.length === 0 ? `format ${to}: nothing to do` : `format ${from} is now ${to}: ${done.join('; ')}`;
    return { lines: [line], result: { from, to, done: [...done] } };
  });
}

function needed<T>(value: T | undefined, flag: string): T {
  if (value !== undefined) return value;
  throw new LogError(
    'missing_option',
    `expected ${flag}, found none`,
    `name it, or set it in the environment or in stele.toml`,
  );
}

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const found = reason === 'ENOENT' ? 'none' : reason;
    throw new LogError('unreadable', `expected a file at ${path}, found ${found}`, 'check the path', {
      cause,
    });
  }
}

function officerName(text: string): OfficerName {
  const [participant = '', ...name] = text.split(':');
  return { participant: identifier(participant), name: name.join(':') || participant };
}

/** Throws commander's error, so that a wrong one is a usage error that names the flag. */
function identifier(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Expected an identifier in front of the colon: lower-case letters, digits, ".", "_" and "-".',
  );
}

function registrar(text: string, before: unknown): OfficerOptions[] {
  const [participant = '', ...rest] = text.split(':');
  const key = rest.pop() ?? '';
  if (!/^[0-9a-f]{64}$/.test(key))
    throw new InvalidArgumentError('Expected ID:NAME:KEY, the key in 64 lower-case hex digits.');
  const officers = Array.isArray(before) ? (before as OfficerOptions[]) : [];
  return [...officers, { participant: identifier(participant), name: rest.join(':') || participant, key }];
}
