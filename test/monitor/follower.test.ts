// What a monitor says about a log that misbehaves, and what it does not say about one that does not.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { logStateFolder } from '../../cli/monitor/state.js';
import { verifyEvidence } from '../../evidence/index.js';
import {
  encodeUtf8,
  evaluatePolicy,
  formatCheckpoint,
  parsePolicy,
  signatureLine,
  signNote,
  signNoteLine,
} from '../../tlog/index.js';
import {
  History,
  Lab,
  LOG_URL,
  ORIGIN,
  POLICY,
  anchor,
  cosigned,
  logKey,
  look,
  plain,
  statement,
  statusOf,
  witnessKeys,
} from './lab.js';

const labs: Lab[] = [];
after(() => {
  for (const lab of labs) lab.remove();
});
function newLab(): Lab {
  const lab = new Lab();
  labs.push(lab);
  return lab;
}

const honest = plain();
const forked = plain('other', 300);
const policy = parsePolicy(encodeUtf8(POLICY));

/** Who is convicted by what the monitor wrote, as a stranger finds it: `log same-size`. */
function convicted(lab: Lab): string[] {
  return lab
    .evidence()
    .map((path) => verifyEvidence(new Uint8Array(readFileSync(path)), policy))
    .map(({ role, kind, convicted: [key] }) => `${role === 'log' ? 'log' : (key?.name ?? '')} ${kind}`)
    .sort();
}

test('an honest log that grows raises nothing, and everything is looked at', async () => {
  const lab = newLab();
  const follower = lab.follower();
  for (const size of [3, 255, 256, 257, 600, 600, 1024]) {
    await lab.publish(honest, size);
    const rows = await look(follower);
    for (const name of ['checkpoint', 'witness W0', 'quorum', 'tiles', 'consistency'])
      assert.equal(statusOf(rows, name), 'pass', `${name} at ${size}`);
    assert.equal(statusOf(rows, 'entries'), 'not-checkable');
    lab.pass(60);
  }
  assert.deepEqual(lab.told(), []);
});

test('a second history under the log’s key: evidence, then the alarm, and once', async () => {
  for (const [first, second] of [
    [500, 700],
    [700, 500],
    [600, 600],
  ] as const) {
    const lab = newLab();
    let written = 0;
    const follower = lab.follower({
      deliver: (events, delivered) => {
        written = lab.evidence().length;
        lab.events.push(...events);
        delivered();
      },
    });
    await lab.publish(honest, first);
    await look(follower);
    await lab.publish(forked, second, [1]);
    // What the larger tree is made of is there: either it is served or it was kept.
    if (second < first) lab.history = honest;
    if (second < first) lab.size = first;
    assert.equal(statusOf(await look(follower), 'consistency'), 'fail');
    assert.deepEqual(
      lab.told().filter((event) => event.includes('proven')),
      ['raised proven', 'raised proven'],
    );
    assert.equal(written, 2, 'the files are there before anybody hears of it');
    const kind = first === second ? 'same-size' : 'not-a-prefix';
    assert.deepEqual(convicted(lab), [`log ${kind}`, `witness.example/east ${kind}`]);
    lab.pass(60);
    await look(follower);
    await look(lab.follower());
    assert.ok(!lab.told().some((event) => event.includes('proven')), 'it is said once');
  }
});

test('the tree that was shown first convicts even when no address serves it any more', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  await look(follower);
  // From now on the address serves the other history only, and a smaller tree of it.
  await lab.publish(plain('other', 270), 400, []);
  await look(lab.follower());
  assert.deepEqual(convicted(lab), ['log not-a-prefix']);
});

test('a witness that was shown another history', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  lab.endpoints[2] = await cosigned(forked, 600, lab.seconds, [2]);
  const rows = await look(follower);
  assert.equal(statusOf(rows, 'consistency'), 'not-checkable');
  assert.deepEqual(lab.told(), []);
  lab.pass(299);
  await lab.publish(honest, 501, [0, 1]);
  await look(follower);
  assert.deepEqual(lab.told(), []);
  lab.pass(1);
  const restarted = lab.follower();
  await look(restarted);
  assert.deepEqual(lab.told(), ['raised not-shown W2']);
  // The log outgrows what it hides: now it is proof.
  await lab.publish(honest, 700, [0, 1]);
  await look(restarted);
  assert.deepEqual(convicted(lab), ['log not-a-prefix']);
  assert.deepEqual(lab.told(), ['raised proven', 'cleared not-shown W2']);
  // That the witness signed 500 of this one too is no proof without the other's tiles; 700 is.
  await lab.publish(honest, 700, [0, 1, 2]);
  lab.endpoints[2] = await cosigned(forked, 600, lab.seconds, [2]);
  await look(restarted);
  assert.deepEqual(convicted(lab), ['log not-a-prefix', 'witness.example/south not-a-prefix']);
  assert.deepEqual(lab.told(), ['raised proven']);
});

