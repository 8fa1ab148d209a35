// Searching: the log's index and its news over HTTP, `stele search`, and an index that somebody deletes.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { Agent, createServer, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { introduceLab, startWorld, type Person, type World } from './cli/world.js';

let world: World;
let acme: Person;

interface Page {
  indexed: number;
  published: number;
  entries: {
    index: number;
    id: string;
    type: string;
    participant: string;
    about?: string;
    run?: string;
    loggedBy: number | null;
  }[];
  next: number | null;
}

const ask = async (query: string): Promise<Page> => {
  const answer = await fetch(`${world.log.url}/api/v1/search?${query}`);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text) as Page;
};

/** Asks until the index has caught up with what is published. */
async function caughtUp(query: string): Promise<Page> {
  for (;;) {
    const answer = await fetch(`${world.log.url}/api/v1/search?${query}`);
    const page = (await answer.json()) as Page;
    if (answer.status === 200 && page.indexed === (world.log.published()?.size ?? 0)) return page;
    await delay(20);
  }
}

async function declare(lab: Person, run: string): Promise<void> {
  const words = ['--spec', 'spec.md', '--planned-flop', '10', '--otherwise', 'withheld', '--run', run];
  assert.equal((await lab.run('attest', 'run-intent', ...words)).status, 0);
  const done = await lab.run('submit', `records/${run}.intent.dsse.json`);
  assert.equal(done.status, 0, done.stderr);
}

before(async () => {
  world = await startWorld();
  acme = await introduceLab(world, 'acme');
  const other = await introduceLab(world, 'other');
  for (const lab of [acme, other]) lab.write('spec.md', 'a run');
  for (const run of ['one', 'two', 'three']) await declare(acme, run);
  await declare(other, 'one');
});
after(() => world.close());

test('entries by participant, run, type and digest, oldest or newest first, in pages', async () => {
  const all = await caughtUp('participant=acme');
  assert.deepEqual(
    all.entries.map(({ type, run }) => [type, run]),
    [
      ['participant', undefined],
      ['run-intent', 'one'],
      ['run-intent', 'two'],
      ['run-intent', 'three'],
    ],
  );
  assert.equal(all.entries.at(0)?.about, 'acme');
  assert.equal(all.entries.at(0)?.participant, 'office');
  assert.equal(all.next, null);

  assert.deepEqual(
    (await ask('run=one')).entries.map(({ participant }) => participant),
    ['acme', 'other'],
  );
  assert.deepEqual((await ask('run=one&participant=other')).entries.length, 1);
  assert.deepEqual(
    (await ask('type=charter')).entries.map(({ index }) => index),
    [0],
  );
  const { id, index } = all.entries[2] ?? { id: '', index: -1 };
  assert.equal((await ask(`digest=${id}`)).entries[0]?.index, index);
  assert.deepEqual((await ask('participant=nobody')).entries, []);

  const pages: number[] = [];
  let next: number | null = null;
  do {
    const page = await ask(`participant=acme&order=newest&limit=1${next === null ? '' : `&after=${next}`}`);
    pages.push(...page.entries.map((entry) => entry.index));
    next = page.next;
  } while (next !== null);
  assert.deepEqual(pages, all.entries.map((entry) => entry.index).reverse());
});

test('questions that are none are refused', async () => {
  for (const query of [
    'participants=acme',
    'limit=0',
    'limit=1001',
    'digest=xy',
    'order=up',
    'from=-1',
    'run=a&run=b',
    'participant=%00',
  ]) {
    const answer = await fetch(`${world.log.url}/api/v1/search?${query}`);
    assert.equal(answer.status, 400, query);
    await answer.body?.cancel();
  }
});

test('times are those of anchors', async () => {
  const { entries } = await caughtUp('limit=3');
  // Entry 0 is covered by the first anchor; what comes after it waits for the next.
  const [charter, , later] = entries;
  assert.ok(charter?.loggedBy != null);
  assert.equal(later?.loggedBy, null);
  const by = charter.loggedBy;
  assert.deepEqual(
    (await ask(`from=${by}&until=${by}`)).entries.map(({ index }) => index),
    [0],
  );
  assert.deepEqual((await ask(`until=${by - 1}`)).entries, []);
  assert.deepEqual((await ask(`from=${by + 1}`)).entries, []);
});

