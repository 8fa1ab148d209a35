// What a command finds out about a lying log is proof by the time it says so; and what a policy withstands.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  concatBytes,
  encodeUtf8,
  formatVkey,
  leafHash,
  newSigningKey,
  newVkey,
  type SigningKey,
} from '../tlog/index.js';
import { assertFits, fitsSchema } from './cli/evidence-schema.js';
import { Person, type Answer } from './cli/world.js';
import { SigningLog, addLine } from './helpers/signing-log.js';

const root = mkdtempSync(join(tmpdir(), 'stele-evidence-'));
after(() => rmSync(root, { recursive: true, force: true }));
let people = 0;
const person = (): Person => new Person(root, `person-${++people}`);

const URL = 'http://log.invalid';
const FORK = 3;
const honest = new SigningLog();
const forked = new SigningLog(undefined, 'other', FORK);
const witness: SigningKey = newSigningKey('w.example', 4, new Uint8Array(32).fill(5));
const LOG = `log ${formatVkey(honest.vkey)} ${URL}/\n`;
const ALONE = `${LOG}quorum none\n`;
const COSIGNED = `${LOG}witness W ${formatVkey(witness.vkey)}\nquorum W\n`;

/** What the log answers: a checkpoint, and the tiles of the tree it belongs to. */
const served =
  (note: string | Uint8Array, entries: string, fork: number, size: number) =>
  (url: string): Promise<Response> => {
    const path = url.slice(URL.length + 1);
    if (path === 'checkpoint') return Promise.resolve(new Response(new Uint8Array(Buffer.from(note))));
    if (path === `tile/0/000.p/${size}`) {
      const leaves = Array.from({ length: size }, (_, i) =>
        leafHash(encodeUtf8(`${i < fork ? 'entry' : entries} ${i}`)),
      );
      return Promise.resolve(new Response(new Uint8Array(concatBytes(...leaves))));
    }
    return Promise.resolve(new Response(null, { status: 404 }));
  };
const cosigned = (log: SigningLog, size: number): string =>
  Buffer.from(log.note(size)).toString() + addLine(log.note(size), witness, 1_700_000_000);
const tilesOf = (log: SigningLog): [string, number] => (log === honest ? ['entry', 0] : ['other', FORK]);

/** Reads the checkpoint of a log that shows this. */
const look = (who: Person, note: string | Uint8Array, tiles: SigningLog, tileSize: number): Promise<Answer> =>
  who.runWith(
    { fetch: served(note, ...tilesOf(tiles), tileSize) },
    'get',
    'checkpoint',
    '--log',
    URL,
    '--policy',
    'policy',
    '--json',
  );

/** Checks that somebody who has only the file and the policy finds the same. */
async function convinced(answer: Answer, policy: string): Promise<Answer['json']['result'][]> {
  assert.equal(answer.status, 5, answer.stdout);
  assert.equal(answer.json.error?.code, 'inconsistent');
  const paths = answer.json.error.message.match(/\S+\.evidence/g) ?? [];
  assert.ok(paths.length > 0, answer.json.error.message);
  const stranger = person();
  stranger.write('policy', policy);
  const names = paths.map((path, i) => {
    const name = `found-${i}.evidence`;
    copyFileSync(path, join(stranger.folder, name));
    return name;
  });
  const verified = await stranger.run('evidence', 'verify', ...names, '--policy', 'policy', '--json');
  assert.equal(verified.status, 0, verified.stdout);
  assertFits(verified.stdout);
  const verdicts = verified.json.result['verdicts'] as Record<string, unknown>[];
  assert.equal(verdicts.length, paths.length);
  return verdicts;
}

test('a larger tree that does not contain the one seen before', async () => {
  const who = person();
  who.write('policy', ALONE);
  assert.equal((await look(who, honest.note(5), honest, 5)).status, 0);
  const [verdict, ...more] = await convinced(await look(who, forked.note(9), forked, 9), ALONE);
  assert.equal(more.length, 0);
  assert.equal(verdict?.['kind'], 'not-a-prefix');
  assert.equal(verdict['role'], 'log');
  assert.deepEqual(verdict['convicted'], [formatVkey(honest.vkey)]);
});