test('a witness that owes the proof of what it signed gives it: no tiles of the other history are needed', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  lab.endpoints[2] = await cosigned(forked, 600, lab.seconds, [2]);
  const owed = async (history: History): Promise<Response> => {
    const hashes = [await history.root(500), ...(await history.proof(500, 600))];
    const [root = '', ...proof] = hashes.map((hash) => Buffer.from(hash).toString('base64'));
    return new Response([`root ${root}`, ...proof, ''].join('\n'));
  };
  // Who makes one up convicts nobody.
  lab.override = (url) => (url.endsWith('/consistency/500/600') ? owed(honest) : undefined);
  assert.equal(statusOf(await look(follower), 'consistency'), 'not-checkable');
  assert.deepEqual(convicted(lab), []);
  lab.override = (url) => (/witness-2.*\/consistency\/500\/600$/.test(url) ? owed(forked) : undefined);
  await look(follower);
  assert.deepEqual(convicted(lab), ['log not-a-prefix', 'witness.example/south not-a-prefix']);
});

test('a tree that a witness has and the log does not show', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  const shown = lab.checkpoint;
  await lab.publish(honest, 520);
  lab.checkpoint = shown;
  await look(follower);
  assert.deepEqual(lab.told(), [], 'a log signs before it publishes');
  lab.pass(300);
  await look(follower);
  assert.deepEqual(lab.told(), ['raised not-shown W0', 'raised not-shown W1', 'raised not-shown W2']);
  await lab.publish(honest, 520);
  await look(lab.follower());
  assert.deepEqual(lab.told(), ['cleared not-shown W0', 'cleared not-shown W1', 'cleared not-shown W2']);
  assert.deepEqual(convicted(lab), []);
});

test('an empty tree with a root convicts by itself', async () => {
  const lab = newLab();
  const text = formatCheckpoint({ origin: ORIGIN, size: 0, rootHash: new Uint8Array(32), extensions: [] });
  lab.checkpoint = signNote(text, [logKey]);
  await look(lab.follower());
  assert.deepEqual(convicted(lab), ['log empty-tree']);
});

test('a log that goes back, across a restart', async () => {
  const lab = newLab();
  await lab.publish(honest, 500);
  await look(lab.follower());
  await lab.publish(honest, 400);
  await look(lab.follower());
  assert.deepEqual(lab.told(), ['raised rollback']);
  lab.pass(60);
  const follower = lab.follower();
  await look(follower);
  assert.deepEqual(lab.told(), []);
  assert.deepEqual(
    follower.alarms.raised.map(({ kind, since }) => [kind, lab.now - since]),
    [['rollback', 60_000]],
  );
  await lab.publish(honest, 501);
  await look(lab.follower());
  assert.deepEqual(lab.told(), ['cleared rollback']);
  assert.deepEqual(convicted(lab), []);
});

test('a log, and a witness, gone quiet', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  await look(follower);
  for (let i = 0; i < 3; i++) {
    lab.pass(1800);
    await lab.publish(honest, 501 + i, [0, 1]);
    await look(follower);
  }
  assert.deepEqual(lab.told(), []);
  lab.pass(1800);
  await lab.publish(honest, 510, [0, 1]);
  await look(follower);
  assert.deepEqual(lab.told(), ['raised quiet-witness W2']);
  // The log does not answer at all.
  lab.checkpoint = undefined;
  lab.pass(3599);
  await look(follower);
  assert.deepEqual(lab.told(), []);
  lab.pass(1);
  const restarted = lab.follower();
  assert.equal(statusOf(await look(restarted), 'checkpoint'), 'not-checkable');
  assert.deepEqual(lab.told(), ['raised quiet-log']);
  await lab.publish(honest, 520);
  await look(restarted);
  assert.deepEqual(lab.told(), ['cleared quiet-log', 'cleared quiet-witness W2']);
});

