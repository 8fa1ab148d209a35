// `stele monitor` as people run it: against a real log and its witnesses, a log that was copied, one that
// is forked with its own key, and as a process that is killed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MonitorEvent } from '../../cli/monitor/events.js';
import {
  encodeUtf8,
  formatCheckpoint,
  parseCheckpoint,
  parseNote,
  parseSigningKey,
  signNote,
} from '../../tlog/index.js';
import { plain } from './lab.js';
import { introduceLab, ORIGIN as REAL, startWorld, type Person, type World } from '../cli/world.js';

let world: World;
let people = 0;
const servers: Server[] = [];
before(async () => {
  world = await startWorld();
});
after(async () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await world.close();
});

/** Somebody with the policy and nothing else. */
function reader(): Person {
  const who = world.person(`reader-${++people}`);
  who.write('policy', world.policy);
  return who;
}

type Reply = (path: string, body: Uint8Array) => Uint8Array | number | undefined;

/** Serves what `reply` gives: bytes, a status, or no answer at all. */
async function serve(reply: Reply): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', () => {
      const found = reply((request.url ?? '').slice(1), Buffer.concat(chunks));
      if (typeof found === 'number') response.writeHead(found).end();
      else if (found !== undefined) response.end(found);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A copy of everything that the log shows now. */
async function copyOfLog(): Promise<{ url: string; size: number; files: Map<string, Uint8Array> }> {
  const files = new Map<string, Uint8Array>();
  const copy = async (path: string): Promise<void> => {
    const answer = await fetch(`${world.log.url}/${path}`);
    if (answer.ok) files.set(path, new Uint8Array(await answer.arrayBuffer()));
  };
  await copy('checkpoint');
  const { size } = parseCheckpoint(parseNote(files.get('checkpoint') ?? new Uint8Array()).text);
  await copy(`tile/0/000.p/${size}`);
  await copy(`tile/entries/000.p/${size}`);
  return { url: await serve((path) => files.get(path) ?? 404), size, files };
}

test('--once: what was looked at comes first, then alarms and matches; nothing is told twice', async () => {
  const who = reader();
  const words = ['monitor', '--once', '--log', world.log.url, '--policy', 'policy'];
  const bare = await who.run(...words);
  assert.equal(bare.status, 0, bare.stdout + bare.stderr);
  const [heading, first] = bare.stdout.split('\n');
  assert.match(heading ?? '', /^log\.example\/test, by .*policy$/);
  assert.match(first ?? '', /^ {2}pass +checkpoint +size/);
  assert.match(bare.stdout, /not-checkable +entries +no filter is given/);
  assert.match(bare.stdout, /no alarm stands, which says nothing of the 1 that could not be checked/);
  for (const name of ['north', 'east', 'south', 'west'])
    assert.match(bare.stdout, new RegExp(`pass +witness ${name} +cosigned size`));
  assert.match(bare.stdout, /pass +anchors +the newest is entry 1, made \d+ s ago/);

  const matching = await who.run(...words, '--match', 'type=charter', '--json');
  assert.equal(matching.status, 0);
  const events = matching.json.result['events'] as MonitorEvent[];
  assert.deepEqual(
    events.map((event) => [event.event, event.log, 'index' in event && event.index]),
    [['match', REAL, 0]],
  );
  const again = await who.run(...words, '--match', 'type=charter', '--json');
  assert.deepEqual(again.json.result['events'], []);
});

test('a file lists logs and filters; one monitor per folder', async () => {
  const who = reader();
  who.write(
    'monitor.toml',
    [
      'folder = "remembered"',
      'interval = 3600',
      '[quiet]',
      'anchors = 0',
      '[[log]]',
      'policy = "policy"',
      `url = "${world.log.url}"`,
      '[log.witnesses]',
      'west = false',
      '[[filter]]',
      'name = "new labs"',
      'type = "participant"',
      'participant = ["fresh"]',
    ].join('\n'),
  );
  const stop = { call: (): void => undefined };
  const lines: string[] = [];
  let seen: () => void = () => undefined;
  const found = new Promise<void>((resolve) => (seen = resolve));
  await introduceLab(world, 'fresh');
  const running = who.runWith(
    {
      onStop: (call) => {
        stop.call = call;
        return () => undefined;
      },
      stdout: (data) => {
        lines.push(String(data));
        seen();
      },
    },
    'monitor',
    '--config',
    'monitor.toml',
  );
  await found;
  const second = await who.run('monitor', '--config', 'monitor.toml', '--once', '--json');
  stop.call();
  const { status, stderr } = await running;
  assert.equal(second.status, 3);
  assert.equal(second.json.error?.code, 'locked');
  assert.equal(status, 0, stderr);
  assert.equal(lines.length, 1);
  const event = JSON.parse(lines[0] ?? '') as MonitorEvent;
  assert.ok(event.event === 'match' && event.filter === 'new labs' && event.type === 'participant');
  assert.match(stderr, /log\.example\/test: entry \d+ fits new labs: participant by office/);
  assert.doesNotMatch(stderr, /witness west/);
});

