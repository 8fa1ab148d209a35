import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatVkey, newSigningKey } from '../tlog/index.js';
import { runCommand } from './commands.js';
import { checkFolder } from './folder.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

const VKEY = formatVkey(newSigningKey('log.example/old', 1, new Uint8Array(32).fill(7)).vkey);

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function shell(t: TestContext): Promise<(args: string, env?: Record<string, string>) => Ran> {
  const cwd = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(cwd, { recursive: true }));
  await writeFile(join(cwd, 'policy'), 'quorum none\n');
  return (args, env = {}) => {
    const options = {
      cwd,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], XDG_CONFIG_HOME: cwd, ...env },
    } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args.split(' ')], options);
    return { status, stdout, stderr };
  };
}

/** As `shell`, in this process: a command of its own takes half a second to start. */
async function shellHere(t: TestContext): Promise<(args: string) => Promise<Ran>> {
  const at = await mkdtemp(join(tmpdir(), 'stele-'));
  const before = { cwd: process.cwd(), config: process.env['XDG_CONFIG_HOME'] };
  process.chdir(at);
  process.env['XDG_CONFIG_HOME'] = at;
  t.after(async () => {
    process.chdir(before.cwd);
    if (before.config === undefined) Reflect.deleteProperty(process.env, 'XDG_CONFIG_HOME');
    else process.env['XDG_CONFIG_HOME'] = before.config;
    await rm(at, { recursive: true });
  });
  await writeFile('policy', 'quorum none\n');
  return async (args) => {
    let [stdout, stderr] = ['', ''];
    const status = await runCommand(args.split(' '), {
      stdout: (text) => void (stdout += text),
      stderr: (text) => void (stderr += text),
    });
    return { status, stdout, stderr };
  };
}

void test('init, fsck, recover: what they print, and their statuses', async (t) => {
  const run = await shell(t);
  const made = run('init -f log --origin log.example/x --policy policy');
  assert.deepEqual(
    [made.status, /^log\.example\/x\+[0-9a-f]{8}\+\S+\n$/.test(made.stdout)],
    [0, true],
    made.stderr,
  );
  const again = run('init -f log --origin log.example/x --policy policy');
  assert.equal(again.status, 2);
  assert.match(again.stderr, /\(not_empty\)/);
  const checked = run('fsck -f log --json');
  assert.deepEqual([checked.status, (JSON.parse(checked.stdout) as { ok: boolean }).ok], [0, true]);
  const nowhere = run('fsck -f nowhere --json');
  const answer = JSON.parse(nowhere.stdout) as { ok: boolean; error: { code: string } };
  assert.deepEqual([nowhere.status, answer.ok, nowhere.stderr], [2, false, '']);
  assert.equal(answer.error.code, 'no_log_here');
  const recovered = run('recover -f log');
  assert.equal(recovered.status, 0, recovered.stderr);
});

void test('what is no log is said to be none, by every command that needs one', async (t) => {
  const run = await shellHere(t);
  for (const folder of ['empty', 'other', 'witness']) await mkdir(folder);
  for (const file of ['other/notes', 'witness/witness.key', 'witness/state']) await writeFile(file, '');
  for (const command of ['serve', 'fsck', 'recover', 'upgrade', 'add-key', 'retire-key 00000000', 'freeze'])
    for (const [folder, found] of [
      ['missing', 'found none'],
      ['policy', 'found a file'],
      ['policy/below', 'found none'],
      ['empty', 'found an empty folder'],
      ['other', 'found a folder that holds nothing of one'],
      ['witness', 'found the folder of a witness, which is for stele-witness'],
    ] as const) {
      const { status, stdout } = await run(`${command} --folder ${folder} --json`);
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
      assert.deepEqual([status, error.code], [2, 'no_log_here'], command);
      assert.ok(error.message.endsWith(found), error.message);
      assert.match(error.hint, /^check --folder/);
    }
  assert.deepEqual((await readdir('.')).toSorted(), ['empty', 'other', 'policy', 'witness']);
  const made = await run('init -f log --origin log.example/x --policy policy');
  assert.equal(made.status, 0, made.stderr);
  for (const [from, found] of [
    ['missing', 'none'],
    ['policy', 'a file'],
  ] as const) {
    const { status, stderr } = await run(`recover -f log --from ${from}`);
    assert.equal(status, 2, stderr);
    assert.match(
      stderr,
      new RegExp(
        `--from ${from}: expected an http or https URL or a folder, found ${found} \\(unreadable\\)`,
      ),
    );
  }
  // A mirror is named, with its key; a folder of this program's own is named otherwise.
  await mkdir('own');
  await writeFile('own/log-keys.json', '');
  for (const [source, found] of [
    ['missing', 'missing, found none \\(unreadable\\)\n  check the path'],
    ['policy', 'found a file'],
    ['ftp://log.example', 'expected the http or https URL, .*found none'],
    ['empty', 'found an empty folder'],
    ['witness', 'found the folder of a witness'],
    ['own', 'stele-log fsck --folder own\n$'],
    ['other', 'expected the log’s key, found none \\(missing_option\\)'],
  ] as const) {
    const { status, stderr } = await run(`fsck ${source}`);
    assert.equal(status, 2, source);
    assert.match(stderr, new RegExp(found));
  }
  const mirror = await run(`fsck other --vkey ${VKEY}`);
  assert.equal(mirror.status, 1);
  assert.match(mirror.stdout, /^checkpoint: expected a checkpoint signed by the log, found none$/m);
  for (const url of ['log.example', 'ftp://log.example/', 'http://'])
    for (const command of ['doctor', 'freeze']) {
      const { status, stderr } = await run(`${command} --folder own --url ${url}`);
      assert.equal(status, 2);
      assert.match(stderr, /--url: expected an http or https URL, found ".*" \(bad_url\)\n {2}such as http:/);
    }
  // As it would be for one whose rights forbid to look.
  await symlink('circle', 'circle');
  await assert.rejects(checkFolder('circle'), {
    code: 'no_file',
    message: 'expected the folder of a log at circle, found one that cannot be read (ELOOP)',
    hint: /^check the path/,
  });
});