test('anchors gone quiet: raised with the age of the newest, cleared when one comes', async () => {
  const lab = newLab();
  const anchors = new Map<number, Uint8Array>();
  const history = new History((index) => anchors.get(index) ?? encodeUtf8(`entry ${index}`));
  const follower = lab.follower();
  const ages = (from: typeof follower): [string, number][] =>
    from.alarms.raised.map(({ kind, since }) => [kind, (lab.now - since) / 1000]);
  // The log grows all the while, and its witnesses cosign: only anchors stay away.
  await lab.publish(history, 9);
  await look(follower);
  lab.pass(7199);
  await lab.publish(history, 10);
  const rows = await look(follower);
  assert.equal(statusOf(rows, 'anchors'), 'not-checkable');
  assert.deepEqual(lab.told(), [], 'a log that never had any is not quiet');
  // Logged a while after its witnesses cosigned: its age is by their time.
  anchors.set(10, anchor(await cosigned(history, 10, lab.seconds)));
  const made = lab.now;
  lab.pass(599);
  await lab.publish(history, 12);
  assert.equal(statusOf(await look(follower), 'anchors'), 'pass');
  lab.pass(3000);
  await lab.publish(history, 13);
  await look(follower);
  assert.deepEqual(lab.told(), [], 'a second too early');
  lab.pass(1);
  await look(follower);
  const [event] = lab.events;
  assert.ok(event?.event === 'raised');
  assert.deepEqual([event.kind, Date.parse(event.since)], ['quiet-anchors', made]);
  assert.match(event.detail, /^the newest anchor, entry 10, was made 2027-/);
  assert.deepEqual(lab.told(), ['raised quiet-anchors']);
  lab.pass(600);
  await lab.publish(history, 14);
  const restarted = lab.follower();
  await look(restarted);
  assert.deepEqual(lab.told(), [], 'it is said once');
  assert.deepEqual(ages(restarted), [['quiet-anchors', 4200]]);
  // An anchor that is logged now and was made as long ago changes nothing.
  anchors.set(14, anchor(await cosigned(history, 11, lab.seconds - 3600)));
  await lab.publish(history, 15);
  await look(restarted);
  assert.deepEqual(lab.told(), []);
  assert.deepEqual(ages(restarted), [['quiet-anchors', 3600]]);
  anchors.set(15, anchor(await cosigned(history, 14, lab.seconds - 3599)));
  await lab.publish(history, 16);
  await look(restarted);
  assert.deepEqual(lab.told(), ['cleared quiet-anchors']);
  assert.deepEqual(ages(restarted), []);
  // Who wants no such alarm has none.
  lab.pass(3600);
  await lab.publish(history, 17);
  await look(
    lab.follower({ limits: { log: 3_600_000, witness: 7_200_000, anchors: undefined, lag: 300_000 } }),
  );
  assert.deepEqual(lab.told(), []);
});

test('a witness that dates into the future does not stay fresh', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500, [0, 1]);
  lab.endpoints[2] = await cosigned(honest, 500, lab.seconds + 1_000_000, [2]);
  await look(follower);
  lab.pass(7200);
  await lab.publish(honest, 501, [0, 1]);
  await look(follower);
  assert.deepEqual(lab.told(), ['raised quiet-witness W2']);
});

test('a witness without a monitoring endpoint is known from the log’s checkpoints', async () => {
  const lab = newLab();
  const follower = lab.follower();
  for (let i = 0; i < 4; i++) {
    await lab.publish(honest, 500 + i);
    lab.endpoints.fill(undefined);
    assert.equal(statusOf(await look(follower), 'witness W1'), 'not-checkable');
    lab.pass(3599);
  }
  assert.deepEqual(lab.told(), []);
});

test('a lost quorum', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  await look(follower);
  await lab.publish(honest, 510, [0]);
  assert.equal(statusOf(await look(follower), 'quorum'), 'fail');
  assert.deepEqual(lab.told(), ['raised quorum']);
  await look(follower);
  await lab.publish(honest, 511, [0, 2]);
  await look(follower);
  assert.deepEqual(lab.told(), ['cleared quorum']);
});

test('tiles that are missing or altered', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 600);
  await look(follower);
  for (const damage of [
    (url: string): Response | undefined =>
      url.includes('tile/0/000') ? new Response(new Uint8Array(8192)) : undefined,
    (url: string): Response | undefined =>
      url.includes('tile/0/002.p/88') ? new Response(new Uint8Array(88 * 32)) : undefined,
    (url: string): Response | undefined =>
      url.includes('tile/1/000.p/2') || url.includes('tile/1/000')
        ? new Response(null, { status: 404 })
        : undefined,
  ]) {
    lab.override = (url) => {
      const response = damage(url);
      return response && Promise.resolve(response);
    };
    assert.equal(statusOf(await look(follower), 'tiles'), 'fail');
    assert.deepEqual(lab.told(), ['raised tiles']);
    lab.override = () => undefined;
    assert.equal(statusOf(await look(follower), 'tiles'), 'pass');
    assert.deepEqual(lab.told(), ['cleared tiles']);
  }
  // A network that fails is nobody's fault.
  lab.override = (url) =>
    url.includes('/tile/') ? Promise.reject(new TypeError('fetch failed')) : undefined;
  assert.equal(statusOf(await look(follower), 'tiles'), 'not-checkable');
  assert.deepEqual(lab.told(), []);
});

