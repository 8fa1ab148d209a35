// Proofs that a log gave to different people, held against each other: `stele verify` offline, `stele submit`
// when the answer comes.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { formatEnvelope, parseEnvelope } from '../attestation/index.js';
import { formatBundle } from '../cli/bundle.js';
import { decodeUtf8, formatTlogProof, proveInclusion, tileHashReader, tilePath } from '../tlog/index.js';
import { Person, type Answer } from './cli/world.js';
import { assertFits } from './cli/evidence-schema.js';
import { cosigned, History, LOG_URL, ORIGIN, POLICY, statement } from './monitor/lab.js';

const root = mkdtempSync(join(tmpdir(), 'stele-proofs-'));
after(() => rmSync(root, { recursive: true, force: true }));
let people = 0;

const first = new History((index) => statement('alpha', `run-${index}`));
const second = new History((index) => statement(index < 3 ? 'alpha' : 'beta', `run-${index}`));
const TIME = 1_800_000_000;

async function proofOf(
  history: History,
  index: number,
  size: number,
  witnesses = [0, 1],
): Promise<Uint8Array> {
  const read = tileHashReader(size, (tile) =>
    Promise.resolve(history.file(tilePath(tile), size) ?? new Uint8Array()),
  );
  return formatTlogProof({
    index,
    proof: await proveInclusion(index, size, read),
    checkpoint: await cosigned(history, size, TIME, witnesses),
  });
}

/** What `stele submit` would have left. */
async function bundle(history: History, index: number, size: number): Promise<string> {
  const participant = history === second && index >= 3 ? 'beta' : 'alpha';
  const envelope = parseEnvelope(statement(participant, `run-${index}`));
  return formatBundle({ envelope, proof: await proofOf(history, index, size), related: [] });
}

function person(): Person {
  const who = new Person(root, `person-${++people}`);
  who.write('policy', POLICY);
  return who;
}

/** Checks that somebody who has only the files and the policy finds the same. */
async function convinced(answer: Answer): Promise<string[]> {
  assert.equal(answer.status, 5, answer.stdout);
  const paths = answer.json.error?.message.match(/\S+\.evidence/g) ?? [];
  const stranger = person();
  const names = paths.map((path, i) => {
    stranger.write(`${i}.evidence`, readFileSync(path));
    return `${i}.evidence`;
  });
  const verified = await stranger.run('evidence', 'verify', ...names, '--policy', 'policy', '--json');
  assertFits(verified.stdout);
  assert.equal(verified.status, 0, verified.stdout);
  return (verified.json.result['verdicts'] as { role: string; kind: string }[]).map(
    ({ role, kind }) => `${role} ${kind}`,
  );
}

const verify = (who: Person, ...files: string[]): Promise<Answer> =>
  who.run('verify', ...files, '--policy', 'policy', '--json');

test('records that cannot be in one log: each is proven alone, together they convict', async () => {
  for (const [a, b, kind] of [
    [[4, 10], [4, 12], 'two-entries'],
    [[4, 12], [5, 12], 'same-size'],
    [[7, 10], [1, 10], 'same-size'],
  ] as const) {
    const who = person();
    who.write('a.stele.json', await bundle(first, a[0], a[1]));
    who.write('b.stele.json', await bundle(second, b[0], b[1]));
    assert.equal((await verify(who, 'a.stele.json')).status, 0);
    assert.equal((await verify(who, 'b.stele.json')).status, 0);
    assert.deepEqual(await convinced(await verify(who, 'a.stele.json', 'b.stele.json')), [
      `log ${kind}`,
      `witness ${kind}`,
      `witness ${kind}`,
    ]);
  }
});

test('a record against what the log has shown before, offline; and witnesses that were named hear of it', async () => {
  const who = person();
  const told: string[] = [];
  const world = {
    fetch: async (url: string, init: RequestInit): Promise<Response> => {
      if (url === 'http://witness.invalid/gossip/checkpoint') {
        told.push(decodeUtf8(new Uint8Array(init.body as ArrayBuffer)));
        return new Response(null, { status: 200 });
      }
      assert.ok(url.startsWith(LOG_URL), url);
      const path = url.slice(LOG_URL.length + 1);
      const bytes = path === 'checkpoint' ? await cosigned(first, 10, TIME) : first.file(path, 10);
      return new Response(bytes === undefined ? null : new Uint8Array(bytes), { status: bytes ? 200 : 404 });
    },
  };
  const seen = await who.runWith(world, 'get', 'checkpoint', '--log', LOG_URL, '--policy', 'policy');
  assert.equal(seen.status, 0, seen.stderr);
  who.write('b.stele.json', await bundle(second, 4, 10));
  const answer = await who.runWith(
    world,
    'verify',
    'b.stele.json',
    '--policy',
    'policy',
    '--json',
    '--report',
    'http://witness.invalid/',
  );
  assert.deepEqual(await convinced(answer), ['log same-size', 'witness same-size', 'witness same-size']);
  assert.equal(told.length, 2);
  assert.ok(told.every((note) => note.startsWith(`${ORIGIN}\n10\n`)));
  assert.match(
    answer.json.error?.hint ?? '',
    /told http:\/\/witness\.invalid\/gossip\/checkpoint: it answered 200/,
  );
});

