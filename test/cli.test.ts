// Every command against a log and four witnesses on loopback, and bad input at every door of the CLI.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseEnvelope, parseJson, type Json } from '../attestation/index.js';
import {
  COSIGNATURE_ED25519,
  formatNote,
  formatTlogProof,
  formatVkey,
  leafHash,
  newSigningKey,
  parseNote,
  parsePolicy,
  parseTlogProof,
  signNoteLine,
  verifyTlogProof,
} from '../tlog/index.js';
import type { Context } from '../cli/context.js';
import { introduceLab, startWorld, Person, type World } from './cli/world.js';

let world: World;
let lab: Person;

before(async () => {
  world = await startWorld();
  lab = await introduceLab(world, 'acme');
  lab.write('spec.md', 'what the run is about');
});
after(() => world.close());

const INTENT = [
  'attest',
  'run-intent',
  '--spec',
  'spec.md',
  '--planned-flop',
  '18520473600',
  '--otherwise',
  'withheld',
];

/** Signs and submits an intent; gives the names of its files. */
async function intent(
  run: string,
  ...more: string[]
): Promise<{ envelope: string; bundle: string; proof: string }> {
  const signed = await lab.run(...INTENT, '--run', run, ...more);
  assert.equal(signed.status, 0, signed.stderr);
  const envelope = `records/${run}.intent.dsse.json`;
  assert.equal(signed.stdout, `${envelope}\n`);
  const submitted = await lab.run('submit', envelope);
  assert.equal(submitted.status, 0, submitted.stderr);
  return {
    envelope,
    bundle: envelope.replace('dsse', 'stele'),
    proof: envelope.replace('dsse.json', 'tlog-proof'),
  };
}

const statuses = (checks: { name: string; status: string }[]): Record<string, string> =>
  Object.fromEntries(checks.map(({ name, status }) => [name, status]));

test('init leaves keys for their owner only, settings, a policy and a request', () => {
  for (const key of ['keys/signing.key', 'keys/recovery.key']) {
    assert.equal(statSync(join(lab.folder, key)).mode & 0o777, 0o600);
  }
  assert.match(lab.read('stele.toml'), /participant = "acme"/);
  assert.equal(lab.read('policy'), world.policy);
  assert.ok(!lab.read('participant-request.json').includes('PRIVATE'));
});

test('a record is signed, logged and verified offline, by one who has only the file and the policy', async () => {
  const { bundle, envelope, proof } = await intent('run-1');
  const stranger = world.person('stranger', {
    fetch: () => Promise.reject(new Error('no network')),
  });
  stranger.write('policy', world.policy);
  stranger.write('record.stele.json', lab.read(bundle));
  const answer = await stranger.run('verify', 'record.stele.json', '--policy', 'policy', '--json');
  assert.equal(answer.status, 0, answer.stdout);
  assert.deepEqual(statuses(answer.json.checks), {
    envelope: 'pass',
    statement: 'pass',
    inclusion: 'pass',
    'log signature': 'pass',
    quorum: 'pass',
    signature: 'pass',
    signer: 'pass',
    'key in force': 'not-checkable',
    'logged before': 'pass',
    'made after': 'pass',
  });
  const text = await stranger.run('verify', 'record.stele.json', '--policy', 'policy');
  assert.match(text.stdout, /acme \("The acme Lab"\), says registrar office, entry 2/);
  assert.ok(!/compliant|honest|safe/i.test(text.stdout));

  // The two plain files are what the field's other tools read: the leaf's bytes and a C2SP tlog-proof.
  const verified = verifyTlogProof({
    proof: readFileSync(join(lab.folder, proof)),
    leafHash: leafHash(readFileSync(join(lab.folder, envelope))),
    policy: parsePolicy(new TextEncoder().encode(world.policy)),
  });
  assert.ok(verified.evaluation.met);
});

