import type { Mutant } from './mutant.js';

const typed = (name: string): { test: string; name: string } => ({ test: 'test/cli.test.ts', name });
const recorded = (name: string): { test: string; name: string } => ({ test: 'test/record.test.ts', name });
const recorder = (name: string): { test: string; name: string } => ({
  test: 'cli/record/recorder.test.ts',
  name,
});
const identity = (name: string): { test: string; name: string } => ({ test: 'cli/identity.test.ts', name });

/** What the command line promises to a lab and to an auditor. */
export const cliMutants: readonly Mutant[] = [
  {
    desc: 'an envelope on disk is never signed anew',
    file: 'cli/attest/sign-once.ts',
    find: 'if (existing !== undefined) return',
    replace: 'if (existing?.length === 0) return',
    ...typed('nothing is signed twice'),
  },
  {
    desc: 'an envelope that says something else is not taken for the one asked for',
    file: 'cli/attest/sign-once.ts',
    find: 'if (same) return envelope;',
    replace: 'return envelope;',
    ...typed('nothing is signed twice'),
  },
  {
    desc: 'an anchor of before a change of keys tells its time to who knows the new key alone',
    file: 'cli/verification.ts',
    find: 'const { verified } = openNote(new TextEncoder().encode(checkpoint), known);',
    replace:
      'const { verified } = openNote(new TextEncoder().encode(checkpoint), known.slice(0, policy.logs.length));',
    test: 'test/runbook.test.ts',
    name: 'the runbooks for keys',
  },
  {
    desc: 'the last seen checkpoint is remembered between commands',
    file: 'cli/log.ts',
    find: 'lastSeen: lastSeenStore(context),',
    replace: '',
    ...typed('contradicts what it showed'),
  },
  {
    desc: "text from a log is escaped in an error's message",
    file: 'system/answer.ts',
    find: 'return escapeForTerminal(`${program}: ${message}',
    replace: 'return String(`${program}: ${message}',
    ...typed('troubles are status 3'),
  },
  {
    desc: "a related entry's proof is verified",
    file: 'cli/verification.ts',
    find: 'const verified = verifyTlogProof({ proof, leafHash: leafHashOf(envelope), policy });',
    replace: 'const verified = { index: parseTlogProof(proof).index, checkpoint: { origin } };',
    ...typed('anything changed in a record'),
  },
  {
    desc: "the quorum counts in verify's answer",
    file: 'cli/verification.ts',
    find: "evaluation.met ? 'pass' : 'fail'",
    replace: "evaluation.met ? 'pass' : 'pass'",
    ...typed('without enough cosignatures'),
  },
  {
    desc: 'only a registrar introduces participants',
    file: 'cli/identity.ts',
    find: '!key.uses.some((use) => uses.includes(use))',
    replace: 'key.uses.length === 0',
    ...identity('nobody but a registrar'),
  },
  {
    desc: 'an entry that binds a key is signed by the key it names',
    file: 'cli/identity.ts',
    find: '!verifyEnvelopeSignature(envelope, key.publicKey) ||',
    replace: '',
    ...identity('not by the key it names'),
  },
  {
    desc: 'a key consents by its own signature, for one participant of one log',
    file: 'cli/identity.ts',
    find: 'if (participant !== about || origin !== this.#origin || !verifyEnvelopeSignature(envelope, publicKey)) {',
    replace: 'if (participant !== about) {',
    ...identity('a key consents'),
  },
  {
    desc: 'a key signs nothing after its end',
    file: 'cli/identity.ts',
    find: '|| index > (key.until ?? Infinity)',
    replace: '',
    ...identity('new terms take the threshold'),
  },
  {
    desc: 'new terms take different registrars',
    file: 'cli/identity.ts',
    find: 'if (consents.size < this.#terms.registrars.threshold) return;',
    replace: '',
    ...identity('new terms take the threshold'),
  },
  {
    desc: 'a record that nothing proves to be logged is no success',
    file: 'cli/commands/verify.ts',
    find: "if (index === undefined && wrong.length === 0) failed.add('inclusion');",
    replace: '',
    ...typed('an envelope alone'),
  },
  {
    desc: 'the bound on what a look-up answers',
    file: 'cli/target.ts',
    find: 'maxBody: MAX_ANSWER_BYTES,',
    replace: 'maxBody: Infinity,',
    ...typed('a look-up that never ends'),
  },
  {
    desc: 'a new key has the use of the old one',
    file: 'cli/identity.ts',
    find: 'if (as !== undefined && !as.uses.includes(use)) {',
    replace: 'if (as === undefined && use === undefined) {',
    ...identity('takes over the use'),
  },
  {
    desc: 'nothing may change in a checkpoint while it is digested',
    file: 'cli/record/digesting.ts',
    find: `if (printOf(path, top).print === print)
          this.#done`,
    replace: `if (printOf(path, top).print !== '')
          this.#done`,
    ...recorder('a file that comes while'),
  },
  {
    desc: 'an envelope that is there is the statement, whatever is told now',
    file: 'cli/record/signing.ts',
    find: 'if (!existsSync(path)) await signOnce(',
    replace: 'await signOnce(',
    ...recorded('recorded in retrospect, and not a second time'),
  },
  {
    desc: 'the recorder takes over what stands in the envelopes and not in its journal',
    file: 'cli/record/counting.ts',
    find: 'if (missing.length === 0) return;',
    replace: 'if (missing.length >= 0) return;',
    ...recorder('between an envelope and its journal'),
  },
  {
    desc: 'a checkpoint that was rotated away is recorded as not seen',
    file: 'cli/record/counting.ts',
    find: "if (now === undefined) return [{ ...before, digests: 'gone' as const }];",
    replace: 'if (now === undefined) return [];',
    ...recorder('goes while it is digested'),
  },
  {
    desc: 'the times of files that were there before are not stated',
    file: 'cli/record/counting.ts',
    find: '...(!retrospective && { end: writtenAt }),',
    replace: 'end: writtenAt,',
    ...recorded('recorded in retrospect, and not a second time'),
  },
  {
    desc: 'one recorder at a time for a run',
    file: 'cli/commands/record.ts',
    find: 'const lock = join(records, `.${facts.run}.lock`);',
    replace: 'const lock = join(records, `.${facts.run}.lock-${process.pid}`);',
    ...recorded('a second recorder'),
  },
  {
    desc: 'the memory of a digest does not grow with the file',
    file: 'cli/record/digest-worker.ts',
    find: 'const BUFFER_BYTES = 4 * 1024 * 1024;',
    replace: 'const BUFFER_BYTES = 600 * 1024 * 1024;',
    ...recorded('in constant memory'),
  },
  {
    desc: 'nobody ends the keys of others',
    file: 'cli/identity.ts',
    find: 'old.participant !== about ||',
    replace: '',
    ...identity('nobody ends the keys of others'),
  },
];
