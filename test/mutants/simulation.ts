import type { Mutant } from './mutant.js';

const seed = (name: string): { test: string; name: string } => ({
  test: 'test/simulation/seeds.test.ts',
  name,
});

/** What keeps the network of witnesses honest, each judged by one seed of the simulation. */
export const simulationMutants: readonly Mutant[] = [
  {
    desc: 'the state that a decision was made on, in the compare-and-swap that follows it',
    file: 'witness/witness.ts',
    find: 'this.#store.advance(origin, before.number,',
    replace: 'this.#store.advance(origin, this.#store.get(origin)?.number ?? 0,',
    ...seed('seed 10, within'),
  },
  {
    desc: 'the consistency proof, in a network that a log lies to',
    file: 'witness/add-checkpoint.ts',
    find: "    return { kind: 'inconsistent', detail: error.message };",
    replace: "    return { kind: 'cosign' };",
    ...seed('seed 9, within'),
  },
  {
    desc: 'the refusal to sign an earlier time, among clocks that step',
    file: 'witness/witness.ts',
    find: 'if (timestamp < before.timestamp) throw new ClockBehind(before.timestamp - timestamp);',
    replace: '',
    ...seed('seed 8, honest'),
  },
  {
    desc: 'the proof in a file of evidence, among liars that make such files up',
    file: 'evidence/verify.ts',
    find: '  holds(() => verifyConsistency({ oldSize: a.size, oldRoot, newSize: b.size, newRoot: b.rootHash, proof }));',
    replace: '',
    ...seed('seed 0, honest'),
  },
  {
    desc: 'the comparison of what gossip is shown with what is known',
    file: 'witness/gossip/prover.ts',
    find: "if (equalBytes(shown.oldRoot, small.rootHash)) return { kind: 'consistent' };",
    replace: "if (shown.proof.length >= 0) return { kind: 'consistent' };",
    ...seed('seed 4, beyond'),
  },
  {
    desc: 'the tiles that a witness keeps of what it cosigned',
    file: 'witness/gossip/keeper.ts',
    find: 'await w.tiles.keep(remote, head, trees);',
    replace: '',
    ...seed('seed 6, beyond'),
  },
  {
    desc: 'the refusal of a key that is convicted',
    file: 'witness/witness.ts',
    find: 'const keys = log.keys.filter((vkey) => !convicted?.has(formatVkey(vkey)));',
    replace: 'const keys = log.keys;',
    ...seed('seed 1, beyond'),
  },
  {
    desc: 'what one client told, held against what another does',
    file: 'witness/gossip/relate.ts',
    find: '    w.base = head;\n    this.confirm(w, head);\n    void',
    replace: '    this.confirm(w, head);\n    void',
    ...seed('seed 0, beyond'),
  },
];
