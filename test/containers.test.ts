// Dockerfile, compose.yaml, docs/containers.md and the systemd units, as far as they can be tried where there is no engine.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { processContext } from '../cli/context.js';
import { buildProgram as buildStele } from '../cli/program.js';
import { SETTINGS } from '../cli/settings.js';
import { buildProgram as buildLog } from '../log-server/commands.js';
import { startFixture } from '../log-server/testing/fixture.js';
import { parsePolicy } from '../tlog/index.js';
import { buildProgram as buildWitness } from '../witness/commands.js';

interface Service {
  image: string;
  pull_policy: string;
  init: boolean;
  build?: string;
  user: string;
  read_only: boolean;
  cap_drop: string[];
  security_opt: string[];
  command: string[];
  healthcheck?: { test: string[]; start_interval?: string };
  ports?: string[];
  volumes: string[];
  depends_on?: string[] | Record<string, unknown>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const compose = parse(read('compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
/** Instructions, with their continuation lines. */
const dockerfile = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '');
const packageJson = JSON.parse(read('package.json')) as { bin: Record<string, string>; files: string[] };

test('the image is made from what is in the checkout, has the three programs, and no secret', () => {
  const [nothing, ...lines] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(nothing, '*', 'nothing is let in that has no line');
  const letIn = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const ignored = lines.filter((line) => !line.startsWith('!'));
  for (const line of dockerfile.filter((each) => /^COPY (?!--from)/.test(each))) {
    const sources = line.split(' ').slice(1, -1);
    for (const source of sources) {
      assert.ok(existsSync(join(root, source)), source);
      if (source !== '.') assert.ok(letIn.includes(source), `${source} is not in .dockerignore`);
    }
  }
  // The build compiles every project, or none.
  const { references } = JSON.parse(read('tsconfig.json')) as { references: { path: string }[] };
  for (const { path } of references) assert.ok(letIn.includes(path.split('/')[1] ?? ''), path);
  // What is packed, and what the build is told by.
  const packed = packageJson.files
    .map((path) => path.split('/')[0] ?? '')
    .filter((name) => !/^!|^dist$/.test(name));
  const told = ['LICENSE', 'README.md', 'tools', 'tsconfig.base.json', 'tsconfig.json'];
  for (const wanted of [...packed, ...told]) assert.ok(letIn.includes(wanted), wanted);
  for (const name of letIn) assert.ok(existsSync(join(root, name)), `${name} is gone`);
  const runs = dockerfile.filter((line) => line.startsWith('RUN ')).join('\n');
  for (const line of dockerfile.filter((each) => each.startsWith('COPY --from'))) {
    const source = /\/build\/(\w+) /.exec(line)?.[1] ?? assert.fail(line);
    assert.match(runs, new RegExp(`mkdir .*\\.\\./${source}\\b`), 'the build stage makes it');
  }
  for (const [name, path] of Object.entries(packageJson.bin))
    assert.ok(runs.includes(`ln -s /opt/stele/${path.replace('./', '')} ../bin/${name} `.trimEnd()), name);
  for (const wanted of ['**/.*', '**/*.key', '**/generated', '**/node_modules'])
    assert.ok(ignored.includes(wanted));
  assert.equal(dockerfile.filter((line) => line.startsWith('USER ')).at(-1), 'USER 1000:1000');
  // The root is read-only, and a state can be larger than what one gives a /tmp in memory.
  for (const wanted of ['HOME=/data', 'TMPDIR=/data'])
    assert.ok(dockerfile.find((line) => line.startsWith('ENV '))?.includes(wanted), wanted);
  assert.doesNotMatch(dockerfile.join('\n'), /ADD |curl|wget|SECRET|TOKEN|PASSWORD/i);
});

/** Parses a command line with the program's own parser, and runs nothing. */
async function parses([name = '', ...words]: readonly string[]): Promise<void> {
  const nothing = (): void => undefined;
  const programs: Record<string, () => Command | Promise<Command>> = {
    stele: () => buildStele(processContext(), { status: 0 }),
    'stele-log': () => buildLog(nothing),
    'stele-witness': () => buildWitness(nothing),
  };
  const program = await (programs[name] ?? assert.fail(`no program ${name}`))();
  let ran = 0;
  const count = (): void => {
    ran++;
  };
  const prepare = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: nothing, writeOut: nothing });
    if (command.commands.length === 0) command.action(count);
    for (const each of command.commands) prepare(each);
  };
  prepare(program);
  await program.parseAsync(words, { from: 'user' });
  assert.equal(ran, 1, [name, ...words].join(' '));
}