test('what proves nothing stays what it was', async () => {
  const who = person();
  who.write('a.stele.json', await bundle(first, 4, 10));
  who.write('later.stele.json', await bundle(first, 4, 12));
  // Not one index, not one size: nothing in these files shows that the trees differ.
  who.write('other.stele.json', await bundle(second, 5, 12));
  // An inclusion proof that does not hold.
  who.write('b.stele.json', (await bundle(second, 4, 12)).replace('index 4', 'index 5'));
  assert.equal((await verify(who, 'a.stele.json', 'later.stele.json')).status, 0);
  assert.equal((await verify(who, 'a.stele.json', 'other.stele.json')).status, 0);
  assert.equal((await verify(who, 'a.stele.json', 'b.stele.json')).status, 1);
});

test('submit: an answer that has no quorum and contradicts what was seen is evidence', async () => {
  const who = person();
  const show = (history: History, proof?: Uint8Array) => ({
    fetch: async (url: string): Promise<Response> => {
      const path = url.slice(LOG_URL.length + 1);
      if (path === 'add') {
        const envelope: unknown = JSON.parse(decodeUtf8(statement('beta', 'run-4')));
        return Response.json({ index: 4, envelope, proof: decodeUtf8(proof ?? new Uint8Array()) });
      }
      const bytes = path === 'checkpoint' ? await cosigned(history, 10, TIME) : history.file(path, 12);
      return new Response(bytes === undefined ? null : new Uint8Array(bytes), { status: bytes ? 200 : 404 });
    },
  });
  const words = ['--log', LOG_URL, '--policy', 'policy', '--json'];
  assert.equal((await who.runWith(show(first), 'get', 'checkpoint', ...words)).status, 0);
  who.write('x.dsse.json', statement('beta', 'run-4'));
  const proof = await proofOf(second, 4, 12, [0]);
  const answer = await who.runWith(show(second, proof), 'submit', 'x.dsse.json', ...words);
  assert.deepEqual(await convinced(answer), ['log not-a-prefix', 'witness not-a-prefix']);
  // Without a contradiction it is a quorum that is missing, as ever.
  const honest = person();
  honest.write('x.dsse.json', statement('beta', 'run-4'));
  assert.equal((await honest.runWith(show(second, proof), 'submit', 'x.dsse.json', ...words)).status, 4);
});

test('submit: a log that logs the statement under a signature that nobody made has not logged what was sent', async () => {
  const spoiled = (index: number): Uint8Array =>
    formatEnvelope({ ...parseEnvelope(statement('alpha', `run-${index}`)), signature: new Uint8Array(64) });
  const history = new History((index) => (index === 4 ? spoiled(4) : statement('alpha', `run-${index}`)));
  const who = person();
  who.write('x.dsse.json', statement('alpha', 'run-4'));
  const proof = decodeUtf8(await proofOf(history, 4, 10));
  const world = {
    fetch: async (url: string): Promise<Response> => {
      const path = url.slice(LOG_URL.length + 1);
      if (path === 'add')
        return Response.json({ index: 4, envelope: JSON.parse(decodeUtf8(spoiled(4))) as unknown, proof });
      const bytes = path === 'checkpoint' ? await cosigned(history, 10, TIME) : history.file(path, 10);
      return new Response(bytes === undefined ? null : new Uint8Array(bytes), { status: bytes ? 200 : 404 });
    },
  };
  const answer = await who.runWith(
    world,
    'submit',
    'x.dsse.json',
    '--log',
    LOG_URL,
    '--policy',
    'policy',
    '--json',
  );
  assert.equal(answer.json.error?.code, 'bad_signature', answer.stdout);
  assert.equal(answer.status, 1);
  assert.deepEqual(
    readdirSync(who.folder).sort(),
    ['policy', 'x.dsse.json'],
    'no proof, no bundle: it is sent again',
  );
});
