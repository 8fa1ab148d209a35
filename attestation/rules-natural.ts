// Natural keys: of two different statements on one thing by one participant, the first has effect unless
// the second says that it supersedes it. Both are logged. spec/attestations.md "Natural keys".
import type { Candidate } from './candidate.js';
import { KEYS } from './ledger.js';
import type { EntryRef } from './ledger.js';

/**
 * Does the candidate take effect under its natural key: type, participant and these fields? "first" or
 * "again" where it does, and is recorded there; undefined, and a finding, where it is a second one.
 */
export async function effective(
  candidate: Pick<Candidate, 'view' | 'index' | 'id' | 'statement'>,
  fields: readonly (string | number)[],
): Promise<'first' | 'again' | undefined> {
  const { view, index, id, statement } = candidate;
  const { participant, supersedes } = statement.predicate;
  const type = statement.predicateType.split('/').at(-2) ?? '';
  const key = KEYS.natural(type, participant, ...fields);
  const first = await view.get<EntryRef>(key);
  if (first !== undefined && supersedes !== first.statement) {
    view.find('second-statement', first.index);
    return undefined;
  }
  if (first === undefined && supersedes !== undefined) view.find('supersedes-nothing');
  const mine: EntryRef = { index, statement: id };
  view.put(key, mine);
  return first === undefined ? 'first' : 'again';
}