test('whose policy judges is said, and where the setting comes from', async () => {
  const { bundle } = await intent('run-sender');
  const reader = world.person('trusting');
  reader.write('record.stele.json', lab.read(bundle));
  reader.write('senders-policy', world.policy);
  reader.write('stele.toml', 'policy = "senders-policy"\n');
  const file = join(reader.folder, 'senders-policy');
  const toml = join(reader.folder, 'stele.toml');
  const prose = await reader.run('verify', 'record.stele.json');
  assert.equal(prose.stderr, `Policy: ${file} (from ${toml})\n`);
  const cases: [string, string[], Record<string, string>][] = [
    [toml, [], {}],
    ['STELE_POLICY', [], { STELE_POLICY: 'senders-policy' }],
    ['--policy', ['--policy', 'senders-policy'], { STELE_POLICY: 'other' }],
  ];
  for (const [from, flags, env] of cases) {
    const words = ['verify', 'record.stele.json', ...flags, '--json'];
    const answer = await reader.runWith({ env: { HOME: reader.folder, ...env } }, ...words);
    assert.deepEqual(answer.json.result['policy'], { file, from });
  }
  const named = await reader.run('policy', 'show', 'senders-policy');
  assert.equal(named.stderr, '', 'a policy that is an argument is no setting');
});

test('checks wrap at a terminal’s width, and stay on their lines in a pipe', async () => {
  const { bundle } = await intent('run-wide');
  const piped = await lab.run('verify', bundle);
  const shown = await lab.runWith({ terminal: true, columns: 100 }, 'verify', bundle);
  const lines = shown.stdout.split('\n');
  assert.ok(
    lines.every((line) => line.length <= 100 || !line.trim().includes(' ', 40)),
    shown.stdout,
  );
  assert.ok(lines.length > piped.stdout.split('\n').length);
  assert.equal(shown.stdout.replace(/\n {20,}/g, ' '), piped.stdout);
  const missing = await lab.run('verify', 'missing.json');
  assert.equal(missing.stdout, '', 'a file that cannot be read has no heading');
});

test('an envelope alone, or with its proof alone, says what cannot be checked', async () => {
  const { envelope, proof } = await intent('run-2');
  const other = world.person('other');
  other.write('policy', world.policy);
  other.write('a.dsse.json', lab.read(envelope));
  const alone = await other.run('verify', 'a.dsse.json', '--policy', 'policy', '--json');
  assert.equal(statuses(alone.json.checks)['inclusion'], 'not-checkable');
  assert.deepEqual([alone.status, alone.json.ok], [1, false], 'nothing was verified, and that is no success');
  other.write('a.tlog-proof', lab.read(proof));
  const placed = await other.run('verify', 'a.dsse.json', '--policy', 'policy', '--json');
  assert.equal(statuses(placed.json.checks)['inclusion'], 'pass');
  assert.equal(statuses(placed.json.checks)['signer'], 'not-checkable');
});

test('a witness that states an impossible time does not keep a record from being verified', async () => {
  const { envelope, proof } = await intent('run-far');
  const parsed = parseTlogProof(new TextEncoder().encode(lab.read(proof)));
  const { text, signatures } = parseNote(parsed.checkpoint);
  const witness = newSigningKey('far.example', COSIGNATURE_ED25519, new Uint8Array(32).fill(9));
  const cosigned = signNoteLine(text, witness, Number.MAX_SAFE_INTEGER);
  const checkpoint = formatNote({ text, signatures: [...signatures, { line: cosigned }] });
  const reader = world.person('reader');
  const [logLine = ''] = world.policy.split('\n');
  reader.write('policy', `${logLine}\nwitness far ${formatVkey(witness.vkey)}\nquorum far\n`);
  reader.write('far.dsse.json', lab.read(envelope));
  reader.write('far.tlog-proof', formatTlogProof({ ...parsed, checkpoint }));
  const answer = await reader.run('verify', 'far.dsse.json', '--policy', 'policy', '--json');
  assert.equal(answer.status, 0, answer.stdout);
  assert.equal(statuses(answer.json.checks)['quorum'], 'pass');
});

test('a look-up that never ends is not read to its end', async () => {
  const { envelope } = await intent('run-endless');
  let sent = 0;
  const endless = (): Response =>
    new Response(
      new ReadableStream({
        pull: (controller) => {
          sent += 1 << 20;
          if (sent > 64 << 20) controller.close();
          else controller.enqueue(new Uint8Array(1 << 20).fill(0x20));
        },
      }),
    );
  const answer = await lab.runWith(
    { fetch: (url, init) => (url.includes('?payload=') ? Promise.resolve(endless()) : fetch(url, init)) },
    'get',
    envelope,
  );
  assert.equal(answer.status, 0, answer.stderr);
  assert.ok(sent < 16 << 20, `${sent} bytes were read`);
});

