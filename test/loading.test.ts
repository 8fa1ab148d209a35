// A module is half a millisecond of each start: what commands load, and what they do not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { processContext } from '../cli/context.js';
import { buildProgram } from '../cli/program.js';
import { newSigningKey, formatVkey, NOTE_ED25519 } from '../tlog/index.js';

const dist = new URL('../', import.meta.url);

/** Our modules that a command loaded until it ended, by their paths in dist/, as V8's coverage has them. */
function loadedBy(t: TestContext, program: string, ...args: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'stele-loading-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const env = { ...process.env, NODE_V8_COVERAGE: folder };
  const main = fileURLToPath(new URL(`${program}/main.js`, dist));
  const { stderr } = spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8' });
  const urls = readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url);
  });
  const ours = urls.filter((url) => url.startsWith(dist.href)).map((url) => url.slice(dist.href.length));
  assert.ok(ours.includes(`${program}/main.js`), stderr);
  return ours.sort();
}

test('stele loads the command that is typed, and no other', (t) => {
  for (const name of ['keygen', 'verify', 'record']) {
    const loaded = loadedBy(t, 'cli', name, '--help');
    const commands = loaded.filter((path) => path.startsWith('cli/commands/'));
    assert.deepEqual(commands, [`cli/commands/${name}.js`]);
    if (name === 'record') continue;
    assert.deepEqual(
      loaded.filter((path) => /^cli\/(record|monitor)\//.test(path)),
      [],
      name,
    );
  }
});

test('a command that is typed is what it is among all', async () => {
  const all = await buildProgram(processContext(), { status: 0 });
  for (const command of all.commands) {
    const name = command.name();
    if (name === 'completion') continue;
    const { commands } = await buildProgram(processContext(), { status: 0 }, name);
    assert.deepEqual(
      commands.map((each) => each.name()),
      [name, 'completion'],
    );
    assert.equal(commands[0]?.helpInformation(), command.helpInformation());
  }
});

test('a full check of a folder loads no server, no state and no network', (t) => {
  const { vkey } = newSigningKey('log.example/loading', NOTE_ED25519, new Uint8Array(32));
  const loaded = loadedBy(t, 'log-server', 'fsck', join(tmpdir(), 'no-such-log'), '--vkey', formatVkey(vkey));
  assert.ok(loaded.includes('log-server/offline/tree-check.js'));
  const more = /^(system\/(index|connections|metrics|signing-pool)|client\/(index|log-reader))\.js$/;
  assert.deepEqual(
    loaded.filter((path) => more.test(path) || /^(attestation|log-server\/http)\//.test(path)),
    [],
  );
});
