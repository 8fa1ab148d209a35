// stele witness: what witnesses say of themselves, and what they show.
import { join } from 'node:path';
import { ClientError, joinUrl, look, readClaim, type Look, type WitnessClaim } from '../../client/index.js';
import { verifyEvidence } from '../../evidence/index.js';
import { SteleError, type Policy } from '../../tlog/index.js';
import { columns } from '../columns.js';
import { define, type Invocation, type Register } from '../command.js';
import { CliError, EXIT, type ExitStatus } from '../errors.js';
import { inWords, writeFound } from '../evidence.js';
import { loadPolicy } from '../log.js';
import { checkUrl, stateFolder } from '../settings.js';
import { fetchEvidence } from '../witness-evidence.js';

const AFTER_HELP = `
Exit status: 5 evidence that a witness keeps convicts by your policy; 1 a witness says that something is
wrong: it signs nothing, an alarm, evidence that is not proven here; 3 no witness answered.`;

/** Logs that are printed for one witness; --json has all. */
const MAX_ROWS = 50;
/** Files of evidence of one witness that are fetched and judged. */
const MAX_EVIDENCE = 16;

/** Registers the command. */
export const registerWitness: Register = (program, context, outcome) => {
  const witness = program
    .command('witness')
    .description('what witnesses say of themselves, and what they show');
  define(
    witness
      .command('status')
      .description('ask witnesses how they are; with a policy, verify their last cosignatures of its logs')
      .argument('[url...]', "the witnesses' URLs; without any, those of the policy")
      .addHelpText('after', AFTER_HELP),
    context,
    outcome,
    ['policy', 'timeout'],
    async (invocation, _options, urls) => status(invocation, urls),
  );
};

/** A file of evidence that a witness says it keeps. */
interface Held {
  origin: string;
  sha256: string;
  /** Whether it convicts by the policy here. */
  proven: boolean;
  /** Where it was written, if so. */
  file: string | null;
  /** In words. */
  judgement: string;
}

interface Found {
  url: string;
  claim: WitnessClaim | null;
  looks: Look[];
  proofs: Held[];
  error: { code: string; message: string } | null;
}

async function status(invocation: Invocation, given: readonly string[]): Promise<ExitStatus | undefined> {
  const { context, report, settings } = invocation;
  const policy = settings.policy === undefined ? undefined : loadPolicy(settings);
  const urls =
    given.length > 0 ? given : [...new Set((policy?.witnesses ?? []).flatMap(({ url }) => url ?? []))];
  if (urls.length === 0) {
    throw new CliError(
      EXIT.usage,
      'no_witness',
      'expected the URL of a witness, or a policy whose witnesses have URLs, found neither',
      'stele witness status https://witness.example',
    );
  }
  for (const url of given) checkUrl(url, 'the URL of a witness');
  const asking = { fetch: context.fetch, timeoutMs: 1000 * (settings.timeout ?? 60) };
  const found = await Promise.all(
    urls.map(async (url): Promise<Found> => {
      try {
        const claim = await readClaim(url, asking).catch((error: unknown) => {
          // Witnesses that are not ours may answer anything to that path: what they show counts.
          if (policy && error instanceof ClientError && error.code === 'bad_status') return undefined;
          throw error;
        });
        const looks = policy ? await look(url, policy, asking) : [];
        return {
          url,
          claim: claim ?? null,
          looks,
          proofs: await judge(invocation, url, claim, policy, asking),
          error: null,
        };
      } catch (error) {
        if (!(error instanceof SteleError)) throw error;
        if (!(error instanceof ClientError)) throw error;
        return {
          url,
          claim: null,
          looks: [],
          proofs: [],
          error: { code: error.code, message: error.message },
        };
      }
    }),
  );
  for (const each of found) show(invocation, each, policy);
  report.result({ witnesses: found.map((each) => ({ ...each, looks: each.looks.map(asJson) })) });
  if (found.some(({ proofs }) => proofs.some(({ proven }) => proven))) return EXIT.misbehaviour;
  if (report.passed) return undefined;
  return found.every(({ error }) => error !== null) ? EXIT.network : EXIT.failed;
}