test('what a log says stays on its line, and JSON is harmless on a terminal', async () => {
  const { envelope } = await intent('run-lines');
  const message = 'no\n  pass           signature      \u009b31mforged';
  const refusal = (): Promise<Response> =>
    Promise.resolve(Response.json({ error: { code: 'no', message, hint: 'a\nb' } }, { status: 403 }));
  const { stderr } = await lab.runWith({ fetch: refusal }, 'submit', envelope);
  assert.ok(stderr.split('\n').length <= 4 && stderr.includes('\\u{9b}31mforged'), stderr);
  const { stdout, json } = await lab.runWith({ fetch: refusal }, 'submit', envelope, '--json');
  assert.ok(!stdout.includes('\u009b') && json.error?.message.includes('\u009b31m'), stdout);
});

test('anything changed in a record or its proof fails with status 1', async () => {
  const { bundle } = await intent('run-3');
  const good = JSON.parse(lab.read(bundle)) as {
    envelope: Record<string, never>;
    proof: string;
    related: Json[];
  };
  const envelope = good.envelope as unknown as {
    payload: string;
    signatures: { sig: string; keyid: string }[];
  };
  const payload = Buffer.from(envelope.payload, 'base64').toString();
  const cases: [string, unknown, string][] = [
    [
      'payload',
      {
        ...good,
        envelope: {
          ...envelope,
          payload: Buffer.from(payload.replace('18520473600', '18520473601')).toString('base64'),
        },
      },
      'inclusion',
    ],
    [
      'index',
      { ...good, proof: good.proof.replace(/index (\d+)/, (_, i) => `index ${Number(i) + 1}`) },
      'inclusion',
    ],
    [
      'root',
      { ...good, proof: good.proof.replace(/\n(\d+)\n([A-Za-z0-9+/]{4})/, '\n$1\nAAAA') },
      'log signature',
    ],
    [
      'related',
      {
        ...good,
        related: [...good.related.slice(0, 1), { ...(good.related[1] as object), proof: good.proof }],
      },
      'related',
    ],
  ];
  for (const [what, value, check] of cases) {
    lab.write('changed.stele.json', JSON.stringify(value));
    const answer = await lab.run('verify', 'changed.stele.json', '--json');
    assert.equal(answer.status, 1, `${what}: ${answer.stdout}`);
    assert.equal(statuses(answer.json.checks)[check], 'fail', what);
    if (check === 'related') assert.match(answer.stdout, /does not hold, see \\"related\\"/, 'says why');
  }
});

test('without enough cosignatures verify answers 4', async () => {
  const { bundle } = await intent('run-4');
  const value = JSON.parse(lab.read(bundle)) as { proof: string };
  const lines = value.proof.split('\n').filter((line) => !/witness\.example\/(north|east)/.test(line));
  lab.write('few.stele.json', JSON.stringify({ ...value, proof: lines.join('\n') }));
  const answer = await lab.run('verify', 'few.stele.json', '--json');
  assert.equal(statuses(answer.json.checks)['quorum'], 'fail');
  assert.equal(answer.status, 4, answer.stdout);
});

test('nothing is signed twice: the same words reuse the bytes, other words are refused', async () => {
  const first = await lab.run(...INTENT, '--run', 'run-5', '--seed', '7', '--commit', 'seed');
  assert.equal(first.status, 0, first.stderr);
  const path = join(lab.folder, 'records/run-5.intent.dsse.json');
  const bytes = readFileSync(path);
  assert.equal(statSync(join(lab.folder, 'records/run-5.intent.disclosures.json')).mode & 0o777, 0o600);
  assert.ok(!Buffer.from(parseEnvelope(bytes).payload).toString().includes('"7"'));
  const again = await lab.run(...INTENT, '--run', 'run-5', '--seed', '7', '--commit', 'seed', '--json');
  assert.equal(again.status, 0);
  assert.equal(again.json.result['reused'], true);
  assert.deepEqual(readFileSync(path), bytes);
  const other = await lab.run(...INTENT, '--run', 'run-5', '--seed', '8', '--commit', 'seed', '--json');
  assert.equal(other.status, 2);
  assert.equal(other.json.error?.code, 'already_signed');
  assert.deepEqual(readFileSync(path), bytes);
});