test('stele search shows what it has verified, and says what it rests on', async () => {
  await caughtUp('limit=1');
  const answer = await acme.run('search', '--by', 'acme', '--type', 'run-intent');
  assert.equal(answer.status, 0, answer.stderr);
  assert.deepEqual(
    [...answer.stdout.matchAll(/run-intent {2}(\S+)/g)].map(([, run]) => run),
    ['three', 'two', 'one'],
  );
  assert.match(answer.stderr, /3 found.*own index.*cannot be seen/s);
  // The head stands above the columns, and not among what scripts read.
  assert.match(answer.stderr, /^entry {2}participant {2}type {8}run {4}logged$/m);
  assert.match(answer.stdout, /^ *[0-9]+ {2}acme {9}run-intent {2}three {2}(by|not)/);
  assert.deepEqual(
    (await acme.run('search', '--participant', 'acme', '--type', 'run-intent')).stdout,
    answer.stdout,
  );
  const charter = await acme.run('search', '--type', 'charter');
  assert.match(charter.stdout, / by [0-9-]{10}T[0-9:]{8}Z$/m);
  // To find none is an answer, unlike to be given none.
  for (const way of [[], ['--all']]) {
    const none = await acme.run('search', '--participant', 'acme', '--run', 'nowhere', ...way, '--json');
    assert.deepEqual([none.status, none.json.ok, none.json.result['entries']], [0, true, []]);
  }
  const whole = await acme.run('search', '--by', 'acme', '--type', 'run-intent', '--all', '--json');
  assert.deepEqual(
    (whole.json.result['entries'] as { run: string }[]).map(({ run }) => run),
    ['three', 'two', 'one'],
  );
  const first = await acme.run('search', '--by', 'acme', '--oldest', '--limit', '2', '--json');
  assert.deepEqual(
    (first.json.result['entries'] as { type: string }[]).map(({ type }) => type),
    ['participant', 'run-intent'],
  );
  assert.equal(first.json.result['more'], true);
  assert.equal((await acme.run('search', '--digest', 'XY')).status, 2);
  assert.equal((await acme.run('search', '--all', '--since', '2026-01-01T00:00:00Z')).status, 2);
});

