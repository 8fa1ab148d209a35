import type { Mutant } from './mutant.js';

const transcript = (name: string): { test: string; name: string } => ({
  test: 'test/witness-transcripts.test.ts',
  name,
});
const durability = (name: string): { test: string; name: string } => ({
  test: 'test/witness-durability.test.ts',
  name,
});
const pool = (name: string): { test: string; name: string } => ({
  test: 'system/signing-pool.test.ts',
  name,
});
const reader = (name: string): { test: string; name: string } => ({
  test: 'client/log-reader.test.ts',
  name,
});
const asked = (name: string): { test: string; name: string } => ({
  test: 'client/witness-client.test.ts',
  name,
});

/** What a witness promises, and what those who ask one or read a log rely on. */
export const witnessMutants: readonly Mutant[] = [
  {
    desc: "the compare-and-swap of a witness's state",
    file: 'witness/state-store.ts',
    find: 'if (slot.state.number !== number) return { swapped: false, state: slot.state };',
    replace: '',
    ...durability('two requests stalled'),
  },
  {
    desc: 'one change of a log at a time, its signature included',
    file: 'witness/state-store.ts',
    find: 'slot.queue = run.catch(() => undefined);',
    replace: '',
    ...durability('one stalled at its signature'),
  },
  {
    desc: 'the bound on what waits for a signing thread',
    file: 'system/signing-pool.ts',
    find: 'if (queue.length >= this.#limits[kind]) {',
    replace: 'if (queue.length < 0) {',
    ...pool('what waits is bounded'),
  },
  {
    desc: 'checkpoints signed before subtrees, which anybody may ask for',
    file: 'system/signing-pool.ts',
    find: 'const job = this.#notes.shift() ?? this.#subtrees.shift();',
    replace: 'const job = this.#subtrees.shift() ?? this.#notes.shift();',
    ...pool('what waits is bounded'),
  },
  {
    desc: "the fsync of a witness's state file",
    file: 'system/durable-file.ts',
    find: 'await handle.writeFile(content);\n    await handle.sync();',
    replace: 'await handle.writeFile(content);',
    ...durability('file, then folder, are synced'),
  },
  {
    desc: "the fsync of the folder after a witness's state is renamed",
    file: 'witness/state-store.ts',
    find: 'const synced = await syncFolder(this.#folder).then(',
    replace: 'const synced = await Promise.resolve().then(',
    ...durability('file, then folder, are synced'),
  },
  {
    desc: 'a state that is durable before the answer',
    file: 'witness/state-store.ts',
    find: 'await this.#write(slot.file, formatState(next));',
    replace: 'void this.#write(slot.file, formatState(next));',
    ...durability('killed at state-writing'),
  },
  {
    desc: "the checksum of a witness's state",
    file: 'witness/state-file.ts',
    find: 'if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) {',
    replace: 'if (again.length === 0) {',
    ...durability('a flipped bit'),
  },
  {
    desc: 'the refusal to sign after a write that may not have landed',
    file: 'witness/state-store.ts',
    find: 'if (slot.failed) throw slot.failed;',
    replace: '',
    ...durability('after a write that did not end well'),
  },
  {
    desc: 'one process for a witness folder',
    file: 'witness/lock.ts',
    find: 'if (held.has(path)) throw locked(folder);',
    replace: 'if (held.has(path)) return { release: () => Promise.resolve() };',
    ...durability('two witnesses never share'),
  },
  {
    desc: "the signature check on a log's checkpoint",
    file: 'witness/witness.ts',
    find: "if (!lines) return { kind: 'untrusted', origin };",
    replace: 'if (!lines) return this.#attempt(request, []).then((o) => o ?? { kind: "contended", origin });',
    ...transcript('403'),
  },
  {
    desc: 'the consistency proof at a witness',
    file: 'witness/add-checkpoint.ts',
    find: "    return { kind: 'inconsistent', detail: error.message };",
    replace: "    return { kind: 'cosign' };",
    ...transcript('422 for another root'),
  },
  {
    desc: 'the root of the empty tree at a witness',
    file: 'witness/add-checkpoint.ts',
    find: 'if (checkpoint.size === 0 && !equalBytes(checkpoint.rootHash, emptyRoot())) {',
    replace: 'if (checkpoint.size < 0 && !equalBytes(checkpoint.rootHash, emptyRoot())) {',
    ...transcript('422 for size 0'),
  },
  {
    desc: "the bound on a witness's proof lines",
    file: 'witness/add-checkpoint.ts',
    find: 'if (proofLines.length > MAX_PROOF_LINES) {',
    replace: 'if (proofLines.length > 1000) {',
    ...transcript('400 for what is not a request'),
  },
  {
    desc: "the bound on a witness's request",
    file: 'witness/http.ts',
    find: "if (Number(incoming.headers['content-length'] ?? 0) > limit) return undefined;",
    replace: 'limit = Infinity;',
    ...transcript('128 KiB'),
  },
  {
    desc: 'the refusal to sign a time before the last one signed',
    file: 'witness/witness.ts',
    find: 'if (timestamp < before.timestamp) throw new ClockBehind(before.timestamp - timestamp);',
    replace: '',
    ...transcript('503 while the clock is behind'),
  },
  {
    desc: 'the refusal to sign after the clock leapt ahead',
    file: 'witness/witness.ts',
    find: 'if (this.#clock.check()) throw new ClockLeapt();',
    replace: '',
    ...durability('a clock that leaps ahead'),
  },
  {
    desc: 'the mark of a leap of the clock that outlives a restart',
    file: 'witness/clock-guard.ts',
    find: 'return new ClockGuard(clock, file, await readLeap(file));',
    replace: 'return new ClockGuard(clock, file, await Promise.resolve(undefined));',
    ...durability('a clock that leaps ahead'),
  },
  {
    desc: 'the check of a tile against the one above it',
    file: 'client/verified-tiles.ts',
    find: 'if (!equalBytes(found, expected)) {',
    replace: 'if (found.length !== expected.length) {',
    ...reader('any altered byte'),
  },
  {
    desc: "the check of the right edge against the checkpoint's root",
    file: 'client/verified-tiles.ts',
    find: 'if (!equalBytes(found, this.root)) {',
    replace: 'if (found.length !== this.root.length) {',
    ...reader('any altered byte'),
  },
  {
    desc: 'the comparison with the checkpoint seen last',
    file: 'client/log-reader.ts',
    find: 'if (equalBytes(found, smaller.rootHash)) return;',
    replace: 'if (found.length === smaller.rootHash.length) return;',
    ...reader('another history is proven'),
  },
  {
    desc: "the policy's quorum when a log is read",
    file: 'client/log-reader.ts',
    find: 'if (!evaluation.met) {',
    replace: 'if (evaluation.cosignatures.length < 0) {',
    ...reader('a checkpoint is not believed'),
  },
  {
    desc: 'the time in a cosignature that a witness returns',
    file: 'client/witness-client.ts',
    find: 'if (timestamp === undefined || timestamp === 0) {',
    replace: 'if (timestamp === undefined) {',
    ...asked('answers that make no sense'),
  },
  {
    desc: 'the refusal to follow a redirect',
    file: 'client/http.ts',
    find: "redirect: 'manual',",
    replace: "redirect: 'follow',",
    test: 'test/client-http.test.ts',
    name: 'a redirect is said',
  },
  {
    desc: 'one origin for one reader',
    file: 'client/log-reader.ts',
    find: 'if (this.#origin !== undefined && origin !== this.#origin) {',
    replace: "if (origin === '') {",
    ...reader('a source that turns into another log'),
  },
  {
    desc: 'the bound on answers read over HTTP',
    file: 'client/http.ts',
    find: 'if (!body.add(value)) {',
    replace: 'if (!body.add(value) && maxBody < 0) {',
    ...asked('answers that make no sense'),
  },
  {
    desc: 'the time limit on answers read over HTTP',
    file: 'client/http.ts',
    find: 'return await Promise.race([send(url, options, stop.signal), late, aborted]);',
    replace: 'return await send(url, options, stop.signal);',
    ...asked('a witness that hangs'),
  },
  {
    desc: 'the bound on requests sent ahead to a witness',
    file: 'witness/index.ts',
    find: 'inTurn((incoming, outgoing) => void listener(incoming, outgoing)),',
    replace: '(incoming, outgoing) => void listener(incoming, outgoing),',
    ...transcript('requests sent ahead'),
  },
  {
    desc: 'a body that is kept as bytes, not as the pieces it came in',
    file: 'witness/http.ts',
    find: 'for await (const chunk of body) if (!collected.add(chunk)) return undefined;',
    replace:
      'const kept: Uint8Array[] = []; for await (const chunk of body) { kept.push(chunk); if (!collected.add(chunk)) return undefined; }',
    ...transcript('chunks of one byte'),
  },
  {
    desc: "a full disk that is not taken for another witness at a witness's lock",
    file: 'witness/lock.ts',
    find: "if (kind === 'held') throw locked(folder);",
    replace: "if (kind !== 'damaged') throw locked(folder);",
    ...durability('the disk has no room for'),
  },
];
