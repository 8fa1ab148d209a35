// What a doctor asks of others, over HTTP: what witnesses show of a log, and what everybody's clock says.
import {
  ClientError,
  exchange,
  joinUrl,
  look,
  readClaim,
  systemTimer,
  type Fetch,
  type WitnessClaim,
} from '../../client/index.js';
import {
  formatKeyId,
  formatVkey,
  quorumMet,
  SteleError,
  type Policy,
  type PolicyWitness,
} from '../../tlog/index.js';
import { EXIT, statusOf } from '../exit.js';
import { age, Examination } from './examination.js';

/** How questions are sent. */
export interface Asking {
  readonly fetch: Fetch;
  readonly timeoutMs: number;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly now: () => number;
}

/** What somebody's clock said, and what this machine's said at that moment. Milliseconds since 1970. */
export interface TimeShown {
  readonly who: string;
  readonly shown: number;
  readonly here: number;
}

/** Milliseconds by which two clocks may differ. A second of it is HTTP's: its dates are whole ones. */
const CLOCK_DOUBT = 60_000;

/** Seconds after which a cosignature is old: a log that runs logs an anchor every ten minutes. */
export const STALE = 3000;

/** Bytes of an answer that are read. */
const MAX_ANSWER = 1024 * 1024;

/**
 * Whether this machine's clock and those of others agree. Where most of them say that it is wrong, it is; where one
 * stands alone, that one.
 */
export function checkClocks(exam: Examination, times: readonly TimeShown[]): void {
  const leads = times
    .map(({ who, shown, here }) => ({ who, lead: shown - here }))
    .sort((a, b) => a.lead - b.lead);
  const median = leads[Math.floor((leads.length - 1) / 2)]?.lead;
  if (median === undefined) {
    exam.unknown('clocks', 'nobody answered who says what time it is');
    return;
  }
  const own = Math.abs(median) > CLOCK_DOUBT;
  if (own)
    exam.fail('clocks', {
      expected: "this machine's clock to agree with those of others",
      found: `that it is ${age(Math.abs(median) / 1000)} ${median > 0 ? 'behind' : 'ahead'} (${leads.map(({ who }) => who).join(', ')})`,
      todo: 'compare it with a clock that you trust, and set it right',
    });
  for (const { who, lead } of leads) {
    const off = lead - median;
    // Of two that differ nobody can say which is right; the one beside this machine's is believed.
    if (Math.abs(off) > CLOCK_DOUBT && (!own || leads.length > 2))
      exam.fail('clocks', {
        expected: `the clock of ${who} to agree with this machine's and the others'`,
        found: `that it is ${age(Math.abs(off) / 1000)} ${off > 0 ? 'ahead' : 'behind'}`,
        todo: 'tell its operator',
      });
  }
  if (!own && leads.every(({ lead }) => Math.abs(lead - median) <= CLOCK_DOUBT))
    exam.pass('clocks', `this machine's agrees with ${leads.map(({ who }) => who).join(', ')}`);
}

/** What a server answers at its URL. Its time goes to `times`. Throws ClientError. */
export async function ask(
  prefix: string,
  path: string,
  asking: Asking,
  times: TimeShown[] = [],
): Promise<{ status: number; body: Uint8Array }> {
  const { fetch, timeoutMs, now } = asking;
  const url = joinUrl(prefix, path);
  const { status, body, date } = await exchange(url, {
    fetch,
    timer: systemTimer,
    timeoutMs,
    maxBody: MAX_ANSWER,
  });
  if (date !== undefined) times.push({ who: new URL(prefix).host, shown: date, here: now() });
  return { status, body };
}

/** The log that witnesses are asked about. */
export interface AskedLog {
  readonly origin: string;
  /** What it shows itself; undefined where that is not known. */
  readonly size: number | undefined;
  /** Whether it runs. Then cosignatures are expected to be new, unless it is frozen. */
  readonly runs: boolean;
  readonly frozen: boolean;
  /** Size of the last head that it has signed, as it is now: for who has its folder. Undefined where there is none. */
  readonly signed?: () => Promise<number | undefined>;
  /** What its witnesses' operators are given. */
  readonly vkeys: readonly string[];
}