test('an index that names what does not fit, or leads in a circle, is not believed', async (t) => {
  // In front of the log: everything is the log's own but the index.
  let asked = 0;
  let lie: () => object = () => ({});
  let refusal: string | undefined;
  const liar = createServer((request, response) => {
    if (request.url?.startsWith('/api/v1/search') === true) {
      asked++;
      if (refusal !== undefined) response.writeHead(400);
      response.end(refusal ?? JSON.stringify({ indexed: 9, published: 9, ...lie() }));
      return;
    }
    void fetch(world.log.url + (request.url ?? '')).then(async (answer) => {
      response.writeHead(answer.status).end(new Uint8Array(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    liar.closeAllConnections();
    liar.close();
  });
  const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
  lie = () => ({ entries: [{ index: 1, loggedBy: null }], next: null });
  const answer = await acme.run('search', '--by', 'acme', '--log', url);
  assert.equal(answer.status, 3);
  assert.match(answer.stderr, /entry 1, which does not \(bad_reply\)/);
  assert.equal(answer.stdout, '');
  asked = 0;
  lie = () => ({ entries: [], next: asked % 2 === 0 ? 6 : 5 });
  const circle = await acme.run('search', '--by', 'acme', '--log', url);
  assert.equal(circle.status, 3);
  assert.match(circle.stderr, /bad_reply/);
  assert.ok(asked <= 3);
  asked = 0;
  lie = () => ({ entries: [], next: asked });
  const nothing = await acme.run('search', '--by', 'acme', '--oldest', '--log', url);
  assert.equal(nothing.status, 3);
  assert.match(nothing.stderr, /nothing for very long \(bad_reply\)/);
  assert.ok(asked <= 20, `${asked} pages`);
  const many = Array.from({ length: 30 }, () => ({ index: 0, loggedBy: null }));
  lie = () => ({ entries: many, next: null });
  assert.match((await acme.run('search', '--type', 'charter', '--log', url)).stderr, /at most 20 entries/);
  refusal = '{"error":{"code":"bad_request","message":"limit: expected at most 10,\\nfound 20"}}';
  const refused = await acme.run('search', '--by', 'acme', '--log', url);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /says: limit: expected at most 10, found 20 \(bad_question\)\n.*--all/);
  refusal = 'no';
  assert.match((await acme.run('search', '--log', url)).stderr, /says: nothing of why \(bad_question\)/);
});

test('news of entries come as they are published, and go on where a reader left off', async () => {
  const size = world.log.published()?.size ?? 0;
  const leave = new AbortController();
  const answer = await fetch(`${world.log.url}/api/v1/events`, {
    headers: { 'last-event-id': String(size - 2) },
    signal: leave.signal,
  });
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  let text = '';
  const reading = (async () => {
    for await (const chunk of answer.body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
  })().catch(() => undefined);
  await declare(acme, 'news');
  while (!text.includes('"run":"news"')) await delay(20);
  leave.abort();
  await reading;
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  assert.deepEqual(ids, [size - 1, size]);
});

test('who asks for the head of the news gets it, and takes no place', async () => {
  const { port } = new URL(world.log.url);
  // Not from 127.0.0.1, which may have any number. Each on a connection of its own, which stays.
  const agent = new Agent({ keepAlive: true });
  const from = { host: '127.0.0.1', port, localAddress: '127.0.0.2', agent };
  const head = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      request({ ...from, path: '/api/v1/events', method: 'HEAD' }, resolve)
        .on('error', reject)
        .end();
    });
  for (let i = 0; i < 17; i++) {
    const answer = await head();
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['x-accel-buffering'], 'no');
  }
  agent.destroy();
});

test('one address has 16 readers of events, and leaves room for others', async () => {
  const { port } = new URL(world.log.url);
  const open: ClientRequest[] = [];
  const read = (localAddress: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port, path: '/api/v1/events', localAddress, agent: false });
      open.push(asking);
      asking.on('error', reject);
      asking.on('response', (answer) => {
        answer.on('error', () => undefined).resume();
        resolve(answer.statusCode ?? 0);
      });
      asking.end();
    });
  for (let i = 0; i < 16; i++) assert.equal(await read('127.0.0.2'), 200);
  assert.equal(await read('127.0.0.2'), 503);
  assert.equal(await read('127.0.0.3'), 200);
  // A proxy on this machine asks for everybody.
  for (let i = 0; i < 20; i++) assert.equal(await read('127.0.0.1'), 200);
  // A place that is left is free again.
  open[0]?.on('error', () => undefined).destroy();
  while ((await read('127.0.0.2')) !== 200) await delay(20);
  for (const asking of open)
    asking
      .removeAllListeners('error')
      .on('error', () => undefined)
      .destroy();
});

test('an index that is deleted under load, again and again, is made anew, and the log goes on', async () => {
  const folder = join(world.logFolder, 'search');
  const other = await introduceLab(world, 'busy');
  other.write('spec.md', 'a run');
  const load = { ended: false, deleted: false, refused: 0, answered: 0 };
  const asking = (async () => {
    while (!load.ended) {
      const answer = await fetch(`${world.log.url}/api/v1/search?type=run-intent`);
      const body = (await answer.json()) as { error?: { code: string } };
      // Nothing but this, however the files are gone.
      if (answer.status !== 200)
        assert.deepEqual([answer.status, body.error?.code], [503, 'index_unavailable']);
      load[answer.status === 200 ? 'answered' : 'refused']++;
    }
  })();
  const declaring = [acme, other].map(async (lab, i) => {
    let run = 0;
    for (; !load.deleted; run++) await declare(lab, `load-${i}-${run}`);
    return run;
  });
  for (let i = 0; i < 2; i++) {
    await caughtUp('run=one');
    rmSync(folder, { recursive: true });
    // What is published next shows the server that its files are gone.
    const before = load.refused;
    for (let tries = 0; load.refused === before; tries++) {
      assert.ok(tries < 2000, 'the index does not notice');
      await delay(10);
    }
  }
  load.deleted = true;
  const [, runs = 0] = await Promise.all(declaring);
  await declare(acme, 'after-deletion');
  const page = await caughtUp('run=after-deletion');
  load.ended = true;
  await asking;
  assert.equal(page.entries.length, 1);
  assert.ok(load.answered > 0 && load.refused > 0, JSON.stringify(load));
  // All of it is there again, from the charter on.
  const { entries } = await ask('limit=1000');
  assert.deepEqual(
    entries.map(({ index }) => index),
    Array.from({ length: world.log.published()?.size ?? 0 }, (_, i) => i),
  );
  assert.equal((await ask(`run=load-1-${runs - 1}`)).entries.length, 1);
});
