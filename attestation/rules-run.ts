// Admission of statements about runs. Nothing about a run is refused once its statement is well formed
// and its lab's: what does not fit becomes a finding. spec/attestations.md "The ledger".
import type { Candidate } from './candidate.js';
import type { RunFinal, RunIntent, RunProgress } from './generated/types.js';
import { KEYS } from './ledger.js';
import type { RunRecord } from './ledger.js';
import { effective } from './rules-natural.js';

/** Rule 16: run-intent, run-progress and run-final. */
export async function admitRun(candidate: Candidate<RunIntent | RunProgress | RunFinal>): Promise<void> {
  const { view, index, id, statement } = candidate;
  const { participant, run } = statement.predicate;
  const specification = statement.subject[0]?.digest.sha256 ?? '';
  const fields =
    statement.predicateType === 'https://stele-log/run-progress/v1'
      ? [run, statement.predicate.window]
      : [run];
  const effect = await effective(candidate, fields);
  if (effect === undefined) return;
  const key = KEYS.run(participant, run);
  const before = await view.get<RunRecord>(key);
  if (before !== undefined && before.specification !== specification)
    view.find('specification-changed', before.last.index);
  const mine = { index, statement: id };
  // In the order of canonical JSON, which is then written at once.
  const after: RunRecord = {
    final: before?.final ?? null,
    intent: before?.intent ?? null,
    last: mine,
    specification: before?.specification ?? specification,
    windows: before?.windows ?? 0,
  };
  switch (statement.predicateType) {
    case 'https://stele-log/run-intent/v1':
      if (before !== undefined && before.intent === null) view.find('intent-late', before.last.index);
      view.put(key, { ...after, intent: mine });
      return;
    case 'https://stele-log/run-progress/v1':
      checkChain(candidate, statement, before, effect);
      view.put(key, { ...after, windows: after.windows + (effect === 'first' ? 1 : 0) });
      return;
    case 'https://stele-log/run-final/v1':
      checkChain(candidate, statement, before, effect);
      view.put(key, { ...after, final: mine });
  }
}

function checkChain(
  { view }: Candidate<unknown>,
  { predicate }: RunProgress | RunFinal,
  before: RunRecord | undefined,
  effect: 'first' | 'again',
): void {
  // A `supersedes` that corrects nothing does not make a late statement a correction.
  if (before?.final && effect === 'first') view.find('statement-after-final', before.final.index);
  if (!before?.intent && !predicate.retrospective)
    view.find('intent-missing', ...(before === undefined ? [] : [before.last.index]));
  // A correction takes its place in the chain after whatever was said meanwhile.
  if (predicate.previous !== before?.last.statement)
    view.find('chain-broken', ...(before === undefined ? [] : [before.last.index]));
}
