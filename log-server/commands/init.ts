import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Predecessor } from '../../attestation/index.js';
import { asInput, asInputs, replying, systemClock } from '../../system/commands.js';
import type { Replies } from '../../system/commands.js';
import { readKeyFile } from '../../system/key-file.js';
import { TlogError, parseVkey } from '../../tlog/index.js';
import { LogError } from '../errors.js';
import type { OfficerOptions } from '../init.js';
import { repeated, setting, wholeNumber } from '../options.js';
import { admissionOption, folderOption, needed, readInput } from './flags.js';

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

/** `init`. */
export function addInit(program: Command, replies: Replies): void {
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
    const { initLog } = await import('../init.js');
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
  const { predecessorOf } = await import('../../attestation/index.js');
  try {
    return predecessorOf(note, vkeys);
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new LogError('bad_predecessor', `${file}: ${cause.message}`, cause.hint, { cause });
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