test('a log that goes away between signing and answering gets the same bytes again', async () => {
  const signed = await lab.run(...INTENT, '--run', 'run-6');
  assert.equal(signed.status, 0, signed.stderr);
  const envelope = 'records/run-6.intent.dsse.json';
  const bytes = lab.read(envelope);
  const sent: string[] = [];
  const size = world.log.published()?.size ?? 0;
  // The log gets the entry; its answer is lost, as when the sender is killed.
  const lost = await lab.runWith(
    {
      fetch: async (url, init) => {
        sent.push(Buffer.from(init.body as Uint8Array).toString());
        await (await fetch(url, init)).text();
        throw new TypeError('connection reset');
      },
    },
    'submit',
    envelope,
    '--timeout',
    '1',
    '--json',
  );
  assert.equal(lost.status, 3, lost.stdout);
  assert.ok(!existsSync(join(lab.folder, 'records/run-6.intent.stele.json')));
  const again = await lab.run('submit', envelope, '--json');
  assert.equal(again.status, 0, again.stdout);
  assert.equal(world.log.published()?.size, size + 1, 'the entry is there once');
  assert.deepEqual(new Set(sent), new Set([bytes]));
});

test('killed while the log keeps it waiting, submit sends the same bytes when it runs again', async () => {
  assert.equal((await lab.run(...INTENT, '--run', 'run-12')).status, 0);
  const envelope = 'records/run-12.intent.dsse.json';
  const bytes = lab.read(envelope);
  // A log that takes the entry and never answers.
  let received: (body: string) => void;
  const body = new Promise<string>((resolve) => (received = resolve));
  const silent = createServer((request) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => received(text));
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const main = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'submit', envelope, '--log', `http://127.0.0.1:${port}/`], {
    cwd: lab.folder,
  });
  assert.equal(await body, bytes);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  silent.closeAllConnections();
  silent.close();
  assert.equal((await lab.run(...INTENT, '--run', 'run-12', '--json')).json.result['reused'], true);
  assert.equal((await lab.run('submit', envelope)).status, 0);
  assert.equal(lab.read(envelope), bytes);
});

test('progress and final statements follow one another without being told', async () => {
  await intent('run-7');
  for (const step of [5, 10]) {
    mkdirSync(join(lab.folder, `out/checkpoint-${step}`), { recursive: true });
    writeFileSync(join(lab.folder, `out/checkpoint-${step}/model.safetensors`), `weights ${step}`);
    writeFileSync(join(lab.folder, `out/checkpoint-${step}/trainer_state.json`), `{"global_step": ${step}}`);
    const words = [
      'attest',
      'run-progress',
      '--run',
      'run-7',
      '--checkpoint',
      `out/checkpoint-${step}`,
      '--otherwise',
      'not-measured',
    ];
    const signed = await lab.run(...words, '--json');
    assert.equal(signed.status, 0, signed.stdout);
    assert.equal((await lab.run(...words, '--json')).json.result['reused'], true);
  }
  const predicate = (name: string): Record<string, Json> =>
    (
      parseJson(parseEnvelope(readFileSync(join(lab.folder, name))).payload) as {
        predicate: Record<string, Json>;
      }
    ).predicate;
  const second = predicate('records/run-7.progress-0001.dsse.json');
  assert.deepEqual([second['window'], second['firstStep'], second['lastStep']], [1, 5, 10]);
  const final = [
    'attest',
    'run-final',
    '--run',
    'run-7',
    '--outcome',
    'completed',
    '--model',
    'out/checkpoint-10',
    '--flop-6nd',
    '100,50',
    '--otherwise',
    'not-measured',
  ];
  assert.equal((await lab.run(...final)).status, 0);
  for (const name of ['progress-0000', 'progress-0001', 'final']) {
    const submitted = await lab.run('submit', `records/run-7.${name}.dsse.json`);
    assert.equal(submitted.status, 0, submitted.stderr);
  }
  const bundle = 'records/run-7.final.stele.json';
  assert.match((await lab.run('verify', bundle, '--model', 'out/checkpoint-10')).stdout, /pass +weights/);
  const wrong = await lab.run('verify', bundle, '--model', 'out/checkpoint-5', '--json');
  assert.equal(wrong.status, 1);
  assert.equal(statuses(wrong.json.checks)['weights'], 'fail');

  const held = async (record: string, folder: string): Promise<[number, Record<string, string>]> => {
    const answer = await lab.run('verify', `records/run-7.${record}.stele.json`, '--model', folder, '--json');
    return [answer.status, statuses(answer.json.checks)];
  };
  // A window states the weights of its checkpoints.
  const [right, checks] = await held('progress-0001', 'out/checkpoint-10');
  assert.deepEqual([right, checks['weights'], checks['folder']], [0, 'pass', 'pass']);
  const [other, checked] = await held('progress-0001', 'out/checkpoint-5');
  assert.deepEqual([other, checked['weights']], [1, 'fail']);
  // Who names a folder, and a record that says nothing of it, has not had it verified.
  const [nothing, none] = await held('intent', 'out/checkpoint-10');
  assert.deepEqual([nothing, none['weights']], [1, 'not-checkable']);
  // The code that loads the weights lies beside them.
  lab.write('out/checkpoint-10/modeling.py', 'import os');
  for (const record of ['progress-0001', 'final']) {
    const [status, more] = await held(record, 'out/checkpoint-10');
    assert.deepEqual([status, more['weights'], more['folder']], [1, 'pass', 'fail'], record);
  }
});