test('a second history without a quorum convicts the log all the same', async () => {
  for (const [seen, shown, tiles, tileSize] of [
    [5, 9, forked, 9],
    [9, 5, honest, 9],
    [6, 6, forked, 6],
  ] as const) {
    const who = person();
    who.write('policy', COSIGNED);
    assert.equal((await look(who, cosigned(honest, seen), honest, seen)).status, 0);
    const [verdict] = await convinced(await look(who, forked.note(shown), tiles, tileSize), COSIGNED);
    assert.equal(verdict?.['kind'], seen === shown ? 'same-size' : 'not-a-prefix');
  }
});

test('a witness that cosigned both is convicted beside the log', async () => {
  const who = person();
  who.write('policy', COSIGNED);
  assert.equal((await look(who, cosigned(honest, 5), honest, 5)).status, 0);
  const verdicts = await convinced(await look(who, cosigned(forked, 9), forked, 9), COSIGNED);
  assert.deepEqual(
    verdicts.map((verdict) => verdict['role']),
    ['log', 'witness'],
  );
});

test('an empty tree with a root', async () => {
  const who = person();
  who.write('policy', ALONE);
  const verdicts = await convinced(await look(who, honest.note(0, honest.root(4)), honest, 4), ALONE);
  assert.deepEqual(
    verdicts.map((verdict) => verdict['kind']),
    ['empty-tree'],
  );
});

test('what proves nothing stays what it was', async () => {
  const who = person();
  who.write('policy', COSIGNED);
  assert.equal((await look(who, cosigned(honest, 5), honest, 5)).status, 0);
  // The log went on, and its witness has not cosigned yet.
  assert.equal((await look(who, honest.note(9), honest, 9)).status, 4);
  // It shows an older tree.
  assert.equal((await look(who, honest.note(3), honest, 5)).status, 4);
  // Somebody forked it and withholds the tiles: an alarm for others, no proof yet.
  assert.equal((await look(who, forked.note(9), honest, 5)).status, 4);
  // The key is another: its owner convicts nobody.
  who.write('policy', `${LOG}log ${formatVkey(newSigningKey('x', 1, witness.secret).vkey)}\nquorum none\n`);
  assert.equal((await look(who, honest.note(5), honest, 5)).status, 0);
});

test('a contradiction across a change of policy convicts nobody, and both notes are kept', async () => {
  const who = person();
  who.write('policy', ALONE);
  assert.equal((await look(who, honest.note(5), honest, 5)).status, 0);
  const next = newSigningKey(honest.origin, 1, new Uint8Array(32).fill(9));
  who.write('policy', `log ${formatVkey(next.vkey)}\nquorum none\n`);
  const text = forked.text(5);
  const answer = await look(who, `${text}\n${addLine(forked.note(5), next)}`, forked, 5);
  assert.equal(answer.status, 1, answer.stdout);
  assert.equal(answer.json.error?.code, 'inconsistent');
  const paths = answer.json.error.message.match(/\S+\.note/g) ?? [];
  assert.equal(paths.length, 2);
  assert.ok(paths.some((path) => readFileSync(path, 'utf8').includes(text)));
});

test('evidence verify: status 1 where it convicts nobody, 2 where it is no evidence', async () => {
  const who = person();
  who.write('policy', ALONE);
  assert.equal((await look(who, honest.note(5), honest, 5)).status, 0);
  const found = await look(who, forked.note(5), forked, 5);
  const [path = ''] = /\S+\.evidence/.exec(found.json.error?.message ?? '') ?? [];
  const file = readFileSync(path, 'utf8');
  who.write('good.evidence', file);
  who.write('short.evidence', file.slice(0, -1));
  who.write(
    'forged.evidence',
    file.replace(/(— \S+ .{8})./, (_, start: string) => `${start}_`).replace('_', 'A'),
  );
  who.write('other-policy', `log ${formatVkey(newSigningKey('x', 1, witness.secret).vkey)}\nquorum none\n`);
  const verify = (...words: string[]): Promise<Answer> => who.run('evidence', 'verify', ...words);
  const good = await verify('good.evidence', '--policy', 'policy');
  assert.equal(good.status, 0, good.stderr);
  assert.match(
    good.stdout,
    /pass +evidence +good\.evidence: the log log\.example\/test, with the key .* signed two/,
  );
  for (const [status, code, ...words] of [
    [1, 'unknown_key', 'good.evidence', '--policy', 'other-policy'],
    [1, 'bad_signature', 'good.evidence', 'forged.evidence', '--policy', 'policy'],
    [2, 'bad_evidence', 'short.evidence', '--policy', 'policy'],
    [2, 'bad_evidence', 'policy', '--policy', 'policy'],
    [2, 'unreadable', 'missing', '--policy', 'policy'],
    [2, 'usage', '--policy', 'policy'],
    [2, 'missing_setting', 'good.evidence'],
  ] as const) {
    const answer = await verify(...words, '--json');
    assert.equal(answer.status, status, words.join(' '));
    assertFits(answer.stdout);
    const codes = [
      answer.json.error?.code,
      ...((answer.json.result['verdicts'] ?? []) as { code?: string }[]).map((verdict) => verdict.code),
    ];
    assert.ok(codes.includes(code), `${words.join(' ')}: ${codes.join()}`);
  }
});

