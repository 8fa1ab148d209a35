import type { Mutant } from './mutant.js';

const pipeline = (name: string): { test: string; name: string } => ({
  test: 'log-server/pipeline.test.ts',
  name,
});
const publisher = (name: string): { test: string; name: string } => ({
  test: 'log-server/publisher.test.ts',
  name,
});
const witnesses = (name: string): { test: string; name: string } => ({
  test: 'log-server/cosigning/witnesses.test.ts',
  name,
});
const gate = (name: string): { test: string; name: string } => ({
  test: 'log-server/cosigning/gate.test.ts',
  name,
});
const http = (name: string): { test: string; name: string } => ({ test: 'log-server/http.test.ts', name });
const start = (name: string): { test: string; name: string } => ({ test: 'log-server/start.test.ts', name });

/** What a log promises of its pipeline, its gate and its doors. */
export const logServerMutants: readonly Mutant[] = [
  {
    desc: 'the signed note in its file before a witness sees it',
    file: 'log-server/publisher.ts',
    find: "await this.#write('signed', () => storage.writeSigned(note));",
    replace: 'setTimeout(() => void storage.writeSigned(note), 50);',
    ...pipeline('in this order'),
  },
  {
    desc: 'the quorum before publishing',
    file: 'log-server/publisher.ts',
    find: 'return quorumMet(this.#o.policy, collection.witnesses);',
    replace: 'return quorumMet(this.#o.policy, collection.witnesses) || collection.witnesses.size >= 2;',
    ...publisher('whichever collection ends last'),
  },
  {
    desc: 'a published size that never falls',
    file: 'log-server/publisher.ts',
    find: 'if (this.#published !== undefined && collection.head.size < this.#published.size) return;',
    replace: '',
    ...publisher('a smaller head that has its quorum after'),
  },
  {
    desc: 'the merging of late cosignatures',
    file: 'log-server/publisher.ts',
    find: 'else this.#publish(collection).catch((error: unknown) => this.#failed(error));',
    replace: '',
    ...publisher('a late cosignature'),
  },
  {
    desc: 'the stop after an unknown outcome',
    file: 'log-server/sequencer.ts',
    find: "if (code === 'storage_failed') {",
    replace: "if (code === 'storage_failed' || code === 'outcome_unknown') {",
    ...pipeline('an unknown outcome stops'),
  },
  {
    desc: 'the bound on the backlog',
    file: 'log-server/sequencer.ts',
    find: 'if (unpublished >= limits.backlog) {',
    replace: 'if (unpublished >= limits.backlog + 1) {',
    ...pipeline('above the backlog'),
  },
  {
    desc: 'the bound on the queue',
    file: 'log-server/sequencer.ts',
    find: 'if (this.#queue.length >= queueEntries ||',
    replace: 'if (this.#queue.length >= 1000 * queueEntries ||',
    ...pipeline('a full queue'),
  },
  {
    desc: 'the look-up of a payload in its own batch',
    file: 'log-server/sequencer.ts',
    find: 'return batch.get(encodeHex(prepared.id)) ?? (await this.#o.storage.lookup(prepared.id));',
    replace: 'return this.#o.storage.lookup(prepared.id);',
    ...pipeline('one payload twice in a batch'),
  },
  {
    desc: 'the check of a signature before the payload is looked up',
    file: 'log-server/admission-charter.ts',
    find: 'if (key !== undefined && !verifyEnvelopeSignature(parsed.envelope, key)) {',
    replace: 'if (key === undefined && !verifyEnvelopeSignature(parsed.envelope, new Uint8Array(32))) {',
    ...start('sent again after a 503'),
  },
  {
    desc: 'the gate',
    file: 'log-server/cosigning/gate.ts',
    find: 'return { open, awaited: open ? [] : silent };',
    replace: 'return { open: true, awaited: [] };',
    ...gate('two silent: closed'),
  },
  {
    desc: 'f, at the gate',
    file: 'log-server/cosigning/gate.ts',
    find: 'policyFaults(policy));',
    replace: '0);',
    ...gate('two silent: closed'),
  },
  {
    desc: 'the policy last published with, at the gate',
    file: 'log-server/cosigning/witnesses.ts',
    find: 'return this.#o.lastPolicy === undefined ? [this.#o.policy] : [this.#o.policy, this.#o.lastPolicy];',
    replace: 'return [this.#o.policy];',
    ...gate('the last published policy'),
  },
  {
    desc: 'the date of a cosignature, at the gate',
    file: 'log-server/cosigning/verdict.ts',
    find: 'if (asked.gate && stale !== undefined) {',
    replace: 'if (asked.gate && stale === null) {',
    ...gate('more than 5 minutes back'),
  },
  {
    desc: 'the refusal of a witness that has seen more than was signed',
    file: 'log-server/cosigning/verdict.ts',
    find: "if (size > asked.lastSigned) return { kind: 'behind_witness', size };",
    replace: "if (size > asked.lastSigned) return { kind: 'silent', why: 'ahead' };",
    ...gate('409 above the last signed size'),
  },
  {
    desc: 'the refusal of a witness that holds another history',
    file: 'log-server/cosigning/verdict.ts',
    find: "if (size === undefined) return { kind: 'forked', how: '409 without a size' };",
    replace: "if (size === undefined) return { kind: 'silent', why: 'no size' };",
    ...gate('409 without a size'),
  },
  {
    desc: 'the alarm about a witness that went back',
    file: 'log-server/cosigning/verdict.ts',
    find: 'if (asked.remembered !== undefined && size < asked.remembered)',
    replace: 'if (asked.remembered !== undefined && size < 0)',
    ...gate('409 below what is remembered'),
  },
  {
    desc: 'the count of liars at run time',
    file: 'log-server/cosigning/witnesses.ts',
    find: 'if (this.#contradicting.size > faults) {',
    replace: 'if (this.#contradicting.size > faults + 1) {',
    ...witnesses('one liar is set aside'),
  },
  {
    desc: 'the one liar that must not stop a log',
    file: 'log-server/cosigning/witnesses.ts',
    find: 'const faults = Math.max(0, policyFaults(policy));',
    replace: 'const faults = 0;',
    ...witnesses('one liar is set aside'),
  },
  {
    desc: 'the bound on a body that does not say its length',
    file: 'log-server/http/body.ts',
    find: 'new ByteCollector(limit)',
    replace: 'new ByteCollector(1000 * limit)',
    ...http('too large a body'),
  },
  {
    desc: 'the time limits on headers and bodies',
    file: 'log-server/http/listen.ts',
    find: 'connectionsCheckingInterval:',
    replace: 'insecureHTTPParser: false, keepAliveTimeoutBuffer:',
    ...http('headers and bodies that drip'),
  },
  {
    desc: 'the mode of a key file',
    file: 'system/key-file.ts',
    find: '(mode & 0o077) !== 0',
    replace: '(mode & 0o007) !== 0',
    ...start('refusals at start'),
  },
  {
    desc: "the charter's policy in force",
    file: 'log-server/index.ts',
    find: 'if (!equalBytes(configured, encodeUtf8(terms.policy))) {',
    replace: 'if (configured.length === 0) {',
    ...start('refusals at start'),
  },
  {
    desc: 'the interval of anchors',
    file: 'log-server/charter-companion.ts',
    find: 'clock.monotonic() >= this.#due;',
    replace: 'clock.monotonic() >= 0;',
    ...start('a log with a charter'),
  },
  {
    desc: 'what a contradicting witness shows is held against all that was signed by then',
    file: 'log-server/cosigning/contradiction.ts',
    find: 'const { checkpoint } = openCheckpoint(await held.checkpoint(), logKeys);',
    replace:
      'const early = query.lastSigned(); const { checkpoint } = openCheckpoint(await held.checkpoint(), logKeys); if (checkpoint.size > early) return "more";',
    ...witnesses('shows what this log has signed meanwhile'),
  },
  {
    desc: 'entries sent again cost their signer nothing',
    file: 'log-server/admission-charter.ts',
    find: 'if (verified && known === undefined)',
    replace: 'if (verified)',
    ...start('sends the entries of others again'),
  },
  {
    desc: 'one answer at a time on a connection',
    file: 'system/turns.ts',
    find: 'ahead.push(start);',
    replace: 'start();',
    ...http('one answer in the making'),
  },
  {
    desc: 'the end of a connection on which nothing moves',
    file: 'log-server/http/listen.ts',
    find: 'server.timeout = limits.stallTimeoutMs;',
    replace: '',
    ...http('nothing moves'),
  },
  {
    desc: 'the wait for submissions that are being checked when a drain begins',
    file: 'log-server/sequencer.ts',
    find: 'this.#draining && this.#preparing === 0',
    replace: 'this.#draining',
    ...pipeline('being checked while the server drains'),
  },
  {
    desc: 'not ready while notes cannot be written',
    file: 'log-server/publisher.ts',
    find: "if (codeOf(error) === 'storage_failed') this.#unwritten.set(",
    replace: "if (codeOf(error) === '') this.#unwritten.set(",
    ...publisher('while notes cannot be written'),
  },
  {
    desc: 'another attempt at a late cosignature that could not be written',
    file: 'log-server/publisher.ts',
    find: '|| !merged;',
    replace: '|| (merged && false);',
    ...publisher('a late cosignature that could not be written'),
  },
  {
    desc: 'replays answered before the queue',
    file: 'log-server/sequencer.ts',
    find: 'if (known !== undefined) return known;\n    if (this.stopped',
    replace: 'if (this.stopped',
    ...pipeline('past a queue that is full'),
  },
  {
    desc: 'a replay answered with the leaf as logged',
    file: 'log-server/sequencer.ts',
    find: 'const known = this.#publishedReceipt(prepared.known);\n    if (known !== undefined) return known;',
    replace:
      'const known = this.#publishedReceipt(prepared.known);\n    if (known !== undefined) return { ...(await known), entry: prepared.entry };',
    ...pipeline('past a queue that is full'),
  },
  {
    desc: "a full disk that is not taken for another process at the log's lock",
    file: 'log-server/lock.ts',
    find: "error.code === 'state_damaged';",
    replace: "error.code === 'storage_failed';",
    ...start('a lock beside the key'),
  },
  {
    desc: 'the budget of bundles on their way to slow readers',
    file: 'log-server/http/budget.ts',
    find: 'this.#held += bytes;',
    replace: '',
    ...http('hold no more bundles than the budget'),
  },
];