/** What was found of a log's witnesses. */
export interface WitnessesFound {
  /** Whether those that are well, and those that could not be asked, are a quorum. */
  readonly quorum: boolean;
  /** Whether one has cosigned more than the log's folder has signed. */
  readonly ahead: boolean;
}

/**
 * Asks every witness of the policy that has an address: is it there, does it sign, does it know the log, and what has it
 * cosigned last. Their times go to `times`.
 */
export async function checkWitnesses(
  exam: Examination,
  policy: Policy,
  log: AskedLog,
  asking: Asking,
  times: TimeShown[],
): Promise<WitnessesFound> {
  const silent = policy.witnesses.filter(({ url }) => url === undefined);
  if (silent.length > 0)
    exam.unknown('witness', `${silent.map(({ name }) => name).join(', ')}: the policy has no address to ask`);
  const urls = [...new Set(policy.witnesses.flatMap(({ url }) => url ?? []))];
  const found = await Promise.all(
    urls.map(async (url) => {
      const own = policy.witnesses.filter((each) => each.url === url);
      const findings = new Examination();
      const ahead = await checkWitness(findings, { own, url, policy, log, asking, times });
      return { own, findings, ahead };
    }),
  );
  const well = new Set(silent.map(({ name }) => name));
  for (const { own, findings } of found) {
    exam.merge(findings);
    if (findings.status === EXIT.ok) for (const { name } of own) well.add(name);
  }
  const ahead = found.some((each) => each.ahead);
  const quorum = quorumMet(policy, well);
  // Of a folder that has to be made whole first, it does not matter.
  if (policy.quorum === undefined || ahead) return { quorum, ahead };
  if (quorum) exam.pass('quorum', 'those that are well, and those that could not be asked, are enough');
  else
    exam.fail(
      'quorum',
      {
        expected: 'a quorum of witnesses that are well',
        found: [...well].join(', ') || 'none',
        todo: 'see what is wrong with the others, above: without them nothing new is published',
      },
      EXIT.quorum,
    );
  return { quorum, ahead };
}

interface Question {
  /** The policy's lines with this address. */
  readonly own: readonly PolicyWitness[];
  readonly url: string;
  readonly policy: Policy;
  readonly log: AskedLog;
  readonly asking: Asking;
  readonly times: TimeShown[];
}

/** Whether it has cosigned more than the log's folder has signed. */
async function checkWitness(exam: Examination, question: Question): Promise<boolean> {
  const { own, url, policy, log, asking, times } = question;
  const who = `${own.map(({ name }) => name).join(', ')} (${url})`;
  const { fetch, timeoutMs } = asking;
  const clock = own[0]?.name ?? url;
  const onDate = (shown: number): void => {
    if (!times.some(({ who }) => who === clock)) times.push({ who: clock, shown, here: asking.now() });
  };
  try {
    let sent: number | undefined;
    const claim = await readClaim(url, { fetch, timeoutMs, onDate: (date) => (sent = date) });
    // By the clock that it signs with, where it says what that shows.
    const shown = claim?.time == null ? sent : Date.parse(claim.time);
    if (shown !== undefined) onDate(shown);
    if (claim !== undefined) checkClaim(exam, who, claim, own);
    const logs = policy.logs.filter(({ vkey }) => vkey.name === log.origin);
    const [seen] = await look(url, { ...policy, logs }, { fetch, timeoutMs, onDate });
    if (seen === undefined) return false;
    if (seen.kind === 'bad') throw seen.error;
    if (seen.kind === 'shown') return await checkCosigned(exam, who, question, seen.shown);
    checkKnown(exam, who, log, claim);
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    if (!(error instanceof ClientError)) {
      exam.blame('witness', new SteleError(error.code, `${who}: ${error.message}`, error.hint));
      return false;
    }
    exam.fail(
      'witness',
      {
        expected: `${who} to answer`,
        // Which of its addresses was asked does not matter.
        found: error.message.replace(/^https?:\S+: /, ''),
        todo: 'see that its address is right, and tell its operator',
      },
      statusOf(error),
    );
  }
  return false;
}

