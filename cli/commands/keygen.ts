// stele keygen: a signing key, alone.
import { resolve } from 'node:path';
import { define, type Register } from '../command.js';
import { checkIdentifier } from '../identifiers.js';
import { createKey, publicInfo } from '../keys.js';

/** Registers the command. */
export const registerKeygen: Register = (program, context, outcome) => {
  define<{ output?: string }>(
    program
      .command('keygen')
      .description('make a signing key; print what is public of it')
      .argument('<participant>', 'identifier of whom the key signs for')
      .option('-o, --output <file>', 'where the private key goes (PARTICIPANT.key)'),
    context,
    outcome,
    [],
    ({ report }, { output }, [participant = '']) => {
      checkIdentifier(participant, 'participant');
      const path = resolve(context.cwd, output ?? `${participant}.key`);
      const info = publicInfo(createKey(context, participant, path));
      report.say(`Private key in ${path}: nobody but you should be able to read it.`);
      report.line(`vkey        ${info.vkey}`);
      report.line(`key ID      ${info.keyId}`);
      report.line(`public key  ${info.publicKey}`);
      report.result({ file: path, participant, ...info });
      return undefined;
    },
  );
};