test('evidence verify --json: its schema tells an answer from what only looks like one', async () => {
  const who = person();
  who.write('policy', ALONE);
  assert.equal((await look(who, honest.note(5), honest, 5)).status, 0);
  const found = await look(who, forked.note(9), forked, 9);
  const [path = ''] = /\S+\.evidence/.exec(found.json.error?.message ?? '') ?? [];
  const { stdout } = await who.run('evidence', 'verify', path, '--policy', 'policy', '--json');
  assertFits(stdout);
  const wrong = (change: (answer: Answer['json'], verdict: Record<string, unknown>) => unknown): void => {
    const answer = JSON.parse(stdout) as Answer['json'];
    const [verdict] = answer.result['verdicts'] as Record<string, unknown>[];
    assert.ok(verdict);
    change(answer, verdict);
    assert.equal(fitsSchema(answer), false, change.toString());
  };
  wrong((answer) => (answer.result = {}));
  wrong((answer) => (answer.result['verdicts'] = []));
  wrong((answer) => (answer.result['verdicts'] = [{ file: 'f', code: 'not_proven' }]));
  wrong((answer) => (answer.error = { code: 'x', message: '', hint: '' }));
  wrong((answer) => Object.assign(answer, { schema: 'https://stele-log/cli/v2' }));
  wrong((_, verdict) => delete verdict['role']);
  wrong((_, verdict) => (verdict['kind'] = 'empty-tree'));
  wrong((_, verdict) => (verdict['kind'] = 'went-back'));
  wrong((_, verdict) => (verdict['convicted'] = []));
  wrong((_, verdict) => (verdict['convicted'] = ['log.example']));
  wrong((_, verdict) => (verdict['trees'] as unknown[]).pop());
  wrong((_, verdict) =>
    (verdict['trees'] as { rootHash: string }[]).forEach((tree) => (tree.rootHash = 'x')),
  );
  wrong((_, verdict) => (verdict['says'] = 'more'));
});

const vkeys = Array.from({ length: 140 }, (_, i) =>
  formatVkey(
    newVkey(
      `w${i}.example`,
      4,
      Uint8Array.from({ length: 32 }, (__, at) => (at === 0 ? i : 7)),
    ),
  ),
);
/** k of n witnesses, numbered from `from`. */
const kOfN = (k: number, n: number, from = 0): string => {
  const numbers = Array.from({ length: n }, (_, i) => from + i);
  return [
    ...numbers.map((i) => `witness W${i} ${vkeys[i] ?? ''} https://w${i}.example/\n`),
    `group all ${k} ${numbers.map((i) => `W${i}`).join(' ')}\n`,
    'quorum all\n',
  ].join('');
};

