import { couldFormQuorumWithFaults, policyFaults } from '../../tlog/index.js';
import type { Policy } from '../../tlog/index.js';

/** Where a witness of a policy stands, as far as the gate is concerned. */
export type Standing = 'in-step' | 'silent' | 'left-out';

/** What the gate says. `awaited` are the policy's names of the silent witnesses while it is closed. */
export interface GateDecision {
  readonly open: boolean;
  readonly awaited: readonly string[];
}

/**
 * The gate at start. Open when the silent witnesses, plus f of those in step, could not form a quorum
 * of the policy: then no quorum can have seen a history other than the one that the rest has just
 * confirmed, even if f of those lie. f below 0 counts as 0; with `quorum none` there is no gate.
 *
 * A witness that a human left out is neither silent nor in step: he answers for it.
 *
 * @param standing where each witness stands, by its name in this policy
 */
export function decideGate(policy: Policy, standing: (name: string) => Standing): GateDecision {
  if (policy.quorum === undefined) return { open: true, awaited: [] };
  const names = policy.witnesses.map((witness) => witness.name);
  const silent = names.filter((name) => standing(name) === 'silent');
  const inStep = names.filter((name) => standing(name) === 'in-step');
  const open = !couldFormQuorumWithFaults(policy, new Set(silent), new Set(inStep), policyFaults(policy));
  return { open, awaited: open ? [] : silent };
}