test('prove and get find an entry by index, digest and file, and say when there is none', async () => {
  const { envelope } = await intent('run-8');
  const submitted = await lab.run('submit', envelope, '--json');
  const [entry] = submitted.json.result['entries'] as { index: number; id: string }[];
  assert.ok(entry);
  for (const target of [String(entry.index), entry.id, envelope]) {
    const proven = await lab.run('prove', target, '-o', 'proven.stele.json', '--json');
    assert.equal(proven.status, 0, proven.stdout);
    assert.equal(proven.json.result['index'], entry.index);
    assert.equal((await lab.run('verify', 'proven.stele.json')).status, 0);
    assert.equal((await lab.run('get', target, '--raw')).stdout, lab.read(envelope));
  }
  const proof = await lab.run('prove', String(entry.index), '--tlog-proof');
  assert.equal(parseTlogProof(Buffer.from(proof.stdout)).index, entry.index);
  assert.match((await lab.run('get', 'checkpoint')).stdout, /^log\.example\/test\n/);
  for (const target of ['999999', 'a'.repeat(64)]) {
    const none = await lab.run('get', target, '--json');
    assert.equal(none.status, 1);
    assert.equal(none.json.error?.code, 'not_found');
  }
});

test('what the log does not admit is refused with its own code, status 1', async () => {
  const nobody = world.person('nobody');
  nobody.write('given', world.policy);
  nobody.write('spec.md', 'x');
  const made = await nobody.run(
    'init',
    'nobody',
    '--name',
    'Nobody',
    '--log',
    world.log.url,
    '--policy',
    'given',
  );
  assert.equal(made.status, 0, made.stderr);
  assert.equal((await nobody.run(...INTENT, '--run', 'r')).status, 0);
  const refused = await nobody.run('submit', 'records/r.intent.dsse.json', '--json');
  assert.equal(refused.status, 1, refused.stdout);
  assert.equal(refused.json.error?.code, 'unknown_key');
});

test('a log that contradicts what it showed before is status 5, and the evidence is on disk', async () => {
  const victim = await introduceLab(world, 'victim');
  const { logKey } = { logKey: readFileSync(join(world.logFolder, 'log.key'), 'utf8') };
  const { formatCheckpoint, parseCheckpoint, parseNote, parseSigningKey, signNote } =
    await import('../tlog/index.js');
  const served = await (await fetch(`${world.log.url}/checkpoint`)).text();
  const { size, origin } = parseCheckpoint(parseNote(Buffer.from(served)).text);
  const text = formatCheckpoint({ origin, size, rootHash: new Uint8Array(32), extensions: [] });
  const fork = signNote(text, [parseSigningKey(logKey.trimEnd())]);
  // The reader believes the log's key alone, so that the fork is accepted at all.
  victim.write('lonely-policy', `${world.policy.split('\n')[0] ?? ''}\nquorum none\n`);
  const seen = await victim.run('get', 'checkpoint', '--policy', 'lonely-policy');
  assert.equal(seen.status, 0, seen.stderr);
  const lied = await victim.runWith(
    {
      fetch: (url, init) =>
        url.endsWith('/checkpoint') ? Promise.resolve(new Response(fork)) : fetch(url, init),
    },
    'get',
    'checkpoint',
    '--policy',
    'lonely-policy',
    '--json',
  );
  assert.equal(lied.status, 5, lied.stdout);
  assert.equal(lied.json.error?.code, 'inconsistent');
  const [path = ''] = /\S+\.evidence/.exec(lied.json.error.message) ?? [];
  const verified = await victim.run('evidence', 'verify', path, '--policy', 'lonely-policy', '--json');
  assert.equal(verified.status, 0, verified.stdout);
  assert.deepEqual(verified.json.checks.length, 1);
});

