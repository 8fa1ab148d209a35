// What must hold in every simulation, checked as it happens.
import { verifyEvidence, type EvidenceKeys, type Verdict } from '../../evidence/index.js';
import {
  SteleError,
  formatVkey,
  parseSignatureLines,
  policyOverlap,
  type Policy,
  type Vkey,
} from '../../tlog/index.js';
import { headText, type Head, type Truth } from './history.js';
import type { Plan } from './plan.js';
import { LOG_KEY } from './plan.js';
import type { Trace } from './trace.js';

/** A head that a client took for the log's. */
export interface Accepted extends Head {
  readonly client: string;
  readonly policy: number;
}

interface Signed extends Head {
  /** Seconds: the earliest and the latest time that was signed for it. */
  earliest: number;
  latest: number;
}

export class Judge {
  readonly #plan: Plan;
  readonly #truth: Truth;
  readonly #trace: Trace;
  /** Everybody's keys, as if a stranger trusted them all. */
  readonly keys: EvidenceKeys;
  /** Of those who lied: only these may be convicted. */
  readonly guilty: ReadonlySet<string>;
  readonly #safe: readonly (readonly boolean[])[];
  readonly #signed = new Map<string, Signed[]>();
  readonly #seen = new Map<string, Verdict>();
  readonly accepted: Accepted[] = [];
  readonly violations: string[] = [];
  /** Verifier keys of whom any evidence convicted. */
  readonly convicted: Set<string> = new Set<string>();
  /** By convicted key: who has evidence against it, and since when. */
  readonly #accusers = new Map<string, Map<string, number>>();
  cosignatures = 0;
  /** Files of evidence that were offered to somebody and prove nothing. */
  rubbish = 0;

  constructor(plan: Plan, truth: Truth, trace: Trace) {
    this.#plan = plan;
    this.#truth = truth;
    this.#trace = trace;
    const vkeys = plan.operators.flatMap(({ keys }) => keys.map(({ vkey }) => vkey));
    this.keys = { logs: [{ vkey: LOG_KEY.vkey }], witnesses: vkeys.map((vkey) => ({ vkey })) };
    const liars = plan.operators.filter(({ lies }) => lies);
    const twoFaced = plan.behaviour !== 'honest' && plan.behaviour !== 'freeze';
    this.guilty = new Set([
      ...(twoFaced ? [formatVkey(LOG_KEY.vkey)] : []),
      ...liars.flatMap(({ keys }) => keys.map(({ vkey }) => formatVkey(vkey))),
    ]);
    const lying = new Set(liars.map(({ name }) => name));
    this.#safe = plan.policies.map((a) => plan.policies.map((b) => withstands(a, b, lying)));
  }

  /** A client accepts a checkpoint. No two clients, nor one client twice, may accept two histories. */
  accepts(accepted: Accepted): void {
    const again = this.accepted.some(
      (before) =>
        before.client === accepted.client &&
        before.size === accepted.size &&
        this.#truth.consistent(before, accepted),
    );
    if (again) return;
    this.#trace.event(accepted.client, `accepts ${headText(accepted)}`);
    for (const before of this.accepted) {
      if (this.#truth.consistent(before, accepted)) continue;
      if (this.#safe[before.policy]?.[accepted.policy] !== true) continue;
      this.#violate(
        `${before.client} accepted ${headText(before)} and ${accepted.client} ${headText(accepted)}: two histories, though no more witnesses lied than their policies withstand`,
      );
    }
    this.accepted.push(accepted);
  }

  /** Whether two clients hold different histories. */
  deceived(): boolean {
    return this.accepted.some((a) => this.accepted.some((b) => !this.#truth.consistent(a, b)));
  }

  /** An honest witness has answered with these lines. */
  cosigns(witness: string, head: Head, lines: string): void {
    this.cosignatures++;
    const times = parseSignatureLines(new TextEncoder().encode(lines)).map(({ signature }) =>
      Number(new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0)),
    );
    this.#trace.event(witness, `cosigns ${headText(head)} at ${times.join()}`);
    const all = this.#signed.get(witness) ?? [];
    this.#signed.set(witness, all);
    const [earliest, latest] = [Math.min(...times), Math.max(...times)];
    for (const before of all) {
      if (!this.#truth.consistent(before, head))
        this.#violate(`honest ${witness} cosigned ${headText(before)} and ${headText(head)}: two histories`);
      if (
        (before.size < head.size && before.latest > earliest) ||
        (before.size > head.size && before.earliest < latest)
      )
        this.#violate(`honest ${witness}: time fell between ${headText(before)} and ${headText(head)}`);
    }
    const same = all.find(({ size }) => size === head.size);
    if (same === undefined) all.push({ ...head, earliest, latest });
    else [same.earliest, same.latest] = [Math.min(same.earliest, earliest), Math.max(same.latest, latest)];
  }

  /** What an honest witness cosigned and answered. */
  signedBy(witness: string): readonly Head[] {
    return this.#signed.get(witness) ?? [];
  }

  /** An honest party keeps a file of evidence: it must convict, and nobody who was honest. */
  keeps(who: string, sha256: string, bytes: Uint8Array): void {
    const seen = this.#seen.get(sha256);
    const verdict = seen ?? this.#verdict(who, bytes);
    if (verdict === undefined) return;
    const names = verdict.convicted.map((vkey) => formatVkey(vkey));
    for (const vkey of names) {
      const accusers = this.#accusers.get(vkey) ?? new Map<string, number>();
      this.#accusers.set(vkey, accusers);
      if (!accusers.has(who)) accusers.set(who, this.#trace.now);
    }
    this.#trace.event(
      who,
      `keeps ${verdict.kind} ${sha256.slice(0, 8)} against ${verdict.convicted.map(idOf).join()}`,
    );
    if (seen) return;
    this.#seen.set(sha256, verdict);
    for (const vkey of names) {
      this.convicted.add(vkey);
      if (!this.guilty.has(vkey)) this.#violate(`${who} has a file that convicts ${vkey}, who was honest`);
    }
  }

  /** Who has evidence against this key, and since when in virtual milliseconds. */
  accusers(vkey: string): ReadonlyMap<string, number> {
    return this.#accusers.get(vkey) ?? new Map<string, number>();
  }

  #verdict(who: string, bytes: Uint8Array): Verdict | undefined {
    try {
      return verifyEvidence(bytes, this.keys);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      this.#violate(`${who} keeps a file that proves nothing: ${error.message}`);
      return undefined;
    }
  }

  require(holds: boolean, what: string): void {
    if (!holds) this.#violate(what);
  }

  #violate(what: string): void {
    this.#trace.event('judge', what);
    this.violations.push(what);
  }

  get policies(): readonly Policy[] {
    return this.#plan.policies;
  }
}

/** Whether so many liars as are in both policies are too few for a client of each to be shown two histories. */
function withstands(a: Policy, b: Policy, lying: ReadonlySet<string>): boolean {
  const names = (policy: Policy): Set<string> => new Set(policy.witnesses.map(({ vkey }) => vkey.name));
  const inBoth = [...lying].filter((name) => names(a).has(name) && names(b).has(name));
  return inBoth.length < policyOverlap(a, b);
}

const idOf = ({ name, keyId }: Vkey): string => `${name}+${keyId.toString(16)}`;
