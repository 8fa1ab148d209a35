import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { processContext, type Context } from './context.js';
import { loadSettings, required, stateFolder } from './settings.js';

const root = mkdtempSync(join(tmpdir(), 'stele-settings-'));
after(() => rmSync(root, { recursive: true }));

const cwd = join(root, 'work');
const config = join(root, 'config');
mkdirSync(cwd);
mkdirSync(join(config, 'stele'), { recursive: true });

function context(env: Record<string, string>): Context {
  return { ...processContext(), cwd, env: { HOME: root, XDG_CONFIG_HOME: config, ...env } };
}

test('a flag wins over the environment, that over ./stele.toml, that over the user’s folder', () => {
  writeFileSync(
    join(cwd, 'stele.toml'),
    'log = "http://here/"\npolicy = "policy"\ntimeout = 5\n[stele-log]\nx = 1\n',
  );
  writeFileSync(
    join(config, 'stele/stele.toml'),
    'log = "http://home/"\npolicy = "p"\nkey = "k"\nparticipant = "lab"\n',
  );
  const { settings, from } = loadSettings(context({ STELE_LOG: 'http://env/', STELE_PARTICIPANT: '' }), {
    log: 'http://flag/',
    json: true,
  });
  assert.deepEqual(settings, {
    log: 'http://flag/',
    policy: join(cwd, 'policy'),
    key: join(config, 'stele/k'),
    participant: 'lab',
    timeout: 5,
  });
  assert.deepEqual(from, {
    log: '--log',
    policy: join(cwd, 'stele.toml'),
    key: join(config, 'stele/stele.toml'),
    participant: join(config, 'stele/stele.toml'),
    timeout: join(cwd, 'stele.toml'),
  });
  const fromEnvironment = loadSettings(context({ STELE_LOG: 'http://env/' }), {});
  assert.deepEqual([fromEnvironment.settings.log, fromEnvironment.from.log], ['http://env/', 'STELE_LOG']);
  assert.equal(loadSettings(context({}), {}).settings.log, 'http://here/');
});

test('what cannot be used is named with where it stands', () => {
  for (const [toml, expected] of [
    ['lgo = "x"', /expected one of log, policy.*found "lgo"/],
    ['log = 5', /log in .*stele\.toml: expected text, found 5/],
    ['log = "ftp://x"', /expected an http or https URL/],
    ['timeout = 0', /whole number of seconds/],
    ['log = ', /line 1: expected TOML/],
  ] as const) {
    writeFileSync(join(cwd, 'stele.toml'), toml);
    assert.throws(() => loadSettings(context({}), {}), { code: 'bad_settings', message: expected }, toml);
  }
  writeFileSync(join(cwd, 'stele.toml'), '');
  assert.throws(() => loadSettings(context({ STELE_TIMEOUT: '1e3' }), {}), {
    code: 'bad_settings',
    message: /STELE_TIMEOUT/,
  });
  assert.throws(() => required({}, 'key'), {
    code: 'missing_setting',
    hint: /--key.*STELE_KEY.*stele\.toml/,
  });
});

test('state lies where XDG says, and a relative folder is ignored as XDG demands', () => {
  assert.equal(stateFolder(context({ XDG_STATE_HOME: '/state' })), '/state/stele');
  assert.equal(stateFolder(context({ XDG_STATE_HOME: 'state' })), join(root, '.local/state/stele'));
});