test('every service runs one of the programs, in words that it takes, and may do nothing else', async () => {
  for (const [name, service] of services) {
    await parses(service.command);
    assert.deepEqual([service.image, service.user, service.read_only], ['stele', '1000:1000', true], name);
    assert.deepEqual([service.cap_drop, service.security_opt], [['ALL'], ['no-new-privileges:true']], name);
    // A registry's image of this name is another's; and without a first process of its own Node would not end at Ctrl-C.
    assert.deepEqual([service.pull_policy, service.init], ['never', true], name);
    assert.deepEqual(service.volumes, [`${name}:/data`]);
    assert.ok(name in compose.volumes);
    const folder = service.command[service.command.indexOf('--folder') + 1];
    assert.match(folder ?? '', /^\/data\//, name);
    for (const port of service.ports ?? [])
      assert.match(port, /^127\.0\.0\.1:/, 'no door to the world without TLS');
    const listens = service.command.includes('--listen');
    const port = /:(\d+)$/.exec(service.command[service.command.indexOf('--listen') + 1] ?? '')?.[1];
    if (listens) {
      assert.ok(service.healthcheck?.test.at(-1)?.includes(`127.0.0.1:${port}/healthz`), name);
      // Engines before 25, which Debian 12 and Ubuntu 24.04 have, refuse a container that has one.
      assert.equal(service.healthcheck?.start_interval, undefined, name);
      assert.match(dockerfile.find((line) => line.startsWith('EXPOSE ')) ?? '', new RegExp(`\\b${port}\\b`));
    } else assert.equal(service.healthcheck, undefined, `${name}: up --wait fails where a check is disabled`);
  }
  await assert.rejects(parses(['stele-log', 'serve', '--folder', '/data', '--no-such-option']));
  assert.deepEqual(
    services.map(([name]) => name),
    ['north', 'east', 'south', 'west', 'log', 'monitor'],
  );
});

test('every unit starts one of the programs, in words and with variables that it takes', async () => {
  const units = readdirSync(join(root, 'docs/systemd')).filter((name) => name.endsWith('.service'));
  assert.equal(units.length, 4);
  // What docs/record.md puts into /etc/stele/record.env.
  const [, file = ''] = /^printf '(RUN=.*)' >\/etc\/stele\/record\.env$/m.exec(read('docs/record.md')) ?? [];
  const given = new Map(file.split('\\n').map((line) => line.split(/=(.*)/s) as [string, string]));
  const settings = Object.keys(SETTINGS).map((name) => `STELE_${name.toUpperCase()}`);
  for (const name of units) {
    const unit = read(`docs/systemd/${name}`);
    const [, path = '', line = ''] = /^ExecStart=\/usr\/local\/bin\/(\S+) (.*)$/m.exec(unit) ?? [];
    assert.equal(unit.match(/^ExecStart=/gm)?.length, 1, name);
    assert.ok(path in packageJson.bin, `${name}: ${path}`);
    const valueOf = (word: string): string => given.get(word.replaceAll(/[${}]/g, '')) ?? assert.fail(word);
    // systemd splits the value of $NAME into words, and not that of ${NAME}.
    const words = line.split(' ').flatMap((word) => {
      if (word.startsWith('${')) return [valueOf(word)];
      return word.startsWith('$') ? valueOf(word).split(' ') : [word];
    });
    await parses([path, ...words]);
    for (const [, variable = ''] of unit.matchAll(/^Environment=.*?\b(STELE_\w+)=/gm))
      assert.ok(path === 'stele' && settings.includes(variable), `${name}: ${variable}`);
  }
});

test('the health check says what /healthz says', async () => {
  const check = compose.services['log']?.healthcheck?.test ?? [];
  assert.deepEqual(check.slice(0, 3), ['CMD', 'node', '-e']);
  const ask = (url: string): Promise<number | null> => {
    const script = (check[3] ?? '').replace('http://127.0.0.1:7381', url);
    assert.ok(script.includes(url));
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    return new Promise((resolve) => child.on('exit', resolve));
  };
  const { log, close } = await startFixture();
  assert.equal(await ask(log.url), 0);
  await close();
  assert.equal(await ask(log.url), 1);
});

test('the set-up of docs/containers.md, with the programs on this machine in place of containers', () => {
  const at = mkdtempSync(join(tmpdir(), 'stele-containers-'));
  try {
    const bin = join(at, 'bin');
    mkdirSync(bin);
    for (const [name, path] of Object.entries(packageJson.bin)) {
      const main = join(root, path);
      writeFileSync(join(bin, name), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, {
        mode: 0o755,
      });
    }
    // A volume is a folder here, and is where /data is in a container.
    const docker = `#!/bin/bash
set -euo pipefail
case "$1 $2" in
  'compose build' | 'compose up') exit 0 ;;
  'compose run')
    [ "$3 $4 $5" = '--rm --no-deps -T' ] || exit 9
    volume=$PWD/volume-$6
    mkdir -p "$volume"
    shift 6
    ;;
  'run --rm')
    [ "$3 $4 $5 $6 $7 $8 \${10} \${12}" = '--init --pull never --network stele_default --user --volume stele' ] || exit 9
    volume=\${11%:/data}
    shift 12
    cd "$volume"
    ;;
  *) exit 9 ;;
esac
exec "\${@//\\/data/$volume}"
`;
    writeFileSync(join(bin, 'docker'), docker, { mode: 0o755 });
    const blocks = [...read('docs/containers.md').matchAll(/```sh\n(.*?)```/gs)].map(
      ([, text]) => text ?? '',
    );
    assert.equal(blocks.length, 5, 'what it takes a server for is in .ci/image');
    const script = `set -euo pipefail\n${blocks.slice(0, 2).join('\n')}`;
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: at };
    const { status, stderr } = spawnSync('bash', ['-c', script], {
      cwd: at,
      env,
      encoding: 'utf8',
      timeout: 120_000,
    });
    assert.equal(status, 0, stderr);
    const policy = parsePolicy(readFileSync(join(at, 'containers/policy')));
    const urls = policy.witnesses.map(({ url }) => url);
    assert.deepEqual(
      urls,
      ['north', 'east', 'south', 'west'].map((name) => `http://${name}:7380`),
    );
    // Where the services look for it.
    for (const [name, { command }] of services) {
      const folder = command[command.indexOf('--folder') + 1] ?? '';
      if (name !== 'monitor')
        assert.ok(statSync(folder.replace('/data', join(at, `volume-${name}`))).isDirectory());
    }
    assert.match(readFileSync(join(at, 'containers/log.vkey'), 'utf8'), /^log\.example\/containers\+/);
  } finally {
    rmSync(at, { recursive: true });
  }
});
