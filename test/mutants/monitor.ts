import type { Mutant } from './mutant.js';

const follows = (name: string): { test: string; name: string } => ({
  test: 'test/monitor/follower.test.ts',
  name,
});
const hooks = (name: string): { test: string; name: string } => ({
  test: 'test/monitor/webhook.test.ts',
  name,
});
const proofs = (name: string): { test: string; name: string } => ({ test: 'test/cli-proofs.test.ts', name });

/** What the monitor promises, and the commands that come upon a contradiction. */
export const monitorMutants: readonly Mutant[] = [
  {
    desc: 'evidence is on disk before the alarm is told',
    file: 'cli/monitor/follower.ts',
    find: "const path = writeFound(join(this.#options.folder, 'evidence'), made.bytes, 'evidence');",
    replace:
      "const path = 'later'; setImmediate(() => writeFound(join(this.#options.folder, 'evidence'), made.bytes, 'evidence'));",
    ...follows('a second history under'),
  },
  {
    desc: 'a conviction is told once',
    file: 'cli/monitor/follower.ts',
    find: 'if (this.#alarms.all.some((alarm) =>',
    replace: 'if (this.#alarms.all.every((alarm) =>',
    ...follows('a second history under'),
  },
  {
    desc: 'events are remembered before they are handed over',
    file: 'cli/monitor/follower.ts',
    find: "    this.#state.save();\n    if (memory.outbox.length === 0) return;\n    this.#step('saved');\n    if (!this.#options.deliver(memory.outbox)) return;",
    replace:
      "    if (memory.outbox.length === 0) return this.#state.save();\n    const told = memory.outbox;\n    memory.outbox = [];\n    this.#state.save();\n    this.#step('saved');\n    if (!this.#options.deliver(told)) return;",
    ...follows('killed at any step'),
  },
  {
    desc: 'what an earlier process found is handed over',
    file: 'cli/monitor/follower.ts',
    find: 'if (this.#memory.outbox.length > 0) this.#commit();',
    replace: 'this.#memory.outbox = [];',
    ...follows('killed at any step'),
  },
  {
    desc: 'the right edge of the largest tree is kept',
    file: 'cli/monitor/trees.ts',
    find: 'if (edge?.size !== head.size || edge.rootHash !== encodeBase64(head.rootHash)) return source;',
    replace: 'if (edge?.size !== undefined) return source;',
    ...follows('the tree that was shown first'),
  },
  {
    desc: 'heads that cannot be held against the tree yet are tried again',
    file: 'cli/monitor/reconcile.ts',
    find: 'size <= largest.size).slice(0, RETRIES)',
    replace: 'size < 0).slice(0, RETRIES)',
    test: 'test/monitor/reconcile.test.ts',
    name: 'any order of the checkpoints',
  },
  {
    desc: 'older lines replace no newer ones in what is kept',
    file: 'cli/monitor/notes.ts',
    find: 'if (before === undefined || timeOf(line) > timeOf(before))',
    replace: 'if (before === undefined || line !== before)',
    ...follows('what an address adds'),
  },
  {
    desc: 'there is one file for each text that the log signed',
    file: 'cli/monitor/state.ts',
    find: 'const name = hex(encodeUtf8(parseNote(note).text));',
    replace: 'const name = hex(note);',
    ...follows('what an address adds'),
  },
  {
    desc: 'copies of a head that cannot be judged take one place',
    file: 'cli/monitor/reconcile.ts',
    find: 'if (note === undefined) continue;',
    replace: 'if (note !== undefined) continue;',
    test: 'test/monitor/reconcile.test.ts',
    name: 'copies of one head',
  },
  {
    desc: 'a proof that a witness owes is verified before it counts',
    file: 'cli/monitor/trees.ts',
    find: 'verifyConsistency({ oldSize: size, oldRoot, newSize: head.size, newRoot: head.rootHash, proof });',
    replace: '',
    ...follows('a witness that owes the proof'),
  },
  {
    desc: 'a time ahead of the monitor counts as now',
    file: 'cli/monitor/follower.ts',
    find: 'at: Math.min(1000 * timestamp, now)',
    replace: 'at: 1000 * timestamp',
    ...follows('dates into the future'),
  },
  {
    desc: 'the tiles of what the log shows are looked at',
    file: 'cli/monitor/follower.ts',
    find: 'await tiles.edge();',
    replace: 'if (size > 0) return;',
    ...follows('tiles that are missing'),
  },
  {
    desc: "a witness's page carries its own cosignature",
    file: 'cli/monitor/follower.ts',
    find: 'if (witness !== undefined && time === undefined) throw',
    replace: 'if (witness === undefined && time !== undefined) throw',
    ...follows('notes that are not what'),
  },
  {
    desc: 'entries are relied on under a quorum only',
    file: 'cli/monitor/follower.ts',
    find: "shown?.evaluation.met === true && shown.standing.kind === 'consistent'",
    replace: "shown?.standing.kind === 'consistent'",
    ...follows('entries are relied on only'),
  },
  {
    desc: 'a new filter begins at the beginning',
    file: 'cli/monitor/entries.ts',
    find: 'const at = Math.min(newest, ...cursors);',
    replace: 'const at = Math.max(0, ...cursors);',
    ...follows('matches: every entry'),
  },
  {
    desc: 'an entry that a filter has judged is not told again',
    file: 'cli/monitor/entries.ts',
    find: '.filter(({ id }) => index >= (this.#memory.cursors.get(id) ?? 0))',
    replace: '',
    ...follows('matches: every entry'),
  },
  {
    desc: 'the bound on what waits for a webhook',
    file: 'cli/monitor/webhook.ts',
    find: 'if (this.#waiting.length >= all) {',
    replace: 'if (all < 0) {',
    ...hooks('the queue has a bound'),
  },
  {
    desc: 'an event leaves the queue only when it was taken',
    file: 'cli/monitor/webhook.ts',
    find: 'if (status >= 200 && status < 300) return undefined;',
    replace: 'if (status >= 200) return undefined;',
    ...hooks('what is called malformed'),
  },
  {
    desc: "a webhook's address stays out of what is said of failures",
    file: 'cli/monitor/webhook.ts',
    find: 'return message.replaceAll(url, origin).replaceAll(href, origin);',
    replace: "return message === '' ? origin + href : message;",
    ...hooks('what is said of a failure'),
  },
  {
    desc: 'one monitor per folder',
    file: 'cli/monitor/lock.ts',
    find: 'if (level === undefined) throw locked(folder);',
    replace: 'if (level === undefined) return () => Promise.resolve();',
    test: 'test/monitor/command.test.ts',
    name: 'one monitor per folder',
  },
  {
    desc: 'proofs of several records are held against each other',
    file: 'cli/evidence.ts',
    find: 'if (a.size !== b.size && !twoEntries) return [];',
    replace: 'if (a.size !== b.size || twoEntries) return [];',
    ...proofs('records that cannot be in one log'),
  },
  {
    desc: 'a proof is held against what the log has shown before',
    file: 'cli/evidence.ts',
    find: 'if (note !== undefined) heads.push(',
    replace: 'if (note?.length === 0) heads.push(',
    ...proofs('a record against what the log'),
  },
  {
    desc: 'a checkpoint without a quorum, in the answer to submit, is held against what was seen',
    file: 'cli/log-record.ts',
    find: "error.code !== 'quorum_not_met') throw error;",
    replace: "error.code !== '') throw error;",
    ...proofs('submit: an answer'),
  },
  {
    desc: 'the alarm of anchors gone quiet',
    file: 'cli/monitor/follower.ts',
    find: 'age >= limits.anchors ? finding : undefined',
    replace: 'age < 0 ? finding : undefined',
    ...follows('anchors gone quiet'),
  },
];
