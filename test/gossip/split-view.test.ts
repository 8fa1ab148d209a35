// One key, two histories, four witnesses in processes of their own behind two partitions.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatAddCheckpoint, type TileSource } from '../../client/index.js';
import { formatVkey, parseTilePath } from '../../tlog/index.js';
import { readKeys } from '../../witness/folder.js';
import { addLog, addPeer } from '../../witness/index.js';
import { SigningLog, tilesOf } from '../helpers/signing-log.js';
import { witnessFolder } from '../helpers/witness.js';

const child = fileURLToPath(new URL('../helpers/gossip-child.js', import.meta.url));
const stele = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

/** Serves a log's checkpoint and tiles. */
async function serve(t: TestContext, source: TileSource): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const bytes = path === 'checkpoint' ? source.checkpoint() : tile(source, path);
    bytes.then(
      (body) => response.end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function tile(source: TileSource, path: string): Promise<Uint8Array> {
  const parsed = parseTilePath(path);
  if (parsed.kind !== 'tile') throw new Error('no entries');
  return source.tile(parsed);
}

interface Status {
  rounds: number;
  convicted: { sha256: string; role: string; convicted: string[] }[];
}

/** One witness: its folder, and the process that serves it. */
class Served {
  url = '';
  #process: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(
    readonly name: string,
    readonly folder: string,
  ) {}

  async start(): Promise<void> {
    const started = spawn(process.execPath, [child, this.folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = started;
    const lines: Interface = createInterface({ input: started.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
    this.url = await this.#line();
  }

  async ask(what: 'round' | 'reload'): Promise<Status> {
    this.#process?.stdin?.write(`${what}\n`);
    return JSON.parse(await this.#line()) as Status;
  }

  async kill(): Promise<void> {
    if (this.#process?.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async #line(): Promise<string> {
    const next = await this.#lines?.next();
    if (!next || next.done) throw new Error(`${this.name} ended`);
    return next.value;
  }

  async add(log: SigningLog, oldSize: number, size: number): Promise<number> {
    const proof = await log.proof(oldSize, size);
    const body = formatAddCheckpoint({ oldSize, proof, note: log.note(size) });
    const response = await fetch(`${this.url}/add-checkpoint`, { method: 'POST', body: Buffer.from(body) });
    await response.arrayBuffer();
    return response.status;
  }
}

test('a live split view over two partitions, healed: convicted by the second round of gossip', async (t) => {
  const log = new SigningLog('log.example/split');
  const fork = new SigningLog(log.origin, 'forged', 290);
  const sizes = [310, 320, 330, 340];
  const sides = [log, log, fork, fork];
  const urls = [
    await serve(
      t,
      tilesOf(log, () => 340),
    ),
    await serve(
      t,
      tilesOf(fork, () => 340),
    ),
  ];
  const witnesses: Served[] = [];
  for (const [i] of sides.entries()) {
    const name = `witness.example/w${i}`;
    const folder = await witnessFolder({ name });
    await addLog(folder, log.vkey, log.origin, urls[i < 2 ? 0 : 1]);
    const witness = new Served(name, folder);
    t.after(() => rmSync(folder, { recursive: true }));
    t.after(() => witness.kill());
    await witness.start();
    witnesses.push(witness);
  }
  const keys = await Promise.all(witnesses.map(async ({ folder }) => (await readKeys(folder))[0]?.vkey));

  /** Makes peers of those that can reach each other. */
  const connect = async (reach: (a: number, b: number) => boolean): Promise<void> => {
    for (const [a, witness] of witnesses.entries()) {
      for (const [b, other] of witnesses.entries()) {
        const vkey = keys[b];
        if (a !== b && vkey !== undefined && reach(a, b)) {
          await addPeer(witness.folder, [vkey], { url: other.url });
        }
      }
      await witness.ask('reload');
    }
  };

  await connect((a, b) => a < 2 === b < 2);
  for (const [i, witness] of witnesses.entries()) {
    const side = sides[i] ?? log;
    assert.equal(await witness.add(side, 0, 300), 200);
    assert.equal(await witness.add(side, 300, sizes[i] ?? 0), 200);
  }
  for (let round = 0; round < 2; round++) {
    for (const witness of witnesses) assert.deepEqual((await witness.ask('round')).convicted, []);
  }

  await connect(() => true);
  const found: Status[] = [];
  for (let round = 0; round < 2; round++) {
    found.splice(0);
    for (const witness of witnesses) found.push(await witness.ask('round'));
  }
  for (const [i, { rounds, convicted }] of found.entries()) {
    assert.equal(rounds, 4, 'two rounds before the partition healed, two after');
    assert.deepEqual(
      convicted.map((each) => [each.role, each.convicted]),
      [['log', [formatVkey(log.vkey)]]],
      `w${i}`,
    );
    // A convicted key is an untrusted key, over SIGKILL too.
    const witness = witnesses[i];
    assert.ok(witness);
    const side = sides[i] ?? log;
    assert.equal(await witness.add(side, sizes[i] ?? 0, 345), 403);
  }
  const [first] = witnesses;
  assert.ok(first);
  await first.kill();
  await first.start();
  assert.equal(await first.add(log, 310, 345), 403);

  // The file stands by itself: in a folder with nothing but it and the policy.
  const [evidence] = found[0]?.convicted ?? [];
  const served = await fetch(`${first.url}/gossip/evidence/${evidence?.sha256}`);
  assert.equal(served.status, 200);
  assert.equal(served.headers.get('access-control-allow-origin'), '*');
  const folder = mkdtempSync(join(tmpdir(), 'stele-court-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file.evidence'), Buffer.from(await served.arrayBuffer()));
  writeFileSync(join(folder, 'policy'), `log ${formatVkey(log.vkey)}\nquorum none\n`);
  const verified = spawnSync(
    process.execPath,
    [stele, 'evidence', 'verify', 'file.evidence', '--policy', 'policy'],
    { cwd: folder, encoding: 'utf8' },
  );
  assert.equal(verified.status, 0, verified.stderr);
  assert.match(verified.stdout, /log\.example\/split/);
});