test('policy lint says what a policy survives', async () => {
  const who = person();
  const lint = async (policy: string, ...words: string[]): Promise<Answer> => {
    who.write('policy', LOG + policy);
    return who.run('policy', 'lint', 'policy', ...words);
  };
  const cases: [policy: string, status: number, lying: RegExp, silent: RegExp][] = [
    [
      kOfN(3, 4),
      0,
      /pass +lying +survives 1 lying operator: .* share at least 2/,
      /pass +silent +1 operator may be silent/,
    ],
    [kOfN(5, 7), 0, /survives 2 lying operators: .* share at least 3/, /2 operators may be silent/],
    [kOfN(2, 3), 0, /remark +lying +survives no lying operator/, /1 operator may be silent/],
    [
      kOfN(3, 3),
      0,
      /survives 2 lying operators/,
      /remark +silent +the silence of one operator can be enough/,
    ],
    [kOfN(2, 4), 1, /fail +lying +two quorums exist that share no operator/, /2 operators may be silent/],
    ['quorum none\n', 1, /no cosignature is asked for: the log alone decides/, /needs no witness/],
    [`# operator Acme W0 W1\n${kOfN(3, 4)}`, 0, /survives no lying operator/, /silence of one operator/],
  ];
  for (const [policy, status, lying, silent] of cases) {
    const answer = await lint(policy);
    assert.equal(answer.status, status, answer.stdout);
    assert.match(answer.stdout, lying);
    assert.match(answer.stdout, silent);
  }
  assert.equal((await lint(kOfN(2, 3), '--faults', '1')).status, 1);
  assert.equal((await lint(kOfN(3, 4), '--faults', '1')).status, 0);
  assert.equal((await lint(kOfN(3, 4), '--faults', 'one')).status, 2);
  const remarks = await lint(`witness X ${vkeys[9] ?? ''}\n# operator Acme W0 W1\n${kOfN(3, 4)}`, '--json');
  assert.equal(remarks.json.result['faults'], 0);
  assert.equal((remarks.json.result['remarks'] as string[]).length, 3);
});

test('policy lint finds a policy that no checkpoint can meet', async () => {
  const who = person();
  who.write('policy', LOG + kOfN(127, 140));
  assert.equal((await who.run('policy', 'lint', 'policy')).status, 0);
  who.write('policy', LOG + kOfN(128, 140));
  const answer = await who.run('policy', 'lint', 'policy');
  assert.equal(answer.status, 1);
  assert.match(answer.stdout, /takes 129 signature lines, and a note has at most 128/);
});

test('policy lint of two policies', async () => {
  const who = person();
  who.write('ours', LOG + kOfN(3, 4));
  const with_ = async (theirs: string, ...words: string[]): Promise<Answer> => {
    who.write('theirs', theirs);
    return who.run('policy', 'lint', 'ours', 'theirs', '--json', ...words);
  };
  for (const [from, shared, status, overlap] of [
    [0, 2, 0, 'pass'],
    [1, 1, 0, 'remark'],
    [2, 0, 1, 'fail'],
    [4, 0, 1, 'fail'],
  ] as const) {
    const answer = await with_(LOG + kOfN(3, 4, from));
    assert.equal(answer.json.result['shared'], shared);
    assert.equal(answer.json.checks.find(({ name }) => name === 'overlap')?.status, overlap);
    assert.equal(answer.status, status, answer.stdout);
  }
  assert.equal((await with_(LOG + kOfN(3, 4, 1), '--faults', '1')).status, 1);
  const other = await who.run('policy', 'lint', 'ours', 'ours');
  assert.match(other.stdout, /share at least 2 operators: while no more than 1 of them lies/);
  who.write('theirs', kOfN(3, 4));
  assert.match((await who.run('policy', 'lint', 'ours', 'theirs')).stdout, /no log in common/);
});

test('policy show prints whom a quorum asks for', async () => {
  const who = person();
  who.write(
    'policy',
    `${LOG}${kOfN(2, 3).replace('quorum all\n', '')}witness X ${vkeys[9] ?? ''}\n# operator Acme W0 W1\ngroup top all all X\nquorum top\n`,
  );
  const { status, stdout } = await who.run('policy', 'show', 'policy');
  assert.equal(status, 0);
  assert.deepEqual(
    stdout.split('\n').map((line) => line.replace(/\+[0-9a-f]{8} \(Ed25519\)/, ' KEY')),
    [
      `log     ${honest.origin} KEY  ${URL}/`,
      'quorum  top: all 2 of',
      '          all: 2 of 3 of',
      '            W0  w0.example KEY  run by Acme  https://w0.example/',
      '            W1  w1.example KEY  run by Acme  https://w1.example/',
      '            W2  w2.example KEY  run by w2.example  https://w2.example/',
      '          X  w9.example KEY  run by w9.example',
      '',
    ],
  );
  who.write('bad', 'witness\n');
  assert.equal((await who.run('policy', 'show', 'bad')).status, 2);
  assert.equal((await who.run('policy', 'show')).status, 2);
});