test('notes that are not what they should be prove nothing', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  await look(follower);
  const good = lab.checkpoint;
  const text = new TextDecoder().decode(good);
  const stranger = signNote(`${text.split('\n\n')[0] ?? ''}\n`, [
    { ...logKey, name: 'other.example', vkey: { ...logKey.vkey, name: 'other.example' } },
  ]);
  for (const note of [
    encodeUtf8('rubbish'),
    stranger,
    encodeUtf8(text.replace(/\n500\n/, '\n501\n')),
    encodeUtf8(text.replace(ORIGIN, 'log.example/another')),
  ]) {
    lab.checkpoint = note;
    assert.equal(statusOf(await look(follower), 'checkpoint'), 'fail');
    lab.checkpoint = good;
    lab.endpoints[0] = note;
    assert.equal(statusOf(await look(follower), 'witness W0'), 'fail');
  }
  // A checkpoint without its own cosignature says nothing about a witness.
  lab.endpoints[0] = await cosigned(honest, 500, lab.seconds, [1]);
  assert.equal(statusOf(await look(follower), 'witness W0'), 'fail');
  assert.deepEqual(lab.told(), []);
  assert.deepEqual(convicted(lab), []);
});

test('what an address adds to a note is not kept, and makes no other note of it', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 500);
  await look(follower);
  const before = kept(lab);
  assert.equal(before.length, 1);
  const good = lab.checkpoint ?? new Uint8Array();
  for (let i = 1; i <= 5; i++) {
    const junk = signatureLine(`stranger.example/${i}`, i, new Uint8Array(2000).fill(i));
    lab.checkpoint = encodeUtf8(new TextDecoder().decode(good) + junk.repeat(20));
    assert.equal(statusOf(await look(follower), 'checkpoint'), 'pass');
  }
  // Fewer lines, or older ones, are nothing new either.
  for (const witnesses of [[], [0], [1, 2], [2]]) {
    lab.checkpoint = await cosigned(honest, 500, lab.seconds - 9, witnesses);
    await look(follower);
  }
  assert.deepEqual(kept(lab), before);
  assert.ok(readFileSync(join(logStateFolder(lab.folder, ORIGIN), 'state.json')).length < 10_000);
  // The newest line by each key is.
  lab.pass(60);
  lab.checkpoint = await cosigned(honest, 500, lab.seconds, [1]);
  await look(follower);
  const [after = new Uint8Array(), ...more] = kept(lab);
  assert.deepEqual(more, []);
  assert.deepEqual(
    evaluatePolicy(policy, after).cosignatures.map(({ timestamp }) => timestamp - lab.seconds),
    [-60, 0, -60],
  );
});

/** The notes that were kept. */
function kept(lab: Lab): Uint8Array[] {
  const folder = join(logStateFolder(lab.folder, ORIGIN), 'notes');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => new Uint8Array(readFileSync(join(parentPath, name))));
}