test('bad input at every door ends with status 2 and a stable code', async () => {
  const { bundle, envelope } = await intent('run-9');
  lab.write('empty', '');
  lab.write('text', 'not json\u0007');
  lab.write('bad-policy', 'witness');
  lab.write('exposed.key', lab.read('keys/signing.key'), 0o644);
  lab.write('bad.key', 'PRIVATE+KEY+x', 0o600);
  lab.write('twice.json', lab.read(bundle).replace('"proof"', '"envelope"'));
  lab.write('unknown-field.json', JSON.stringify({ ...(JSON.parse(lab.read(bundle)) as object), more: 1 }));
  const cases: [string, string[]][] = [
    ['usage', ['frobnicate']],
    ['usage', ['verify']],
    ['usage', ['verify', '--nope', bundle]],
    ['usage', ['attest', 'run-intent']],
    ['unreadable', ['verify', 'missing.json']],
    ['unreadable', ['submit', 'records']],
    ['bad_json', ['verify', 'empty']],
    ['bad_json', ['submit', 'text']],
    ['bad_json', ['verify', 'twice.json']],
    ['bad_bundle', ['verify', 'unknown-field.json']],
    ['bad_policy', ['verify', bundle, '--policy', 'bad-policy']],
    ['unreadable', ['verify', bundle, '--policy', 'missing']],
    ['key_exposed', [...INTENT, '--run', 'r', '--key', 'exposed.key']],
    ['bad_signing_key', [...INTENT, '--run', 'r', '--key', 'bad.key']],
    ['wrong_key', [...INTENT, '--run', 'r', '--participant', 'somebody']],
    ['bad_identifier', [...INTENT, '--run', 'No Such Run']],
    ['bad_number', [...INTENT, '--run', 'r', '--seed', '1e3']],
    ['bad_time', [...INTENT, '--run', 'r', '--planned-start', 'tomorrow']],
    // A year, or a day, of which each was a second of January 1970.
    ['bad_time', [...INTENT, '--run', 'r', '--planned-start', '2026']],
    ['bad_time', ['search', '--since', '20260301']],
    ['bad_time', ['search', '--until', '99999999']],
    ['bad_time', ['search', '--since', '2026-03-02T00:00:00Z', '--until', '2026-03-01T00:00:00Z']],
    ['bad_identifier', ['search', '--by', 'a b']],
    ['usage', ['search', '--by', 'a', '--participant', 'b']],
    ['bad_identifier', ['search', '--run', 'a b', '--all']],
    ['bad_type', ['search', '--type', 'no such']],
    ['usage', ['get', 'terms', '--raw']],
    ['bad_statement', ['get', 'terms', '--set', 'anchorInterval=0']],
    ['bad_digest', [...INTENT, '--run', 'r', '--code', 'missing-folder']],
    ['bad_statement', [...INTENT, '--run', 'r', '--otherwise', 'because']],
    ['not_stated', ['attest', 'run-intent', '--run', 'r', '--spec', 'spec.md']],
    [
      'missing_specification',
      ['attest', 'run-intent', '--run', 'r', '--band', '1-10', '--otherwise', 'withheld'],
    ],
    ['bad_commit', [...INTENT, '--run', 'r', '--commit', 'seed']],
    ['bad_request', ['attest', 'participant', '--request', bundle]],
    ['bad_change', ['attest', 'participant-key']],
    ['bad_digest', ['attest', 'participant-key', '--revoke', 'abc']],
    ['bad_digest', ['attest', 'participant-key', '--rotate', 'abc', '--new-key', 'keys/signing.key']],
    ['bad_digest', ['attest', 'participant-key', '--object', 'abc']],
    [
      'usage',
      ['attest', 'participant-key', '--rotate', 'abc', '--new-key', 'keys/signing.key', '--use', 'both'],
    ],
    ['bad_envelope', ['submit', bundle]],
    ['bad_outcome', ['attest', 'run-final', '--run', 'r', '--outcome', 'happy', '--otherwise', 'withheld']],
    ['bad_settings', ['get', '0', '--log', 'nowhere']],
    ['bad_settings', ['get', '0', '--timeout', 'soon']],
    ['already_initialised', ['init', 'acme', '--name', 'Acme']],
    ['bad_commit', [...INTENT, '--run', 'r', '--commit', 'no-such-field']],
    ['file_exists', ['keygen', 'acme', '-o', 'keys/signing.key']],
    ['bad_identifier', ['keygen', 'Acme']],
  ];
  for (const [code, argv] of cases) {
    const answer = await lab.run(...argv, '--json');
    assert.equal(answer.json.error?.code, code, `${argv.join(' ')}: ${answer.stdout}`);
    assert.equal(answer.status, 2, argv.join(' '));
    assert.ok(answer.json.error.message.length > 10);
    assert.equal(answer.stderr, '');
  }
  assert.ok(existsSync(join(lab.folder, envelope)));
  for (const [argv, message, hint] of [
    [['submit', 'records'], /^records: expected a file, found a folder$/, /^check the path$/],
    [['verify', 'spec.md'], /^spec\.md: JSON: /, /^name a file that "stele attest"/],
    [['submit', 'text'], /^text: JSON: /, /^name a file that "stele attest"/],
  ] as const) {
    const { error } = (await lab.run(...argv, '--json')).json;
    assert.match(error?.message ?? '', message);
    assert.match(error?.hint ?? '', hint);
  }
  // Who makes the file of settings is not told to take them from one.
  const fresh = new Person(world.root, 'fresh');
  const { error } = (await fresh.run('init', 'acme', '--name', 'Acme', '--json')).json;
  assert.deepEqual(
    [error?.message, error?.hint],
    ['--log: expected URL of the log, found none', 'give --log, or set STELE_LOG'],
  );
});

