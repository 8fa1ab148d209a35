import type { Mutant } from './mutant.js';

const engine = (name: string): { test: string; name: string } => ({
  test: 'test/gossip/engine.test.ts',
  name,
});
const driver = (name: string): { test: string; name: string } => ({
  test: 'test/gossip/driver.test.ts',
  name,
});
const doors = (name: string): { test: string; name: string } => ({ test: 'test/gossip/doors.test.ts', name });

/** What gossip promises: whom it convicts, whom it never does, and what strangers and liars can cost. */
export const gossipMutants: readonly Mutant[] = [
  {
    desc: 'a convicted key is an untrusted key',
    file: 'witness/witness.ts',
    find: 'const keys = log.keys.filter((vkey) => !convicted?.has(formatVkey(vkey)));',
    replace: 'const keys = log.keys;',
    test: 'test/witness-transcripts.test.ts',
    name: '422 for another root at the same size',
  },
  {
    desc: 'a proof that does not hold shows nothing',
    file: 'witness/gossip/prover.ts',
    find: 'if (error instanceof SteleError) continue;',
    replace: '',
    ...engine('a peer that pays with lies'),
  },
  {
    desc: 'one file of evidence for each set of keys and origin',
    file: 'witness/gossip/shelf.ts',
    find: "if (known) return { kind: 'known', kept: known };",
    replace: '',
    ...engine('a liar makes endless valid files'),
  },
  {
    desc: 'one file of evidence for all origins that nobody watches',
    file: 'witness/gossip/shelf.ts',
    find: "watched ? origin : ''",
    replace: 'watched ? origin : origin',
    ...engine('a witness that lies about endless logs'),
  },
  {
    desc: 'a tree in other words keeps no signature out',
    file: 'witness/gossip/reports.ts',
    find: 'return [...head.lines.keys()].every((key) => known.has(key)) ? tree[0] : undefined;',
    replace: 'return known.size > 0 ? tree[0] : undefined;',
    ...engine('whoever shows the same tree'),
  },
  {
    desc: 'a report that lost its place is not looked into',
    file: 'witness/gossip/relate.ts',
    find: 'if (report.dropped) return',
    replace: 'if (report.round === -2) return',
    ...engine('of a flood only what has kept its place'),
  },
  {
    desc: 'the bound on reports that are open',
    file: 'witness/gossip/reports.ts',
    find: 'if (mine.length < (owner === undefined ? OTHERS : PER_PEER)) return;',
    replace: 'if (mine.length >= 0) return;',
    ...engine('alarms that flood'),
  },
  {
    desc: 'the tiles kept of our own history, when one is to be compared',
    file: 'witness/gossip/prover.ts',
    find: 'if (kept) yield kept;',
    replace: '',
    ...engine('by tiles kept'),
  },
  {
    desc: 'the bound on tiles kept',
    file: 'witness/gossip/tiles.ts',
    find: 'old.push(...tiles.slice(KEPT_PER_LEVEL).map(({ path }) => path));',
    replace: '',
    ...engine('tiles kept are bounded'),
  },
  {
    desc: 'what we cosigned counts more than what somebody showed first',
    file: 'witness/gossip/engine.ts',
    find: '      w.base = own;\n      const added',
    replace: '      const added',
    ...engine('what came first'),
  },
  {
    desc: 'the signature check on what others show',
    file: 'witness/gossip/head.ts',
    find: 'if (error instanceof SteleError) return undefined;',
    replace: 'if (error instanceof SteleError) return { vkey, line: signature.line, timestamp: 0 };',
    ...engine('notes by nobody we know'),
  },
  {
    desc: 'a report that is repeated costs nothing until the next round',
    file: 'witness/gossip/engine.ts',
    find: "if (!news && !report.busy) return done({ kind: 'open', detail: report.detail });",
    replace: '',
    ...engine('whoever repeats himself'),
  },
  {
    desc: 'the conviction of a witness that cosigned both histories',
    file: 'witness/gossip/relate.ts',
    find: "if (relation.kind !== 'contradiction') continue;",
    replace: 'continue;',
    ...engine('a witness that cosigned both histories'),
  },
  {
    desc: 'a checkpoint that was not cosigned is held against our history',
    file: 'witness/witness.ts',
    find: 'this.#gossip?.notCosigned(',
    replace: 'void (',
    test: 'test/witness-transcripts.test.ts',
    name: '422 for another root at the same size',
  },
  {
    desc: 'the rate of strangers at the doors of gossip',
    file: 'witness/gossip/doors.ts',
    find: 'if (!rate.allows(address)) {',
    replace: "if (address === 'nobody') {",
    ...doors('what strangers may cost'),
  },
  {
    desc: 'a damaged memory of gossip is set aside',
    file: 'witness/gossip/file-store.ts',
    find: 'if (bytes && isWhole(bytes)) return bytes;',
    replace: 'if (bytes) return bytes;',
    ...doors('a damaged memory'),
  },
  {
    desc: 'the news that a witness pushes to its peers',
    file: 'witness/gossip/outbox.ts',
    find: 'await this.#network.push(this.peer, noteOf(head));',
    replace: '',
    ...engine('news goes to peers'),
  },
  {
    desc: 'peers are asked a little at random',
    file: 'witness/gossip/driver.ts',
    find: 'wait * (0.75 + this.#random() / 2)',
    replace: 'wait',
    ...driver('peers are asked at intervals'),
  },
  {
    desc: 'a peer that fails is asked less and less often',
    file: 'witness/gossip/driver.ts',
    find: '2 ** Math.min(failures, MOST_DOUBLINGS)',
    replace: '2 ** 0',
    ...driver('peers are asked at intervals'),
  },
  {
    desc: 'a witness says how far behind it is',
    file: 'witness/gossip/status.ts',
    find: 'lag: Math.max(0, largestKnown - (own?.size ?? 0)),',
    replace: 'lag: 0,',
    test: 'test/witness-status.test.ts',
    name: 'a witness that lags behind its peers',
  },
];
