import type { Command } from 'commander';
import { EXIT, replying, systemClock } from '../../system/commands.js';
import type { Replies, Reply } from '../../system/commands.js';
import { formatKeyId, formatVkey } from '../../tlog/index.js';
import { setting } from '../options.js';
import type { RotateOptions, Rotated } from '../rotation.js';
import { folderOption, neededFolder, operatorKeyOption, readInput } from './flags.js';

interface KeyFlags {
  folder?: string;
  mlDsa?: true;
  operatorKey?: string;
  consent?: string;
}

/** `add-key` and `retire-key`. */
export function addKeys(program: Command, replies: Replies): void {
  const common = (command: Command): Command =>
    command
      .addOption(folderOption())
      .addOption(operatorKeyOption())
      .addOption(
        setting(
          '--consent <file>',
          "the last registrar's signed charter-amendment, where the operator is none",
        ),
      );
  const optionsOf = async (flags: KeyFlags): Promise<RotateOptions> => ({
    folder: await neededFolder(flags.folder),
    clock: systemClock,
    operatorKey: flags.operatorKey,
    consent: flags.consent === undefined ? undefined : await readInput(flags.consent),
  });
  const adding = program
    .command('add-key')
    .description(
      'give a stopped log another signing key: it is logged, and signs beside the others from the next head on (not with --admission none)',
    )
    .addOption(setting('--ml-dsa', 'an ML-DSA-44 key; Ed25519 where nothing is said'));
  replying<KeyFlags>(common(adding), replies, async (flags, _, tell) => {
    const options = await optionsOf(flags);
    const { addKey } = await import('../rotation.js');
    await addKey({ ...options, report: (done) => tell(replyOfKeys(done)), mlDsa: flags.mlDsa === true });
    return EXIT.ok;
  });
  const retiring = program
    .command('retire-key')
    .description(
      'take a signing key from a stopped log: that is logged, and the key signs no head from then on (not with --admission none)',
    )
    .argument('<key id>', 'eight hex digits, as add-key prints them');
  replying<KeyFlags>(common(retiring), replies, async (flags, [keyId = ''], tell) => {
    const options = await optionsOf(flags);
    const { retireKey } = await import('../rotation.js');
    await retireKey({ ...options, report: (done) => tell(replyOfKeys(done)), keyId });
    return EXIT.ok;
  });
}

/** A line per key: ID, size of its first head, of its last or `-`, vkey. */
function replyOfKeys({ resumed, unchanged, lives }: Rotated): Reply {
  const keys = lives.map(({ vkey, from, until }) => {
    return { keyId: formatKeyId(vkey.keyId), from, until, vkey: formatVkey(vkey) };
  });
  return {
    lines: keys.map(({ keyId, from, until, vkey }) => `${keyId} ${from} ${until ?? '-'} ${vkey}`),
    prose: [
      'A line per key: its ID, the size of its first head, of its last (- while it signs), its verifier key.',
      unchanged
        ? 'This key has retired already; nothing was done.'
        : resumed
          ? 'A change of keys that had been begun is ended; nothing else was done.'
          : 'Start the log with stele-log serve; witnesses and readers have to learn of this: docs/operating.md, "Keys".',
    ],
    result: { resumed, unchanged, keys },
  };
}