test('a log served from a copied folder has gone back', async () => {
  const who = reader();
  const copy = await copyOfLog();
  await introduceLab(world, `lab-${copy.size}`);
  const look = (url: string): ReturnType<Person['run']> =>
    who.run('monitor', '--once', '--log', url, '--policy', 'policy', '--json');
  assert.equal((await look(world.log.url)).status, 0);
  for (const told of [1, 0]) {
    const back = await look(copy.url);
    assert.equal(back.status, 1, back.stdout);
    const kinds = (back.json.result['events'] as MonitorEvent[]).map(
      (event) => 'kind' in event && event.kind,
    );
    assert.deepEqual(kinds, told === 1 ? ['rollback'] : []);
  }
  const mended = await look(world.log.url);
  assert.equal(mended.status, 0);
  assert.match(mended.stdout, /"event":"cleared","kind":"rollback"/);
});

test('a fork under the log’s own key: status 5, evidence, and those who were named are told', async () => {
  const who = reader();
  const words = ['monitor', '--once', '--policy', 'policy', '--json'];
  assert.equal((await who.run(...words, '--log', world.log.url)).status, 0);
  const key = parseSigningKey(readFileSync(join(world.logFolder, 'log.key'), 'utf8').trimEnd());
  const other = plain('forked');
  const text = formatCheckpoint({ origin: REAL, size: 40, rootHash: await other.root(40), extensions: [] });
  const note = signNote(text, [key]);
  const url = await serve((path) =>
    path === 'checkpoint' ? note : path.startsWith('tile/') ? (other.file(path, 40) ?? 404) : 404,
  );
  const told: Uint8Array[] = [];
  const door = await serve((path, body) => {
    assert.equal(path, 'gossip/checkpoint');
    told.push(body);
    return 200;
  });
  const hooked: string[] = [];
  const hook = await serve((_path, body) => {
    hooked.push(Buffer.from(body).toString());
    return 204;
  });
  const found = await who.run(...words, '--log', url, '--report', door, '--webhook', hook);
  assert.equal(found.status, 5, found.stdout);
  const events = found.json.result['events'] as MonitorEvent[];
  const proven = events.find((event) => 'kind' in event && event.kind === 'proven');
  assert.ok(proven?.event === 'raised' && proven.evidence?.length === 1);
  assert.deepEqual(
    hooked.map((body) => JSON.parse(body) as MonitorEvent),
    events,
  );
  assert.ok(told.some((body) => Buffer.compare(body, note) === 0));
  assert.equal(told.length, 2);
  const path = proven.evidence[0] ?? '';
  const stranger = reader();
  stranger.write('file.evidence', readFileSync(path));
  assert.equal((await stranger.run('evidence', 'verify', 'file.evidence', '--policy', 'policy')).status, 0);
  // It stands, and is not told again, to nobody.
  const again = await who.run(...words, '--log', world.log.url, '--report', door);
  assert.equal(again.status, 5);
  assert.equal(told.length, 2);
});

test('statuses for scripts: 4 where only the quorum is missing, 3 where the log cannot be asked', async () => {
  const { files, url } = await copyOfLog();
  const [text = ''] = Buffer.from(files.get('checkpoint') ?? [])
    .toString()
    .split('\n\n');
  const line =
    Buffer.from(files.get('checkpoint') ?? [])
      .toString()
      .split('\n\n')[1]
      ?.split('\n')[0] ?? '';
  const look = async (who: Person): Promise<number> =>
    (await who.run('monitor', '--once', '--log', url, '--policy', 'policy')).status;
  files.set('checkpoint', encodeUtf8(`${text}\n\n${line}\n`));
  assert.equal(await look(reader()), 4);
  files.delete('checkpoint');
  assert.equal(await look(reader()), 3);
  files.set('checkpoint', encodeUtf8('rubbish'));
  assert.equal(await look(reader()), 1);
});

test('what is asked for wrongly is status 2', async () => {
  const who = reader();
  who.write('stele.toml', '');
  for (const [toml, ...words] of [
    ['', '--once', '--policy', 'policy', '--log', world.log.url, '--match', 'colour=red'],
    ['', '--once', '--policy', 'policy', '--log', world.log.url, '--match', 'digest=abc'],
    ['', '--once', '--policy', 'policy', '--log', world.log.url, '--quiet-log', 'soon'],
    ['', '--once', '--policy', 'policy', '--log', world.log.url, '--webhook', 'file:///etc/passwd'],
    ['', '--once', '--policy', 'policy', '--log', world.log.url, '--config', 'c.toml'],
    ['', '--once'],
    ['[[log]]\npolicy = "policy"', '--once', '--config', 'c.toml'],
    ['[[log]]\nurl = "http://127.0.0.1:1"', '--once', '--config', 'c.toml'],
    [
      '[[log]]\npolicy = "policy"\nurl = "http://127.0.0.1:1"\n[[log]]\npolicy = "policy"\nurl = "http://127.0.0.1:2"',
      '--once',
      '--config',
      'c.toml',
    ],
    ['[log]\npolicy = "policy"', '--once', '--config', 'c.toml'],
    ['colour = "red"', '--once', '--config', 'c.toml'],
    ['not toml', '--once', '--config', 'c.toml'],
    [
      `[[log]]\npolicy = "policy"\nurl = "http://127.0.0.1:1"\n[[filter]]\nname = "all"`,
      '--once',
      '--config',
      'c.toml',
    ],
    [
      `[[log]]\npolicy = "policy"\nurl = "http://127.0.0.1:1"\nwitnesses = { nobody = "http://127.0.0.1:1" }`,
      '--once',
      '--config',
      'c.toml',
    ],
  ] as const) {
    who.write('c.toml', toml);
    const answer = await who.run('monitor', ...words);
    assert.equal(answer.status, 2, `${words.join(' ')}\n${toml}\n${answer.stderr}`);
  }
});
