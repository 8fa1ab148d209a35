// The runbooks of docs/operating.md for keys that change or are found out, by the commands that stand there, each a
// process of its own as an operator, a lab and readers type them. What follows "systemctl" is done here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { keyId } from '../attestation/index.js';
import { encodeHex, formatVkey, parseSigningKey } from '../tlog/index.js';
import { type Child, startScript } from './helpers/process.js';
import { type TestWitness, serveFolder, startTestWitness } from './helpers/witness.js';

const ORIGIN = 'log.example/runbook';
const dist = fileURLToPath(new URL('../', import.meta.url));
const docs = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');

/** The blocks of commands under a heading, each a list of lines. */
function runbook(heading: string): string[][] {
  const section = docs.split(/^#{2,3} /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const blocks = [...section.matchAll(/^ *```\n([\s\S]*?)^ *```$/gm)];
  assert.ok(blocks.length > 0, heading);
  return blocks.map(([, block = '']) => block.split('\n').flatMap((line) => line.trim() || []));
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

class Site {
  readonly root: string;
  readonly folder: string;
  readonly witnesses: TestWitness[] = [];
  url = '';
  #log: Child | undefined;

  private constructor(root: string) {
    this.root = root;
    this.folder = join(root, 'log');
  }

  /** Programs by their names, four witnesses of which three are a quorum, and a log that they know, running. */
  static async make(t: TestContext): Promise<Site> {
    const site = new Site(await mkdtemp(join(tmpdir(), 'stele-runbook-')));
    t.after(() => site.remove());
    for (const [name, script] of [
      ['stele', 'cli'],
      ['stele-log', 'log-server'],
      ['stele-witness', 'witness'],
    ] as const) {
      await mkdir(site.at('bin'), { recursive: true });
      const line = `exec "${process.execPath}" "${dist}${script}/main.js" "$@"`;
      await writeFile(site.at('bin', name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    }
    for (const name of ['w1', 'w2', 'w3', 'w4'])
      site.witnesses.push(await startTestWitness({ name: `${name}.example` }));
    await writeFile(site.at('witnesses'), site.policyOf(['w1', 'w2', 'w3', 'w4']));
    const [vkey = ''] = (
      await site.ok(`stele-log init --folder log --origin ${ORIGIN} --policy witnesses`)
    ).split('\n');
    await site.introduce(vkey);
    await site.start();
    return site;
  }

  at(...names: string[]): string {
    return join(this.root, ...names);
  }

  policyOf(names: readonly string[]): string {
    const lines = this.witnesses.map(
      ({ vkey, url }, i) => `witness ${names[i] ?? ''} ${formatVkey(vkey)} ${url}\n`,
    );
    return `${lines.join('')}group all 3 ${names.join(' ')}\nquorum all\n`;
  }

  async introduce(vkey: string): Promise<void> {
    for (const witness of this.witnesses) {
      await this.ok(`stele-witness add-log --folder ${witness.folder} ${vkey}`);
      await witness.reload();
    }
  }

  async start(): Promise<void> {
    const log = startScript('log-server/main', ['serve', '-f', this.folder, '-l', '127.0.0.1:0']);
    this.#log = log;
    this.url = await log.firstLine;
    await this.state('ready');
  }

  /** Waits until the log says so; fails where its process ends before. */
  async state(wanted: string): Promise<void> {
    for (let i = 0; i < 3000; i++) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      const { state } = ((await answer?.json()) ?? {}) as { state?: string };
      if (state === wanted) return;
      const { exitCode = null } = this.#log?.process ?? {};
      assert.equal(exitCode, null, this.#log?.stderr());
      await pause(20);
    }
    throw new Error(`expected the log to become ${wanted}: ${this.#log?.stderr() ?? ''}`);
  }

  /** Waits until all that a frozen log has committed is published. */
  async final(): Promise<void> {
    await this.state('frozen');
    for (let i = 0; i < 3000; i++) {
      const { committed, published } = (await (await fetch(`${this.url}/readyz`)).json()) as {
        committed: number;
        published: number;
      };
      if (published === committed) return;
      await pause(20);
    }
    throw new Error('expected the last tree to be published');
  }

  async stop(): Promise<void> {
    this.#log?.process.kill('SIGTERM');
    assert.equal(await this.#log?.ended, 0, this.#log?.stderr());
  }

  /** Runs one line of a shell, in a folder below this one. */
  async run(command: string, cwd = '.', env: Record<string, string> = {}): Promise<Ran> {
    const child = spawn('sh', ['-c', command], {
      cwd: this.at(cwd),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${this.at('bin')}:${process.env['PATH'] ?? ''}`,
        HOME: this.at(cwd),
        STELE_LOG: this.url,
        ...env,
      },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  }

  /** As `run`, of what succeeds; what it printed. */
  async ok(command: string, cwd = '.', env: Record<string, string> = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, cwd, env);
    assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A block of a runbook; `witness` is the one that "systemctl reload" means. What the programs printed. */
  async follow(
    block: readonly string[] | undefined,
    cwd: string,
    env: Record<string, string>,
    witness?: TestWitness,
  ): Promise<string> {
    assert.ok(block);
    let printed = '';
    for (const command of block) {
      if (command === 'systemctl stop stele-log') await this.stop();
      else if (command === 'systemctl start stele-log') await this.start();
      else if (command === 'systemctl reload stele-witness') await witness?.reload();
      else if (command === 'systemctl start stele-witness')
        this.witnesses[0] = await serveFolder(env['NEW_WITNESS'] ?? '');
      else printed += await this.ok(command, cwd, { FOLDER: this.folder, URL: this.url, ...env });
    }
    return printed;
  }

  async remove(): Promise<void> {
    this.#log?.process.kill('SIGKILL');
    await this.#log?.ended;
    await Promise.all(this.witnesses.map((witness) => witness.remove()));
    await rm(this.root, { recursive: true, force: true });
  }
}

const intent = '--spec spec.md --planned-flop 1000 --otherwise withheld';

/** What each everyday command answers somebody with this policy, who remembers what he saw. */
async function everyday(site: Site, who: string, record: string): Promise<Record<string, Ran>> {
  const env = { STELE_POLICY: `../${who}.policy`, XDG_STATE_HOME: site.at(`${who}.state`) };
  // Signing looks at the log too: it names the newest anchor. Somebody who knows the log does that.
  const signer = record === 'after-old' ? { STELE_POLICY: '../both.policy' } : env;
  await site.ok(`stele attest run-intent ${intent} --run ${record}`, 'lab', signer);
  const ran: Record<string, Ran> = {};
  for (const command of [
    `submit records/${record}.intent.dsse.json`,
    `verify records/${record}.intent.stele.json`,
    'prove 2 --output proved.json',
    'monitor --once',
  ])
    ran[command.split(' ')[0] ?? ''] = await site.run(`stele ${command}`, 'lab', env);
  return ran;
}

const said = (ran: Record<string, Ran>): string =>
  Object.values(ran)
    .map(({ stdout, stderr }) => stdout + stderr)
    .join('\n');

test('the runbooks for keys, by the commands that stand there', async (t) => {
  const site = await Site.make(t);
  const { folder } = site;
  const policy = (): Promise<string> => readFile(join(folder, 'policy'), 'utf8');
  const keyOf = async (file: string): Promise<{ raw: string; id: string }> => {
    const { publicKey } = parseSigningKey((await readFile(site.at(file), 'utf8')).trimEnd()).vkey;
    return { raw: encodeHex(publicKey), id: keyId(publicKey) };
  };

  // A lab, and the operator, who is the only registrar.
  await mkdir(site.at('lab'));
  await mkdir(site.at('office'));
  await writeFile(site.at('old.policy'), await policy());
  await writeFile(site.at('lab', 'spec.md'), 'what the run is about');
  const init = `stele init operator --officer --key ${join(folder, 'operator.key')} --policy ../old.policy`;
  await site.ok(`${init} --log ${site.url}`, 'office');
  const words = '--name Acme --jurisdiction CH --controlled-by none --policy ../old.policy';
  await site.ok(`stele init acme ${words} --log ${site.url}`, 'lab');
  await site.ok('stele attest participant --request ../lab/participant-request.json', 'office');
  await site.ok('stele submit records/participant-acme.dsse.json', 'office');

  const works = async (clients: readonly string[], when: string): Promise<void> => {
    for (const who of clients) {
      const ran = await everyday(site, who, `${when}-${who}`);
      assert.ok(
        Object.values(ran).every(({ status }) => status === 0),
        `${who} ${when}: ${said(ran)}`,
      );
    }
  };

  const readers = { STELE_POLICY: '../new.policy', XDG_STATE_HOME: site.at('new.state') };
  let newVkey = '';

  await t.test(
    'Changing a key: readers and writers of either policy, before, meanwhile and after',
    async () => {
      await works(['old'], 'before');
      const [add, tell, retire, forget] = runbook('Changing a key');
      const printed = await site.follow(add, '.', {});
      const [[OLD_ID = '', , , OLD_VKEY = ''] = [], [, , , NEW_VKEY = ''] = []] = printed
        .split('\n')
        .map((line) => line.split(' '));
      newVkey = NEW_VKEY;
      await writeFile(site.at('both.policy'), await policy());
      const without = (await policy()).split('\n').filter((line) => !line.includes(OLD_VKEY));
      await writeFile(site.at('new.policy'), without.join('\n'));
      await works(['old'], 'meanwhile');
      for (const witness of site.witnesses)
        await site.follow(tell, '.', { WITNESS: witness.folder, NEW_VKEY }, witness);
      await works(['new'], 'meanwhile');

      const retired = await site.follow(retire, '.', { OLD_ID });
      assert.match(retired, new RegExp(`^${OLD_ID} 0 [0-9]+ `));
      for (const witness of site.witnesses)
        await site.follow(forget, '.', { WITNESS: witness.folder, OLD_VKEY }, witness);
      await works(['new'], 'after');

      // Who knows the old key alone is shut out, is told why, and takes nothing for a fork.
      const old = await everyday(site, 'old', 'after-old');
      const answers = Object.entries(old).map(([name, { status }]) => [name, status]);
      assert.deepEqual(answers, [
        ['submit', 1],
        // Nothing was sent, so there is nothing to be verified.
        ['verify', 2],
        ['prove', 1],
        ['monitor', 1],
      ]);
      for (const name of ['submit', 'prove'])
        assert.match(old[name]?.stderr ?? '', /\(unknown_log\)\n.*changed its keys/);
      // Proofs of before have the old key's line: for a policy that keeps it, or made anew.
      const verify = (who: string, file: string): Promise<Ran> =>
        site.run(`stele verify ${file} --policy ../${who}.policy`, 'lab');
      const before = 'records/before-old.intent.stele.json';
      for (const who of ['both', 'old']) assert.equal((await verify(who, before)).status, 0, who);
      assert.equal((await verify('new', before)).status, 1);
      await site.ok(
        'stele prove records/before-old.intent.dsse.json --output anew.stele.json',
        'lab',
        readers,
      );
      assert.equal((await verify('new', 'anew.stele.json')).status, 0);
    },
  );

  await t.test('A participant’s key: replaced by the recovery key, and the old one is refused', async () => {
    const [replace, revoke] = runbook("A participant's key");
    const { id } = await keyOf('lab/keys/signing.key');
    await site.follow(replace, 'lab', { ...readers, PARTICIPANT: 'acme', OLD_KEY_ID: id });
    const attest = (run: string, key: string): Promise<string> =>
      site.ok(`stele attest run-intent ${intent} --run ${run} --key ${key}`, 'lab', readers);
    await attest('thief', 'keys/signing.key');
    const thief = await site.run('stele submit records/thief.intent.dsse.json', 'lab', readers);
    assert.deepEqual([thief.status, /key_not_in_force/.test(thief.stderr)], [1, true], thief.stderr);
    await attest('mine', 'new.key');
    await site.ok('stele submit records/mine.intent.dsse.json', 'lab', readers);
    const KEY_ID = (await keyOf('lab/new.key')).id;
    await site.follow(revoke, 'office', { ...readers, PARTICIPANT: 'acme', KEY_ID });
  });

  /** Follows a runbook that amends the terms: the log stops by itself when they are in force. */
  const amend = async (block: readonly string[], env: Record<string, string>): Promise<void> => {
    const stop = block.indexOf('systemctl stop stele-log');
    await site.follow(block.slice(0, stop), 'office', { ...readers, ...env });
    await site.state('stopped');
    await site.follow(block.slice(stop), 'office', readers);
  };

  await t.test('The anchor key: amended, and the log goes on with the new one', async () => {
    const [keygen, block = []] = runbook('The anchor key');
    await site.follow(keygen, 'office', readers);
    const { raw } = await keyOf('office/anchor.new.key');
    await amend(block, { ANCHOR_KEY: raw });
    assert.equal((await keyOf('log/anchor.key')).raw, raw);
  });

  await t.test('A witness’s key, changing the witnesses: another one in its place', async () => {
    const [make] = runbook("A witness's key");
    const [stolen] = site.witnesses;
    assert.ok(stolen);
    await site.follow(make, '.', { NEW_WITNESS: site.at('new-witness'), VKEY: newVkey });
    await stolen.remove();
    const next = newVkeyLine(await policy(), site.witnesses[0]);
    await writeFile(site.at('office', 'policy.next'), next);
    await amend(runbook('Changing the witnesses').flat(), {});
    await writeFile(site.at('new.policy'), next);
    await site.ok('stele monitor --once', 'lab', readers);
    assert.match(await (await fetch(`${site.url}/checkpoint`)).text(), /^\u2014 witness\.example\/new /m);
    // By an amendment of an amendment of a change of keys; a text is taken as it is.
    const found = JSON.parse(await site.ok('stele get terms --json', 'lab', readers)) as {
      result: { index: number; digest: string; terms: { policy: string; logKeys: string[] } };
    };
    assert.match(await site.ok('stele get terms', 'lab', readers), /^\{\n {2}"admission": \{\n/);
    const { policy: text, logKeys } = found.result.terms;
    assert.deepEqual([text, logKeys], [next, [newVkey]]);
    for (const wrong of ['policy=nonsense', 'registrars=x', 'nothing=1', 'anchorInterval=soon'])
      assert.equal((await site.run(`stele get terms --set ${wrong}`, 'lab', readers)).status, 2, wrong);
  });

  await t.test('The only log key: the log ends, and its successor names its last tree', async () => {
    const [block = []] = runbook('The only log key is known to others');
    await writeFile(site.at('office', 'witnesses'), (await policy()).replace(/^log .*\n/gm, ''));
    const env = { ...readers, NEXT: site.at('next'), VKEY: newVkey };
    const vkey = (await site.follow(block, 'office', env)).split('\n').find((line) => line.includes('next+'));
    assert.ok(vkey !== undefined);
    // The tree behind which nothing comes any more, whatever "last" says.
    await site.final();
    const served = await (await fetch(`${site.url}/checkpoint`)).text();
    const [origin, size, root = ''] = served.split('\n');
    const charter = await readFile(site.at('next', 'charter.json'), 'utf8');
    const { payload } = JSON.parse(charter) as { payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
      predicate: { terms: { predecessor: object } };
    };
    const rootHash = Buffer.from(root, 'base64').toString('hex');
    const kept = (await readFile(site.at('office', 'last'), 'utf8')).split('\n');
    assert.deepEqual(kept.slice(0, 3), [origin, size, root]);
    assert.deepEqual(predicate.terms.predecessor, { origin, size: Number(size), rootHash });
    const late = await site.run('stele submit ../lab/records/thief.intent.dsse.json', 'office', readers);
    assert.match(late.stderr, /frozen/);
  });
});

/** The policy with this witness where the first one stood. */
function newVkeyLine(policy: string, witness: TestWitness | undefined): string {
  assert.ok(witness);
  return policy.replace(/^witness w1 .*$/m, `witness w1 ${formatVkey(witness.vkey)} ${witness.url}`);
}
