import type { Mutant } from './mutant.js';

const by =
  (file: string) =>
  (name: string): { test: string; name: string } => ({ test: `test/storage/${file}.test.ts`, name });
const drivers = by('drivers');
const crash = by('crash');
const damage = by('damage');
const level = by('level');
const model = by('model');
const processes = by('process');
const kernel = by('syscalls');

/** What storage promises: durable in its order, found when damaged, one writer. */
export const storageMutants: readonly Mutant[] = [
  {
    desc: 'sync: true of a commit',
    file: 'log-server/storage/level-state.ts',
    find: 'await batch.write({ sync: true });',
    replace: 'await batch.write({ sync: false });',
    ...kernel('syncs everything'),
  },
  {
    desc: 'sync: true of the mark beside the key',
    file: 'log-server/lock.ts',
    find: 'value: formatMark(next) }], { sync: true });',
    replace: 'value: formatMark(next) }]);',
    ...kernel('syncs everything'),
  },
  {
    desc: 'the sync of a file that is written',
    file: 'log-server/storage/disk.ts',
    find: 'await file.writeFile(bytes);\n      await file.datasync();',
    replace: 'await file.writeFile(bytes);',
    ...kernel('syncs everything'),
  },
  {
    desc: 'the sync of what is appended to the tail',
    file: 'log-server/storage/disk.ts',
    find: 'offset + done)).bytesWritten;\n      }\n      await file.datasync();',
    replace: 'offset + done)).bytesWritten;\n      }',
    ...kernel('syncs everything'),
  },
  {
    desc: 'the sync of a folder',
    file: 'log-server/storage/disk.ts',
    find: 'async syncFolder(path: string): Promise<void> {\n    await this.sync(path);',
    replace: 'async syncFolder(path: string): Promise<void> {\n    await Promise.resolve(path);',
    ...kernel('syncs everything'),
  },
  {
    desc: 'the sync of the folders of tiles',
    file: 'log-server/storage/file-tiles.ts',
    find: 'await allDone(folders.map((folder) => this.#disk.syncFolder(folder)));',
    replace: '',
    ...crash('power is lost before each'),
  },
  {
    desc: 'the sync of the folder of notes and tail',
    file: 'log-server/storage/atomic-file.ts',
    find: 'await disk.syncFolder(dirname(path));',
    replace: 'dirname(path);',
    ...crash('power is lost before each'),
  },
  {
    desc: 'the temporary name under which tiles are written',
    file: 'log-server/storage/file-tiles.ts',
    find: 'await this.#disk.write(`${file}.tmp`, bytes);',
    replace: 'await this.#disk.write(file, bytes); await this.#disk.write(`${file}.tmp`, bytes);',
    ...crash('power is lost in the middle'),
  },
  {
    desc: 'the comparison with a tile that exists',
    file: 'log-server/storage/file-tiles.ts',
    find: '} else if (equalBytes(existing, bytes)) {',
    replace: '} else if (equalBytes(existing, existing)) {',
    ...drivers('takes the same bytes twice'),
  },
  {
    desc: 'the compare-and-swap on the size',
    file: 'log-server/storage/rules.ts',
    find: 'if (change.oldSize !== head.size) {',
    replace: 'if (change.oldSize < 0) {',
    ...drivers('compares and swaps'),
  },
  {
    desc: 'the look for an identity that is there already',
    file: 'log-server/storage/level-state.ts',
    find: 'if (known[i] !== undefined || batchIds.has(name)) throw repeatedId(index);',
    replace: '',
    ...drivers('refuses an identity'),
  },
  {
    desc: 'that a value which is kept ends with the commit that changes it',
    file: 'log-server/storage/level-state.ts',
    find: 'this.#values.forget(change.ledger.keys());',
    replace: '',
    ...drivers('however often it was asked before'),
  },
  {
    desc: 'the bound of values that are kept',
    file: 'log-server/storage/value-cache.ts',
    find: 'this.#values.size >= this.#limit && ',
    replace: 'this.#limit < 0 && ',
    test: 'log-server/storage/value-cache.test.ts',
    name: 'where one more is too many',
  },
  {
    desc: 'the checksum of a value',
    file: 'log-server/storage/records.ts',
    find: 'if (!equalBytes(digest.subarray(0, CHECKSUM_SIZE), value.subarray(payload.length))) {',
    replace: 'if (digest.length === 0) {',
    ...level('a wrong value'),
  },
  {
    desc: 'the chain of commits',
    file: 'log-server/storage/level-state.ts',
    find: 'await checkChain(db, head);',
    replace: '',
    ...level('one wrong bit in the write-ahead log'),
  },
  {
    desc: 'the sums that find a key that is gone',
    file: 'log-server/storage/level-state.ts',
    find: 'if (expected.equals(found)) return;',
    replace: 'if (expected.equals(expected)) return;',
    ...level('a wrong value'),
  },
  {
    desc: 'createIfMissing: false',
    file: 'log-server/storage/database.ts',
    find: 'createIfMissing: create,',
    replace: '',
    ...level('a missing state'),
  },
  {
    desc: 'the registry of open folders',
    file: 'log-server/storage/database.ts',
    find: 'if (open.has(name)) throw inUse(folder);',
    replace: '',
    ...processes('two folders that share a key'),
  },
  {
    desc: 'the mark of the last signed head',
    file: 'log-server/storage/log-storage.ts',
    find: 'if (mark?.size !== size) await this.#parts.lock.writeMark({ size, rootHash });',
    replace: 'if (mark === rootHash) return;',
    ...processes('two folders that share a key'),
  },
  {
    desc: 'the order of sealing: entries leave the state before their bundle is synced',
    file: 'log-server/storage/log-storage.ts',
    find: 'sealedTo: this.#sealedTo,\n        signedSize',
    replace: 'sealedTo: Math.floor(batch.oldSize / TILE_WIDTH) * TILE_WIDTH,\n        signedSize',
    ...model('random lives in memory'),
  },
  {
    desc: 'nothing is signed before it is readable',
    file: 'log-server/storage/log-storage.ts',
    find: "await this.#checkNote(note, 'signed', this.#signedSize, this.#readable);",
    replace: "await this.#checkNote(note, 'signed', this.#signedSize, this.size);",
    ...model('refuses to sign'),
  },
  {
    desc: 'nothing is signed that is not this tree',
    file: 'log-server/storage/note-check.ts',
    find: 'if (!equalBytes(rootHash, expected)) {',
    replace: 'if (expected.length === 0) {',
    ...model('refuses to sign'),
  },
  {
    desc: 'the signed size never falls',
    file: 'log-server/storage/note-check.ts',
    find: 'if (size < claim.least || size > claim.most) {',
    replace: 'if (size > claim.most) {',
    ...model('refuses to sign'),
  },
  {
    desc: 'stopping after an unknown outcome',
    file: 'log-server/storage/turns.ts',
    find: 'if (!clean) this.#failed ??= failure(error);',
    replace: '',
    ...crash('one operation fails before'),
  },
  {
    desc: 'entries appended to the tail, not written again with all before them',
    file: 'log-server/storage/log-storage.ts',
    find: 'if (full.length > 0 || tail.end === undefined) await',
    replace: 'if (full.length >= 0 || tail.end === undefined) await',
    test: 'log-server/lone-add.test.ts',
    name: 'a lone add writes kilobytes',
  },
  {
    desc: 'the reserve of free space',
    file: 'log-server/storage/log-storage.ts',
    find: 'await this.#checkSpace();',
    replace: '',
    ...model('a disk that runs full'),
  },
  {
    desc: 'the tail reaches the signed size',
    file: 'log-server/storage/start-check.ts',
    find: 'if (end < signedSize) {',
    replace: 'if (end < 0) {',
    ...damage('the tail is cut'),
  },
  {
    desc: 'the last published note is there',
    file: 'log-server/storage/start-check.ts',
    find: 'if (!published && head.publishedSize > 0) {',
    replace: 'if (!published && head.publishedSize < 0) {',
    ...damage('the published note is gone'),
  },
  {
    desc: 'the signed note is not behind what the state and the key remember',
    file: 'log-server/storage/start-check.ts',
    find: 'if (note && note.checkpoint.size < size) {',
    replace: 'if (note && note.checkpoint.size < 0) {',
    ...damage('both notes are older copies'),
  },
  {
    desc: 'recover: every head under the key is of the one tree',
    file: 'log-server/offline/recover.ts',
    find: 'if (!equalBytes(hashes.rootAt(other.size), other.rootHash)) throw forked(head, other);',
    replace: '',
    ...damage('two histories under one key'),
  },
];