test('what an attest command cannot do without is named, with an example', async () => {
  const otherwise = ['--spec', 'spec.md', '--otherwise', 'withheld'];
  const cases: [argv: string[], code: string, message: RegExp, hint: RegExp][] = [
    [['run-progress'], 'usage', /--run <id>/, /^such as stele attest run-progress --run <id>; see /],
    [['participant'], 'usage', /--request <file>/, /such as stele attest participant --request <file>/],
    [['charter-amendment'], 'usage', /--terms <file>/, / --terms <file> --amends <file>/],
    [
      ['run-progress', '--run', 'r', ...otherwise],
      'missing_option',
      /expected --last-step \(or a --checkpoint .*\), found none$/,
      /^such as "stele attest run-progress --run r --last-step 500 --otherwise withheld"$/,
    ],
    [
      ['run-progress', '--run', 'r', '--start', '2030-01-01T00:00:00Z'],
      'not_stated',
      /--last-step .*, --end, --chip-seconds, --flop-to-date, --checkpoint, transcript \(by --fields\), found none$/,
      /run-progress --run r --spec run.md --last-step 500 --otherwise withheld"; --otherwise says of all/,
    ],
    [['run-intent', '--run', 'r', ...otherwise], 'missing_option', /--planned-flop or --band/, / --band 1/],
    [['run-final', '--run', 'r', ...otherwise], 'missing_option', /--outcome/, / --outcome completed /],
    [
      ['run-final', '--run', 'r', '--outcome', 'failed'],
      'not_stated',
      /--tokens, --model, found/,
      /withheld/,
    ],
    [
      ['participant-key', '--rotate', 'x'],
      'bad_change',
      /found --rotate$/,
      /--rotate KEY-ID --new-key new.key/,
    ],
    [
      ['participant-key', '--revoke', 'x', '--object', 'y'],
      'bad_change',
      /found --revoke and --object$/,
      /--revoke KEY-ID/,
    ],
  ];
  for (const [argv, code, message, hint] of cases) {
    const { status, json, stdout } = await lab.run('attest', ...argv, '--json');
    assert.deepEqual([status, json.error?.code], [2, code], stdout);
    assert.match(json.error?.message ?? '', message);
    assert.match(json.error?.hint ?? '', hint);
  }
});

test('a request to a registrar names a participant that can be one, and at least one key', async () => {
  const request = JSON.parse(lab.read('participant-request.json')) as Record<string, unknown>;
  const cases: [string, unknown][] = [
    ['bad_identifier', { ...request, about: '../../elsewhere', keys: [] }],
    ['bad_identifier', { ...request, about: '', keys: [] }],
    ['bad_request', { ...request, about: 5 }],
    ['bad_request', { ...request, keys: [] }],
    ['bad_request', { ...request, about: 'another' }],
  ];
  for (const [code, value] of cases) {
    lab.write('request.json', JSON.stringify(value));
    const answer = await lab.run('attest', 'participant', '--request', 'request.json', '--json');
    assert.deepEqual([answer.status, answer.json.error?.code], [2, code], answer.stdout);
  }
});

test('an address without a log is not found, status 1', async () => {
  const nothing = (): Promise<Response> => Promise.resolve(new Response(null, { status: 404 }));
  const answer = await lab.runWith({ fetch: nothing }, 'get', '0', '--json');
  assert.deepEqual([answer.status, answer.json.error?.code], [1, 'not_found'], answer.stdout);
});

