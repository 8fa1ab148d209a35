// A log with four witnesses on loopback, and people who type commands in folders of their own.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { processContext, type Context } from '../../cli/context.js';
import { run } from '../../cli/program.js';
import { parseVkey, formatVkey } from '../../tlog/index.js';
import { initLog, startLog, type RunningLog } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';
import { addLog, initFolder, startWitness, type RunningWitness } from '../../witness/index.js';

export const ORIGIN = 'log.example/test';

/** What a command answered. */
export interface Answer {
  status: number;
  stdout: string;
  stderr: string;
  /** Of `--json`. */
  json: {
    ok: boolean;
    checks: { name: string; status: string; detail: string }[];
    result: Record<string, unknown>;
    error: { code: string; message: string; hint: string } | null;
  };
}

/** Somebody with a working folder and a home. */
export class Person {
  readonly folder: string;
  readonly #overrides: Partial<Context>;

  constructor(root: string, name: string, overrides: Partial<Context> = {}) {
    this.folder = join(root, name, 'work');
    mkdirSync(this.folder, { recursive: true });
    this.#overrides = { env: { HOME: join(root, name) }, ...overrides };
  }

  /** Runs `stele` with these words. */
  async run(...argv: string[]): Promise<Answer> {
    return this.runWith({}, ...argv);
  }

  /** The same in a world that differs. */
  async runWith(overrides: Partial<Context>, ...argv: string[]): Promise<Answer> {
    const out: Buffer[] = [];
    let stderr = '';
    const status = await run(argv, {
      ...processContext(),
      cwd: this.folder,
      stdout: (data) => void out.push(Buffer.from(data)),
      stderr: (text) => void (stderr += text),
      terminal: false,
      ...this.#overrides,
      ...overrides,
    });
    const stdout = Buffer.concat(out).toString();
    const json = argv.includes('--json') ? (JSON.parse(stdout) as Answer['json']) : ({} as Answer['json']);
    return { status, stdout, stderr, json };
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  write(name: string, text: string | Uint8Array, mode = 0o644): void {
    writeFileSync(join(this.folder, name), text, { mode });
  }

  remove(name: string): void {
    rmSync(join(this.folder, name), { recursive: true });
  }
}

/** The world of the tests. */
export interface World {
  readonly root: string;
  readonly log: RunningLog;
  readonly logFolder: string;
  readonly witnesses: readonly RunningWitness[];
  /** tlog-policy: 3 of 4. */
  readonly policy: string;
  readonly registrar: Person;
  person(name: string, overrides?: Partial<Context>): Person;
  close(): Promise<void>;
}

/** Starts everything; the registrar is "office", its key made by `stele keygen`. */
export async function startWorld(): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), 'stele-cli-'));
  const registrar = new Person(root, 'office');
  const made = await registrar.run('keygen', 'office', '--json');
  if (made.status !== 0) throw new Error(made.stderr);

  const witnesses: RunningWitness[] = [];
  const lines: string[] = [];
  const names = ['north', 'east', 'south', 'west'];
  for (const name of names) {
    const folder = join(root, `witness-${name}`);
    const [vkey] = await initFolder(folder, `witness.example/${name}`, { ed25519: randomBytes(32) });
    if (vkey === undefined) throw new Error('no key');
    const witness = await startWitness({ folder, listen: { host: '127.0.0.1', port: 0 } });
    witnesses.push(witness);
    lines.push(`witness ${name} ${formatVkey(vkey)} ${witness.url}\n`);
  }
  const logFolder = join(root, 'log');
  const { vkeys, policy } = await initLog({
    folder: logFolder,
    origin: ORIGIN,
    admission: 'charter',
    // Whatever people do here they do with a log of two keys.
    mlDsa: true,
    policy: new TextEncoder().encode(`${lines.join('')}group all 3 ${names.join(' ')}\nquorum all\n`),
    clock: systemClock,
    registrars: [
      { participant: 'office', name: 'Treaty Office', key: String(made.json.result['publicKey']) },
    ],
  });
  for (const [i, witness] of witnesses.entries()) {
    for (const vkey of vkeys) await addLog(join(root, `witness-${names[i] ?? ''}`), parseVkey(vkey));
    await witness.reload();
  }
  const log = await startLog({
    folder: logFolder,
    admission: 'charter',
    listen: { host: '127.0.0.1', port: 0 },
    clock: systemClock,
  });
  // Charter and first anchor are published before anybody can sign.
  while ((log.published()?.size ?? 0) < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  const text = new TextDecoder().decode(policy);
  registrar.write('given-policy', text);
  const words = ['--officer', '--key', 'office.key', '--log', log.url, '--policy', 'given-policy'];
  const set = await registrar.run('init', 'office', ...words);
  if (set.status !== 0) throw new Error(set.stderr);
  return {
    root,
    log,
    logFolder,
    witnesses,
    policy: text,
    registrar,
    person: (name, overrides) => new Person(root, name, overrides),
    close: async () => {
      await log.close();
      for (const witness of witnesses) await witness.close();
      rmSync(root, { recursive: true });
    },
  };
}

/** A lab that a registrar has introduced. */
export async function introduceLab(world: World, name: string): Promise<Person> {
  const lab = world.person(name);
  lab.write('given-policy', world.policy);
  const steps: [Person, string[]][] = [
    [
      lab,
      [
        'init',
        name,
        '--name',
        `The ${name} Lab`,
        '--jurisdiction',
        'CH',
        '--controlled-by',
        'none',
        '--log',
        world.log.url,
        '--policy',
        'given-policy',
      ],
    ],
    [world.registrar, ['attest', 'participant', '--request', join(lab.folder, 'participant-request.json')]],
    [world.registrar, ['submit', `records/participant-${name}.dsse.json`]],
  ];
  for (const [person, argv] of steps) {
    const { status, stderr } = await person.run(...argv);
    if (status !== 0) throw new Error(`stele ${argv.join(' ')}: status ${status}\n${stderr}`);
  }
  return lab;
}
