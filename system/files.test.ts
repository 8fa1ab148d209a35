import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { formatSigningKey, newSigningKey, NOTE_ED25519 } from '../tlog/index.js';
import {
  checkOwner,
  createFile,
  lockTrouble,
  makeFolder,
  makeFolderSync,
  readKeyFile,
  replaceFile,
} from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'stele-system-'));
after(() => rmSync(folder, { recursive: true }));

test('a file is made once, for its owner only, and nothing is left beside it', async () => {
  const here = join(folder, 'made');
  mkdirSync(here);
  const file = join(here, 'file');
  await createFile(file, 'first');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await assert.rejects(createFile(file, 'second'), { code: 'EEXIST' });
  assert.equal(readFileSync(file, 'utf8'), 'first');
  await replaceFile(file, 'third');
  assert.equal(readFileSync(file, 'utf8'), 'third');
  await createFile(join(here, 'public'), 'text', 0o644);
  writeFileSync(join(here, 'plain'), 'text', { mode: 0o644 });
  assert.equal(statSync(join(here, 'public')).mode, statSync(join(here, 'plain')).mode);
  assert.deepEqual(readdirSync(here).sort(), ['file', 'plain', 'public']);
});

test("root works in no folder of another user's; everybody else is the system's to judge", () => {
  const ownedBy = (uid: number | undefined) => (): number | undefined => uid;
  assert.throws(() => checkOwner(folder, 0, ownedBy(995)), { code: 'wrong_user', status: 2 });
  checkOwner(folder, 0, ownedBy(0));
  checkOwner(folder, 0, ownedBy(undefined));
  checkOwner(folder, 1000, ownedBy(995));
  checkOwner(folder);
  checkOwner(join(folder, 'not-there'), 0);
});

test('a folder is made with those above it, or the system says why not', async () => {
  const made = [
    (path: string, mode?: number) => makeFolder(path, mode),
    (path: string, mode?: number) => Promise.resolve(path).then(() => makeFolderSync(path, mode)),
  ];
  for (const [i, make] of made.entries()) {
    const here = join(folder, `folders-${i}`);
    await make(join(here, 'a', 'b'), 0o700);
    for (const path of [here, join(here, 'a'), join(here, 'a', 'b')])
      assert.equal(statSync(path).mode & 0o777, 0o700);
    await make(join(here, 'a', 'b'));
    await make(`${here}/c/`);
    writeFileSync(join(here, 'file'), '');
    await assert.rejects(make(join(here, 'file')), { code: 'EEXIST' });
    await assert.rejects(make(join(here, 'file', 'below')), { code: 'ENOTDIR' });
    await assert.rejects(make(''), { code: 'ENOENT' });
  }
});

test('where the system says ENOENT in a folder that is there, the making of one ends', async () => {
  // As Linux in /proc: whoever then makes the folder above and tries again never ends.
  let asked = 0;
  const make = (): Promise<never> => {
    if (++asked > 10) throw new Error('asked again and again');
    return Promise.reject(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }));
  };
  const isFolder = (path: string): Promise<boolean> => Promise.resolve(path === '/there' || path === '/');
  for (const path of ['/there/a', '/there/a/b', '/a'])
    await assert.rejects(makeFolder(path, 0o700, { make, isFolder }), { code: 'ENOENT' });
  await assert.rejects(makeFolder('/a', 0o700, { make, isFolder: () => Promise.resolve(false) }), {
    code: 'ENOENT',
  });
});

test('a key is read from a file that only its owner may touch', () => {
  const key = newSigningKey('a.example', NOTE_ED25519, new Uint8Array(32).fill(7));
  const file = join(folder, 'key');
  writeFileSync(file, `${formatSigningKey(key)}\n`, { mode: 0o600 });
  assert.deepEqual(readKeyFile(file).secret, key.secret);
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601]) {
    chmodSync(file, mode);
    assert.throws(() => readKeyFile(file), { code: 'key_exposed', message: /expected mode 0600, found 06/ });
  }
});

test('what is no key says so, and never what it holds', () => {
  assert.throws(() => readKeyFile(join(folder, 'none')), { code: 'no_key', message: /found no file/ });
  mkdirSync(join(folder, 'private'), { mode: 0o700 });
  assert.throws(() => readKeyFile(join(folder, 'private')), { code: 'no_key', message: /EISDIR/ });
  const file = join(folder, 'garbage');
  const key = formatSigningKey(newSigningKey('a.example', NOTE_ED25519, new Uint8Array(32).fill(7)));
  const material = key.slice(key.lastIndexOf('+') + 1);
  for (const text of [`${key}x`, key.replace('PRIVATE', 'SECRET'), key.slice(0, -4), '']) {
    writeFileSync(file, text, { mode: 0o600 });
    assert.throws(
      () => readKeyFile(file),
      (error: Error & { code?: string }) =>
        error.code === 'bad_signing_key' &&
        error.cause === undefined &&
        !error.message.includes(material.slice(0, 20)),
    );
  }
});

test('a lock that another process holds, one that is damaged, and a system that refuses', () => {
  for (const [code, text, kind] of [
    ['LEVEL_LOCKED', 'IO error: lock /a/LOCK: Resource temporarily unavailable', 'held'],
    ['LEVEL_LOCKED', 'IO error: lock /a/LOCK: already held by process', 'held'],
    ['LEVEL_LOCKED', 'IO error: lock /a/LOCK: Input/output error', 'failed'],
    ['LEVEL_LOCKED', 'IO error: lock /a/LOCK: No locks available', 'failed'],
    ['LEVEL_IO_ERROR', 'IO error: /a/LOCK: Permission denied', 'failed'],
    ['LEVEL_IO_ERROR', 'IO error: /a/MANIFEST-000001: No space left on device', 'failed'],
    ['LEVEL_IO_ERROR', 'IO error: /a/000005.ldb: No such file or directory', 'damaged'],
    ['LEVEL_CORRUPTION', 'Corruption: bad record', 'damaged'],
  ] as const) {
    const error = new Error('Database failed to open', { cause: Object.assign(new Error(text), { code }) });
    assert.deepEqual(lockTrouble(error), { kind, text });
  }
});