test('no address is asked but those configured, and none that an answer names', async () => {
  const lab = newLab();
  const follower = lab.follower();
  await lab.publish(honest, 300);
  lab.override = (url) =>
    url.startsWith('http://witness-1')
      ? Promise.resolve(new Response(null, { status: 302, headers: { location: 'http://10.0.0.1/' } }))
      : undefined;
  const text = formatCheckpoint({
    origin: ORIGIN,
    size: 300,
    rootHash: await honest.root(300),
    extensions: ['http://10.0.0.2/'],
  });
  const key = witnessKeys[0];
  assert.ok(key);
  lab.endpoints[0] = encodeUtf8(
    new TextDecoder().decode(signNote(text, [logKey])) + signNoteLine(text, key, lab.seconds),
  );
  await look(follower);
  assert.ok(lab.asked.length > 5);
  for (const url of lab.asked)
    assert.ok(url.startsWith(LOG_URL) || /^http:\/\/witness-\d\.invalid\//.test(url), url);
});

const records = new History((index) => {
  if (index % 10 === 7) return encodeUtf8(`not a statement ${index}`);
  return statement(index % 5 === 0 ? 'alpha' : 'beta', `run-${index % 3}`, { about: `lab-${index}` });
});
const alpha = { name: 'alpha', participant: ['alpha'], run: [], digest: [], type: [] };
const about = {
  name: 'about',
  participant: ['lab-258', 'lab-2'],
  run: ['run-0', 'run-2'],
  digest: [],
  type: [],
};

test('matches: every entry that fits, each once, over restarts and new filters', async () => {
  const lab = newLab();
  await lab.publish(records, 259);
  await look(lab.follower({ filters: [about] }));
  assert.deepEqual(lab.told(), ['match about 2', 'match about 258']);
  await look(lab.follower({ filters: [about] }));
  assert.deepEqual(lab.told(), []);
  // A filter that is new begins at the beginning; the other goes on.
  await lab.publish(records, 262);
  const follower = lab.follower({ filters: [about, alpha] });
  const rows = await look(follower);
  const expected = Array.from({ length: 262 }, (_, i) => i).filter((i) => i % 5 === 0 && i % 10 !== 7);
  assert.deepEqual(
    lab.told(),
    expected.map((i) => `match alpha ${i}`),
  );
  assert.equal(statusOf(rows, 'entries'), 'pass');
  await lab.publish(records, 266);
  await look(lab.follower({ filters: [{ ...alpha, name: 'renamed' }, about] }));
  assert.deepEqual(lab.told(), ['match renamed 265']);
});

test('matches by digest: of the leaf, whatever the entry is, and anywhere in a statement', async () => {
  const lab = newLab();
  await lab.publish(records, 40);
  const all = lab.follower({ filters: [alpha] });
  await look(all);
  const [first] = lab.events;
  assert.ok(first?.event === 'match' && first.entry !== undefined);
  const digest = [first.entry];
  await look(lab.follower({ filters: [{ ...alpha, participant: [], digest }] }));
  const leaf = [first.leafHash];
  await look(lab.follower({ filters: [{ ...alpha, name: 'leaf', participant: [], digest: leaf }] }));
  lab.events.splice(0, 8);
  assert.deepEqual(lab.told(), ['match alpha 0', 'match leaf 0']);
});

test('entries are relied on only under a checkpoint that the policy accepts', async () => {
  const lab = newLab();
  await lab.publish(records, 20, [0]);
  const rows = await look(lab.follower({ filters: [alpha] }));
  assert.equal(statusOf(rows, 'entries'), 'not-checkable');
  assert.deepEqual(lab.told(), ['raised quorum']);
  await lab.publish(records, 20, [0, 1]);
  lab.override = (url) =>
    url.includes('tile/entries') ? Promise.resolve(new Response('rubbish')) : undefined;
  await look(lab.follower({ filters: [alpha] }));
  assert.deepEqual(lab.told(), ['cleared quorum', 'raised tiles entries']);
  lab.override = () => undefined;
  await look(lab.follower({ filters: [alpha] }));
  assert.deepEqual(
    lab.told().sort(),
    ['cleared tiles entries', ...[0, 5, 10, 15].map((i) => `match alpha ${i}`)].sort(),
  );
});

/** Runs until the step named is reached for the `count`th time, as a process that is killed there. */
async function killedAt(lab: Lab, name: string, count: number): Promise<boolean> {
  let left = count;
  const killed = new Error('killed');
  const step = (found: string): void => {
    if (found === name && --left === 0) throw killed;
  };
  try {
    await look(lab.follower({ filters: [alpha], step }));
    return false;
  } catch (error) {
    if (error !== killed) throw error;
    return true;
  }
}

test('killed at any step, nothing is missed, and what comes twice has one id', async (t: TestContext) => {
  const reference = newLab();
  const story = async (lab: Lab, visit: () => Promise<void>): Promise<void> => {
    await lab.publish(records, 30);
    await visit();
    lab.pass(60);
    const other = new History((index) => statement('alpha', `other ${index}`));
    await lab.publish(other, 35, [2]);
    await visit();
  };
  await story(reference, async () => {
    await look(reference.follower({ filters: [alpha] }));
  });
  const expected = [...new Set(reference.events.map(({ id }) => id))].sort();
  const files = convicted(reference);
  assert.equal(files.length, 2);
  let kills = 0;
  for (const name of ['kept', 'proven', 'saved', 'delivered'])
    for (let count = 1; count <= 6; count++) {
      const lab = newLab();
      await story(lab, async () => {
        if (await killedAt(lab, name, count)) kills += 1;
        await look(lab.follower({ filters: [alpha] }));
      });
      assert.deepEqual([...new Set(lab.events.map(({ id }) => id))].sort(), expected, `${name} ${count}`);
      assert.deepEqual(convicted(lab), files);
      if (name !== 'delivered')
        assert.equal(lab.events.length, expected.length, `${name} ${count}: nothing twice`);
    }
  t.diagnostic(`${kills} kills`);
  assert.ok(kills >= 12);
});