test('a log that lags behind its own proofs is held to them', async () => {
  const owner = await introduceLab(world, 'lagging');
  owner.write('spec.md', 'x');
  const stale = await (await fetch(`${world.log.url}/checkpoint`)).text();
  const behind: Context['fetch'] = (url, init) =>
    url.endsWith('/checkpoint') ? Promise.resolve(new Response(stale)) : fetch(url, init);
  assert.equal((await owner.run(...INTENT, '--run', 'lag')).status, 0);
  const words = ['submit', 'records/lag.intent.dsse.json', '--json'];
  const submitted = await owner.runWith({ fetch: behind }, ...words);
  assert.equal(submitted.status, 0, submitted.stdout);
  const [entry] = submitted.json.result['entries'] as { size: number }[];
  const remembered = await owner.runWith({ fetch: behind }, 'get', 'checkpoint', '--json');
  assert.equal(remembered.json.result['size'], entry?.size, remembered.stdout);
});

test('the network’s troubles are status 3, and say where', async () => {
  const { envelope } = await intent('run-11');
  const refused = await lab.run('get', '0', '--log', 'http://127.0.0.1:9/', '--json');
  assert.equal(refused.status, 3, refused.stdout);
  assert.equal(refused.json.error?.code, 'unreachable');
  const garbled = await lab.runWith(
    { fetch: () => Promise.resolve(new Response('hello')) },
    'submit',
    envelope,
    '--json',
  );
  assert.equal(garbled.status, 3);
  assert.equal(garbled.json.error?.code, 'bad_reply');
  const busy = new Response('{"error":{"code":"queue_full","message":"busy\\u001b[31m","hint":"wait"}}', {
    status: 503,
    headers: { 'retry-after': '90' },
  });
  const waited = await lab.runWith({ fetch: () => Promise.resolve(busy) }, 'submit', envelope);
  assert.equal(waited.status, 3);
  assert.match(waited.stderr, /queue_full/);
  assert.ok(!waited.stderr.includes('\u001b'), 'text from the log is escaped');
});

test('a statement is signed while the log is away, naming the last anchor seen', async () => {
  const offline = await lab.run(...INTENT, '--run', 'run-10', '--log', 'http://127.0.0.1:9/');
  assert.equal(offline.status, 0, offline.stderr);
  assert.match(offline.stderr, /naming the last anchor seen/);
  assert.equal((await lab.run('submit', 'records/run-10.intent.dsse.json')).status, 0);
});

test('a key is rotated by its own signature, and the old one signs no more', async () => {
  const owner = await introduceLab(world, 'rotator');
  owner.write('spec.md', 'x');
  assert.equal((await owner.run('keygen', 'rotator', '-o', 'keys/new.key')).status, 0);
  const { signing } = JSON.parse(owner.read('participant-request.json')) as { signing?: string };
  assert.equal(signing, undefined);
  const made = await owner.run(...INTENT, '--run', 'before');
  assert.equal(made.status, 0, made.stderr);
  const oldKey =
    (JSON.parse(owner.read('records/before.intent.dsse.json')) as { signatures: { keyid: string }[] })
      .signatures[0]?.keyid ?? '';
  const rotated = await owner.run(
    'attest',
    'participant-key',
    '--rotate',
    oldKey,
    '--new-key',
    'keys/new.key',
    '--json',
  );
  assert.equal(rotated.status, 0, rotated.stdout);
  assert.equal((await owner.run('submit', String(rotated.json.result['file']))).status, 0);
  const refused = await owner.run('submit', 'records/before.intent.dsse.json', '--json');
  assert.equal(refused.status, 1, refused.stdout);
  assert.equal((await owner.run(...INTENT, '--run', 'after', '--key', 'keys/new.key')).status, 0);
  assert.equal((await owner.run('submit', 'records/after.intent.dsse.json')).status, 0);
  const verified = await owner.run('verify', 'records/after.intent.stele.json', '--json');
  assert.equal(statuses(verified.json.checks)['signer'], 'pass', verified.stdout);
});

test('help is no error, and names no command that is not there', async () => {
  const help = await lab.run('--help');
  assert.equal(help.status, 0);
  for (const later of ['audit', 'disclose']) {
    assert.ok(!new RegExp(`^ {2}${later}\\b`, 'm').test(help.stdout), later);
  }
  assert.equal((await lab.run()).status, 2);
});
