import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskModel } from './disk-model.js';
import { type Call, parseTrace, tcpPorts } from './strace.js';

/** Runs a trace through a model of `/d`, each call beginning and ending where it stands. */
function modelOf(lines: readonly string[]): DiskModel {
  const model = new DiskModel('/d');
  const calls = parseTrace(lines.map((line) => `7 ${line}`).join('\n'));
  for (let at = 0; at <= lines.length; at++) {
    for (const call of calls) if (call.start === at) model.begin(call);
    for (const call of calls) if (call.end === at) model.end(call);
  }
  return model;
}

const OPEN = 'openat(AT_FDCWD</>, "/d/a", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 3</d/a>';
const WRITE = 'write(3</d/a>, "one\\n", 4) = 4';
const SYNC = 'fdatasync(3</d/a>) = 0';
const SYNC_FOLDER = 'fsync(4</d>) = 0';

test('calls in one line, in two, and never ended; strings byte by byte', () => {
  const text = [
    '1 fdatasync(24</d/log> <unfinished ...>',
    '2 writev(31<TCP:[127.0.0.1:80->127.0.0.1:90]>, [{iov_base="a\\"\\n", iov_len=3}, {iov_base="\\342\\0\\1234", iov_len=4}], 2) = 7',
    '1 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)',
    '3 fsync(5</d> <unfinished ...>',
    '4 ???( <unfinished ...>',
    '5 ???() = ?',
    '1 +++ exited with 0 +++',
  ].join('\n');
  const [first, second, third, ...more] = parseTrace(text);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [first?.name, first?.start, first?.end, first?.result, first?.injected, first?.target],
    ['fdatasync', 0, 2, -1, true, '/d/log'],
  );
  assert.deepEqual(second?.strings, ['a"\n', '\u00e2\u0000S4']);
  assert.deepEqual(tcpPorts(second.target), { local: 80, peer: 90 });
  assert.deepEqual([third?.end, third?.result], [Infinity, undefined]);
  assert.throws(() => parseTrace('1 write(3</d/a>, "cut"..., 9) = 9'), /cut/);
});

test('bytes last from a sync that began after they were written, names from one of their folder', () => {
  const holds = (...lines: string[]): boolean => modelOf(lines).holds('/d/a', 'one');
  assert.equal(holds(OPEN, WRITE, SYNC, SYNC_FOLDER), true);
  assert.equal(holds(OPEN, WRITE, SYNC_FOLDER), false);
  assert.equal(holds(OPEN, WRITE, SYNC), false);
  assert.equal(holds(OPEN, SYNC, WRITE, SYNC_FOLDER), false);
  assert.equal(holds(SYNC_FOLDER, OPEN, WRITE, SYNC), false);
  const failed = 'fdatasync(3</d/a>) = -1 EIO (Input/output error) (INJECTED)';
  assert.equal(holds(OPEN, WRITE, failed, SYNC_FOLDER), false);
});

test('a sync that began before a write says nothing about it', () => {
  const model = new DiskModel('/d');
  const [open, sync, write, folder] = parseTrace(
    [OPEN, SYNC, WRITE, SYNC_FOLDER].map((line) => `7 ${line}`).join('\n'),
  ) as [Call, Call, Call, Call];
  model.end(open);
  model.begin(sync);
  model.end(write);
  model.end(sync);
  model.begin(folder);
  model.end(folder);
  assert.equal(model.holds('/d/a', 'one'), false);
});

test('until its folder is synced, a rename may have happened or not', () => {
  const second = [
    'openat(AT_FDCWD</>, "/d/b", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 3</d/b>',
    'write(3</d/b>, "one and two\\n", 12) = 12',
    'fdatasync(3</d/b>) = 0',
    'rename("/d/b", "/d/a") = 0',
  ];
  const before = [OPEN, WRITE, SYNC, SYNC_FOLDER, ...second];
  assert.deepEqual(modelOf(before).possible('/d/a'), ['one\n', 'one and two\n']);
  assert.equal(modelOf(before).holds('/d/a', 'one'), true);
  assert.equal(modelOf(before).holds('/d/a', 'two'), false);
  const after = [...before, SYNC_FOLDER];
  assert.equal(modelOf(after).holds('/d/a', 'two'), true);
  const unsynced = [...second.slice(0, 2), ...second.slice(3)];
  assert.deepEqual(modelOf(unsynced).unsyncedRenames, ['/d/a']);
});