void test('usage errors end with 2, and say what was expected', async (t) => {
  const run = await shellHere(t);
  for (const [args, expected] of [
    ['serve --bogus', /unknown option '--bogus'/],
    ['nonsense', /unknown command 'nonsense' \(usage\)\n {2}see stele-log --help\n/],
    ['serv', /unknown command 'serv' \(usage\)\n {2}did you mean serve\? see/],
    [
      'serve',
      /expected --folder, found none .*\n.*name it, or set STELE_LOG_FOLDER in the environment, or folder in/,
    ],
    ['serve -f x -l nowhere', /Expected host:port/],
    ['serve -f x --admission some', /Allowed choices are charter, none/],
    ['serve -f x', /expected the folder of a log at .*x, found none \(no_log_here\)/],
    ['add-key -f x', /\(no_log_here\)/],
    ['retire-key -f x', /missing required argument 'key id'/],
    ['upgrade -f x', /\(no_log_here\)/],
    ['init -f x --policy policy', /expected --origin/],
    ['init -f x --origin o --policy missing', /expected a file at missing, found none/],
    ['init -f x --origin o --policy policy --anchor-interval 1.5', /whole number/],
    ['init -f x --origin o --policy policy --predecessor policy', /expected --predecessor-vkey/],
    [`init -f x --origin o --policy policy --predecessor-vkey ${VKEY}`, /expected --predecessor, found none/],
    [
      `init -f x --origin o --policy policy --predecessor policy --predecessor-vkey ${VKEY}`,
      /policy: .*\(bad_predecessor\)/,
    ],
    ['init -f x --origin o --policy policy --operator O:n', /--operator.*identifier/],
    ['init -f x --origin o --policy policy --registrar o:n:zz', /--registrar.*64 lower-case hex/],
    ['init -f x --origin o --policy policy --origin x+y', /\(bad_signing_key\)\n {2}use/],
    ['fsck', /expected --folder.*\n.*STELE_LOG_FOLDER/],
    ['fsck http://127.0.0.1:1/', /expected the log’s key/],
  ] as const) {
    const { status, stderr, stdout } = await run(args);
    assert.deepEqual([status, stdout], [2, ''], args);
    assert.match(stderr, expected, args);
  }
  assert.equal((await run('--help')).status, 0);
  // A log that takes anything has no entry that could say which key signs from when on.
  assert.equal((await run('init -f any --origin any.example --policy policy --admission none')).status, 0);
  for (const args of ['add-key -f any', 'retire-key 00000000 -f any']) {
    const { status, stderr } = await run(args);
    assert.deepEqual([status, /--admission none.*\(no_charter\)/.test(stderr)], [2, true], stderr);
  }
  assert.match((await run('freeze -f any')).stderr, /\(no_charter\)/);
});

void test('a flag, then the environment, then ./stele.toml, then the user’s configuration', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(cwd, { recursive: true }));
  await writeFile(join(cwd, 'policy'), 'quorum none\n');
  await writeFile(
    join(cwd, 'stele.toml'),
    '["stele-log"]\nfolder = "from-file"\norigin = "file.example"\npolicy = "policy"\nanchor-interval = 60\n',
  );
  const run = (args: string[], env: Record<string, string> = {}): Ran => {
    const options = { cwd, encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } } as const;
    return spawnSync(process.execPath, [MAIN, ...args], options);
  };
  assert.match(run(['init']).stdout, /^file\.example\+/);
  assert.match(
    run(['init'], { STELE_LOG_FOLDER: 'from-env', STELE_LOG_ORIGIN: 'env.example' }).stdout,
    /^env\.example\+/,
  );
  assert.match(
    run(['init', '-f', 'from-flag', '--origin', 'flag.example'], { STELE_LOG_FOLDER: 'x' }).stdout,
    /^flag\.example\+/,
  );
  assert.deepEqual((await readdir(cwd)).sort(), [
    'from-env',
    'from-file',
    'from-flag',
    'policy',
    'stele.toml',
  ]);
  // A setting of another command is none of init's; one of no command is a mistake.
  for (const [line, status] of [
    ['backlog = 5', 0],
    ['nonsence = 1', 2],
  ] as const) {
    await writeFile(join(cwd, 'stele.toml'), `[stele-log]\n${line}\n`);
    const ran = run(['fsck', '-f', 'from-file']);
    assert.equal(ran.status, status, ran.stderr);
    if (status === 2) assert.match(ran.stderr, /found nonsence \(bad_config\)\n.*misspelt\?.*backlog/);
  }
  await writeFile(join(cwd, 'stele.toml'), 'not toml');
  const bad = run(['init', '-f', 'y']);
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /\(bad_config\)/);
});