function checkClaim(
  exam: Examination,
  who: string,
  { ok, reason, keys }: WitnessClaim,
  own: readonly PolicyWitness[],
): void {
  if (!ok)
    exam.fail('witness', {
      expected: `${who} to sign`,
      found: `that it says it signs nothing (${reason ?? 'it does not say why'})`,
      todo: 'tell its operator',
    });
  const missing = own.filter(({ vkey }) => keys.length > 0 && !keys.includes(formatVkey(vkey)));
  if (missing.length > 0)
    exam.fail('witness', {
      expected: `${who} to have the key ${missing.map(({ vkey }) => formatKeyId(vkey.keyId)).join(', ')} that the policy names`,
      found: keys.join(', '),
      todo: 'ask its operator which is right: the policy may be an old one',
    });
}

/** It shows no checkpoint of the log. */
function checkKnown(exam: Examination, who: string, { origin, vkeys }: AskedLog, claim?: WitnessClaim): void {
  if (claim === undefined)
    exam.unknown(
      'witness',
      `${who}: shows no checkpoint of ${origin}: it does not know the log, or shows nobody what it cosigned`,
    );
  else if (claim.logs.some((log) => log.origin === origin))
    exam.unknown('witness', `${who}: knows ${origin}, and has cosigned nothing of it yet`);
  else
    exam.fail('witness', {
      expected: `${who} to know ${origin}`,
      found: 'that it does not',
      todo: `have its operator run: ${vkeys.map((vkey) => `stele-witness add-log ${vkey}`).join('; ')}`,
    });
}

/** As checkWitness. */
async function checkCosigned(
  exam: Examination,
  who: string,
  { own, log, asking }: Question,
  shown: readonly { witness: string; size: number; timestamp: number }[],
): Promise<boolean> {
  const [mine] = shown
    .filter(({ witness }) => own.some(({ vkey }) => vkey.name === witness))
    .sort((a, b) => b.timestamp - a.timestamp);
  if (mine === undefined) {
    exam.fail('witness', {
      expected: `${who} to show a checkpoint that it has cosigned itself`,
      found: 'no line by its key',
      todo: 'see that the policy has its key, and tell its operator',
    });
    return false;
  }
  const { size, timestamp } = mine;
  const seconds = asking.now() / 1000 - timestamp;
  const when = timestamp === 0 ? 'at no stated time' : `${age(seconds)} ago`;
  // Read after the witness has answered: a log that runs signs before it shows.
  const signed = await log.signed?.();
  if (signed !== undefined && size > signed) {
    const first = log.runs ? 'stop the log' : 'do not start it';
    exam.fail('witness', {
      expected: `no tree of ${log.origin} larger than the ${signed} entries that this folder has signed`,
      found: `that ${who} has cosigned ${size}`,
      todo: `the folder is an older copy: ${first}; put the newest one in its place, or bring back what is missing (stele-log recover --from): "Backup and restore" in docs/operating.md`,
    });
    return true;
  }
  if (log.runs && timestamp > 0 && seconds > STALE && log.frozen)
    exam.remark('witness', `${who}: cosigned size ${size}, ${when}: the log says that it is frozen`);
  else if (log.runs && timestamp > 0 && seconds > STALE)
    exam.fail('witness', {
      expected: `${who} to have cosigned ${log.origin} within ${age(STALE)}`,
      found: `size ${size}, ${when}`,
      todo: 'the log has stopped, does without it, or cannot reach it: ask both operators',
    });
  else {
    const behind = log.size !== undefined && size < log.size ? `, ${log.size - size} behind the log` : '';
    exam.pass('witness', `${who}: cosigned size ${size}, ${when}${behind}`);
  }
  return false;
}
