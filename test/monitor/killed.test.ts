// `stele monitor` as a process that is killed, its events on a pipe: what was not taken from it is told again.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { encodeUtf8, formatVkey } from '../../tlog/index.js';
import { startScript, type Child } from '../helpers/process.js';
import { History, Lab, logKey, statement } from './lab.js';

/** Six bundles and a part; every other entry is told. */
const SIZE = 6 * 256 + 5;
const TOLD = Math.ceil(SIZE / 2);
/** Longer than any of this takes on a busy machine. */
const LIMIT = 120_000;

const entries = new History((index) =>
  index % 2 === 0 ? statement('alpha', `run-${index}`) : encodeUtf8(`another ${index}`),
);
const log = new Lab();
const labs: Lab[] = [log];
const children = new Set<ChildProcess>();
let server: Server;
before(async () => {
  await log.publish(entries, SIZE, []);
  server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const found = path === 'checkpoint' ? log.checkpoint : entries.file(path, SIZE);
    if (found === undefined) response.writeHead(404).end();
    else response.end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});
after(() => {
  server.close();
  server.closeAllConnections();
  for (const lab of labs) lab.remove();
});

/** Somebody who starts monitors on one folder, one after another, and keeps what they tell. */
class Listener {
  readonly told: { id: string; index: number }[] = [];
  readonly #lab = new Lab();
  readonly #args: string[];

  constructor() {
    labs.push(this.#lab);
    const policy = join(this.#lab.folder, 'policy');
    writeFileSync(policy, `log ${formatVkey(logKey.vkey)}\nquorum none\n`);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#args = ['monitor', '--folder', join(this.#lab.folder, 'state'), '--log', url, '--policy', policy];
    this.#args.push('--interval', '1', '--match', 'participant=alpha');
  }

  /** Starts one. What it tells counts line by line; a line that its end cut short does not. */
  start(...more: string[]): Child {
    const child = startScript('cli/main', [...this.#args, ...more]);
    children.add(child.process);
    let rest = '';
    child.process.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.told.push(...lines.map((line) => JSON.parse(line) as { id: string; index: number }));
    });
    return child;
  }

  get indexes(): number[] {
    return [...new Set(this.told.map(({ index }) => index))].sort((a, b) => a - b);
  }
}

/** How it ended. */
async function ended(child: Child): Promise<number | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected the end, waited in vain: ${child.stderr()}`)), LIMIT);
  });
  return Promise.race([child.ended, late]).finally(() => clearTimeout(timer));
}

async function until(what: string, child: Child, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + LIMIT; !isSo();) {
    if (Date.now() > end) throw new Error(`expected ${what}, waited in vain: ${child.stderr()}`);
    if (child.process.exitCode !== null)
      throw new Error(`expected ${what}, found the end: ${child.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What it says of entries once the last of them was judged, and what was found is saved. */
const ALL_READ = /pass +entries/;

/** A last life, which is not killed: it tells the rest and ends when asked to, its reader at hand. */
async function finish(listener: Listener): Promise<void> {
  const child = listener.start();
  await until('a look at everything', child, () => ALL_READ.test(child.stderr()));
  child.process.kill('SIGTERM');
  assert.equal(await ended(child), 0, child.stderr());
  assert.deepEqual(
    listener.indexes,
    Array.from({ length: TOLD }, (_, i) => 2 * i),
  );
  assert.equal(new Set(listener.told.map(({ id }) => id)).size, TOLD, 'what comes twice has one id');
}

test('killed in the middle of a long log, it goes on: nothing missed, and what comes twice has one id', async () => {
  const listener = new Listener();
  for (const enough of [1, 300]) {
    const child = listener.start();
    await until(`${enough} events`, child, () => listener.indexes.length >= enough);
    child.process.kill('SIGKILL');
    assert.equal(await ended(child), 'SIGKILL', child.stderr());
  }
  await finish(listener);
});

test('killed while nobody reads what it tells: what had not left the process is told again', async () => {
  const listener = new Listener();
  const child = listener.start();
  child.process.stdout?.pause();
  await until('a look at everything', child, () => ALL_READ.test(child.stderr()));
  child.process.kill('SIGKILL');
  child.process.stdout?.resume();
  assert.equal(await ended(child), 'SIGKILL', child.stderr());
  assert.ok(listener.indexes.length < TOLD, 'more was found than a pipe holds');
  await finish(listener);
});

test('whoever reads it goes away: it ends, and what was not taken is told again', async () => {
  const listener = new Listener();
  const child = listener.start();
  child.process.stdout?.destroy();
  assert.equal(await ended(child), 3, child.stderr());
  assert.match(child.stderr(), /stdout_closed/);
  assert.equal(listener.told.length, 0);
  await finish(listener);
});

test('whoever reads what --once answers goes away: what was not taken is told the next time', async () => {
  const listener = new Listener();
  const child = listener.start('--once', '--json');
  child.process.stdout?.destroy();
  assert.equal(await ended(child), 0, child.stderr());
  await finish(listener);
});
