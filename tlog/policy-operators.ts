// Who runs which witness: one operator that lies, lies with all its keys. Witnesses whose keys have the
// same key name are one operator's (its Ed25519 and its ML-DSA-44 key, say), and so are those that one
// comment line `# operator NAME WITNESS...` names. Where two such statements overlap, everything they
// connect is one operator: counting two as one understates what a policy survives, which is the safe error.
import { TlogError, quote } from './errors.js';
import type { PolicyWitness } from './policy.js';

/** A comment line `# operator NAME WITNESS...`; the witnesses may be defined before or after it. */
export interface OperatorComment {
  readonly name: string;
  readonly witnesses: readonly string[];
}

/**
 * The witnesses with their operators: the first declared name, or else the first key name, of all that
 * are connected. A comment whose words name no witness at all is prose and ignored; one that names some
 * is a declaration with a slip in it. Throws TlogError "bad_policy" for that.
 */
export function assignOperators(
  witnesses: readonly Omit<PolicyWitness, 'operator'>[],
  comments: readonly OperatorComment[],
): PolicyWitness[] {
  const keyNames = new Map(witnesses.map(({ name, vkey }) => [name, vkey.name]));
  // Declared names and key names are one namespace: whoever declares the operator `w.example` means the
  // one that signs as w.example.
  const parent = new Map<string, string>();
  const find = (label: string): string => {
    let root = label;
    for (let up = parent.get(root); up !== undefined; up = parent.get(root)) root = up;
    return root;
  };
  const declared = new Map<string, number>();
  const order = (label: string): number => declared.get(label) ?? Infinity;
  for (const { name, witnesses: named } of comments) {
    const unknown = named.filter((witness) => !keyNames.has(witness));
    if (unknown.length === named.length) continue;
    if (unknown.length > 0) {
      throw new TlogError(
        'bad_policy',
        `policy: operator ${quote(name)}: expected names of witnesses, found ${unknown.map(quote).join(', ')}`,
        'name witnesses of this policy, or word the comment so that it does not begin with "operator"',
      );
    }
    if (!declared.has(name)) declared.set(name, declared.size);
    for (const witness of named) {
      const [a, b] = [find(name), find(keyNames.get(witness) ?? name)];
      if (a === b) continue;
      if (order(a) <= order(b)) parent.set(b, a);
      else parent.set(a, b);
    }
  }
  return witnesses.map((witness) => ({ ...witness, operator: find(witness.vkey.name) }));
}
