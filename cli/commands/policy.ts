// stele policy: what a policy withstands, and what it says.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  MAX_NOTE_SIGNATURES,
  TlogError,
  formatVkey,
  parseDecimal,
  parsePolicy,
  policyOverlap,
  type Policy,
} from '../../tlog/index.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput } from '../errors.js';
import { readInput } from '../files.js';
import { loadPolicy } from '../log.js';
import {
  count,
  fitsNote,
  keyInWords,
  lyingInWords,
  overlapInWords,
  quorumLines,
  sharedOperators,
  silenceInWords,
  strengthOf,
  unusedWitnesses,
  type Strength,
} from '../../system/policy-words.js';
import { required } from '../settings.js';
import type { CheckStatus } from '../../system/index.js';
import type { Report } from '../report.js';

interface LintOptions {
  faults: string;
}

/** Registers the command. */
export const registerPolicy: Register = (program, context, outcome) => {
  const policy: Command = program.command('policy').description('what a policy withstands, and what it says');
  define<LintOptions>(
    policy
      .command('lint')
      .description('say how many lying and how many silent witnesses a policy survives')
      .argument('[file]', 'tlog-policy file (--policy)')
      .argument('[other]', "another party's policy: how far the two keep you together")
      .option('--faults <n>', 'fail below this many lying operators', '0'),
    context,
    outcome,
    ['policy'],
    (invocation, options, [file, other]) => {
      const wanted = asInput('--faults', () => parseDecimal(options.faults, '--faults'));
      const first = read(invocation, file);
      const one = lint(invocation.report, first, wanted);
      if (other === undefined) {
        invocation.report.result({ wanted, ...one });
        return undefined;
      }
      const second = read(invocation, other);
      const two = lint(invocation.report, second, wanted);
      const shared = lintPair(invocation.report, first.policy, second.policy, wanted);
      invocation.report.result({ wanted, policies: [one, two], shared });
      return undefined;
    },
    { policyArgument: (_options, args) => args.length > 0 },
  );
  define(
    policy
      .command('show')
      .description('print a policy: its logs, and whom its quorum asks for')
      .argument('[file]', 'tlog-policy file (--policy)'),
    context,
    outcome,
    ['policy'],
    (invocation, _options, [file]) => {
      show(invocation, read(invocation, file).policy);
      return undefined;
    },
    { policyArgument: (_options, args) => args.length > 0 },
  );
};

interface Named {
  readonly name: string;
  readonly policy: Policy;
}

function read({ context, settings }: Invocation, file: string | undefined): Named {
  if (file === undefined) return { name: required(settings, 'policy'), policy: loadPolicy(settings) };
  const bytes = readInput(resolve(context.cwd, file), file);
  return { name: file, policy: asInput(file, () => parsePolicy(bytes)) };
}

function lint(report: Report, { name, policy }: Named, wanted: number): object {
  report.line(
    `${name}: ${count(policy.witnesses.length, 'witness')} of ${count(policy.operators.length, 'operator')}`,
  );
  const strength = withinReach(report, () => strengthOf(policy));
  if (strength !== undefined) lintStrength(report, policy, strength, wanted);
  const remarks = remarksOn(policy);
  for (const remark of remarks) report.line(`  remark         ${remark}`);
  return { file: name, ...strength, remarks };
}

function lintStrength(report: Report, policy: Policy, strength: Strength, wanted: number): void {
  const { faults, silent, lines } = strength;
  const short = faults >= wanted || faults < 0 ? '' : ` (asked for: ${wanted})`;
  report.check('lying', asFound(faults, wanted), lyingInWords(policy, strength) + short);
  report.check('silent', silent === 0 ? 'remark' : 'pass', silenceInWords(strength));
  if (!fitsNote(strength))
    report.check(
      'met',
      'fail',
      `no checkpoint can meet it: that takes ${lines} signature lines, and a note has at most ${MAX_NOTE_SIGNATURES}`,
    );
}

/** What bears nobody bears no fewer than were asked for, where none were: that is no merit. */
function asFound(faults: number, wanted: number): CheckStatus {
  if (faults < wanted) return 'fail';
  return faults === 0 ? 'remark' : 'pass';
}

function lintPair(report: Report, a: Policy, b: Policy, wanted: number): number | null {
  report.line('the two together');
  const shared = withinReach(report, () => policyOverlap(a, b));
  if (shared !== undefined) report.check('overlap', asFound(shared - 1, wanted), overlapInWords(shared));
  const logs = new Set(a.logs.map(({ vkey }) => formatVkey(vkey)));
  if (!b.logs.some(({ vkey }) => logs.has(formatVkey(vkey))))
    report.line('  remark         they have no log in common');
  return shared ?? null;
}

/** A policy too tangled to be judged is neither good nor bad. */
function withinReach<T>(report: Report, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TlogError) || error.code !== 'policy_too_complex') throw error;
    report.check('lying', 'not-checkable', `${error.message}: ${error.hint}`);
    return undefined;
  }
}

function remarksOn(policy: Policy): string[] {
  const unused = unusedWitnesses(policy);
  const unreachable = policy.witnesses.filter(({ url }) => url === undefined).map(({ name }) => name);
  return [
    ...sharedOperators(policy).map(
      ({ operator, witnesses }) =>
        `${operator} runs ${witnesses.join(', ')}: one operator, who lies with all or none`,
    ),
    ...(unused.length > 0 ? [`no quorum counts ${unused.join(', ')}`] : []),
    ...(unreachable.length > 0
      ? [`no URL for ${unreachable.join(', ')}: a log with this policy could not ask them`]
      : []),
    ...(policy.logs.length === 0 ? ['no log line: a reader with this policy accepts no checkpoint'] : []),
  ];
}

function show({ report }: Invocation, policy: Policy): void {
  for (const { vkey, url } of policy.logs)
    report.line(`log     ${keyInWords(vkey)}${url === undefined ? '' : `  ${url}`}`);
  for (const [i, line] of quorumLines(policy).entries())
    report.line(`${i === 0 ? 'quorum  ' : '        '}${line}`);
  const unused = unusedWitnesses(policy);
  if (unused.length > 0) report.line(`unused  ${unused.join(', ')}`);
  const operators = policy.operators.map((operator) => ({
    operator,
    witnesses: policy.witnesses.filter((witness) => witness.operator === operator).map(({ name }) => name),
  }));
  report.result({
    logs: policy.logs.map(({ vkey, url }) => ({ vkey: formatVkey(vkey), ...(url !== undefined && { url }) })),
    witnesses: policy.witnesses.map(({ name, vkey, url, operator }) => ({
      name,
      vkey: formatVkey(vkey),
      operator,
      ...(url !== undefined && { url }),
    })),
    groups: policy.groups,
    quorum: policy.quorum ?? 'none',
    operators,
  });
}