/** Evidence that a witness keeps is its word, until it convicts by the keys of one's own policy. */
async function judge(
  { context }: Invocation,
  url: string,
  claim: WitnessClaim | undefined,
  policy: Policy | undefined,
  asking: { fetch: Invocation['context']['fetch']; timeoutMs: number },
): Promise<Held[]> {
  const held = (claim?.logs ?? []).flatMap(({ origin, evidence }) =>
    evidence.map((sha256) => ({ origin, sha256 })),
  );
  return Promise.all(
    held.slice(0, MAX_EVIDENCE).map(async ({ origin, sha256 }): Promise<Held> => {
      const unproven = (why: string): Held => ({
        origin,
        sha256,
        proven: false,
        file: null,
        judgement: `says that it keeps evidence${why}: ${joinUrl(url, `gossip/evidence/${sha256}`)}`,
      });
      if (policy === undefined) return unproven(', and no policy here judges it');
      try {
        const bytes = await fetchEvidence(url, sha256, asking);
        const verdict = verifyEvidence(bytes, policy);
        const file = writeFound(join(stateFolder(context), 'evidence'), bytes, 'evidence');
        return {
          origin,
          sha256,
          proven: true,
          file,
          judgement: `proven: ${inWords(verdict)}. Evidence written to ${file}`,
        };
      } catch (error) {
        if (!(error instanceof SteleError)) throw error;
        return unproven(`, which is not proven here (${error.message})`);
      }
    }),
  );
}

function asJson(each: Look): Record<string, unknown> {
  if (each.kind === 'bad') return { kind: 'bad', origin: each.origin, error: each.error.message };
  return { ...each };
}

function show({ context, report }: Invocation, found: Found, policy: Policy | undefined): void {
  const { url, claim, looks, proofs, error } = found;
  if (error) {
    report.check('answer', 'fail', error.message);
    return;
  }
  if (claim) {
    const words = claim.ok ? 'says that it signs' : `says that it signs nothing: ${claim.reason ?? ''}`;
    report.check('says', claim.ok ? 'pass' : 'fail', `${url}: ${claim.name} ${words}`);
    for (const line of table(claim)) report.line(line);
    for (const { origin, alarms } of claim.logs)
      if (alarms.length > 0)
        report.check(
          'alarm',
          'fail',
          `${url}: ${origin}: says ${[...new Set(alarms)].join(', ')}; since when: ${joinUrl(url, 'status.json')}`,
        );
    for (const { origin, judgement } of proofs)
      report.check('evidence', 'fail', `${url}: ${origin}: ${judgement}`);
    if (!policy) report.line('    with --policy, its cosignatures are verified too');
  } else if (!policy) {
    report.check(
      'says',
      'not-checkable',
      `${url}: no status of ours there: give --policy to read its cosignatures of a log`,
    );
  }
  for (const each of looks) {
    if (each.kind === 'bad') {
      report.check('cosigned', 'fail', `${url}: ${each.origin}: ${each.error.message}`);
    } else if (each.kind === 'none' || each.shown.length === 0) {
      const origin = each.kind === 'none' ? each.origin : 'a log of the policy';
      const what = each.kind === 'none' ? 'no checkpoint there' : 'no cosignature by a witness of the policy';
      report.check('cosigned', 'not-checkable', `${url}: ${origin}: ${what}`);
    } else {
      for (const { origin, witness, size, timestamp } of each.shown) {
        const age = timestamp === 0 ? 'at no stated time' : `${words(context.now() / 1000 - timestamp)} ago`;
        report.check('cosigned', 'pass', `${url}: ${witness}: ${origin} at size ${size}, ${age}`);
      }
    }
  }
}

/** What the witness says of its logs, those with something to look at first; and of silent peers. */
function table({ logs, peers }: WitnessClaim): string[] {
  const weight = (log: WitnessClaim['logs'][number]): number =>
    2 * log.evidence.length + log.alarms.length + Math.sign(log.lag);
  const rows = [...logs]
    .sort((a, b) => weight(b) - weight(a))
    .slice(0, MAX_ROWS)
    .map(({ origin, size, age, lag, alarms, evidence }) => [
      origin,
      String(size),
      age === null ? 'never' : `${words(age)} ago`,
      String(lag),
      String(alarms.length),
      String(evidence.length),
    ]);
  if (rows.length === 0) return ['    no log is configured'];
  const all = [['log', 'size', 'cosigned', 'behind', 'alarms', 'evidence'], ...rows];
  const lines = columns(all).map((line) => `    ${line}`);
  if (logs.length > MAX_ROWS) lines.push(`    and ${logs.length - MAX_ROWS} more: --json has all`);
  for (const { name, age, failures } of peers) {
    if (failures > 0)
      lines.push(
        `    peer ${name}: ${failures} ${failures === 1 ? 'failure' : 'failures'}, ${age === null ? 'never seen' : `seen ${words(age)} ago`}`,
      );
  }
  return lines;
}

function words(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  return whole < 172_800 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86_400)} days`;
}
