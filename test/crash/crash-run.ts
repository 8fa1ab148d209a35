// A log in processes that are killed, four witnesses that hold what it signed, and submitters who
// keep what they were told.
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { decodeUtf8, encodeUtf8, formatVkey, parsePolicy, parseVkey } from '../../tlog/index.js';
import type { Policy, SigningKey, Vkey } from '../../tlog/index.js';
import { initLog, readKeyLives } from '../../log-server/index.js';
import { readKeyFile, systemClock } from '../../system/index.js';
import type { KeyLives, LogStep } from '../../log-server/index.js';
import { serveFolder, startTestWitness } from '../helpers/witness.js';
import type { TestWitness } from '../helpers/witness.js';
import { startScript } from '../helpers/process.js';
import type { Child } from '../helpers/process.js';
import { participant } from '../../log-server/testing/participant.js';
import { addLog, removeKey } from '../../witness/index.js';
import type { ChildOptions } from './log-child.js';
import { Recorder } from './recorder.js';
import type { Judgement } from './recorder.js';

const ORIGIN = 'log.example/crash';
/** Only turns a test that would hang into one that fails. */
const PATIENCE_MS = 60_000;
const SUBMITTERS = 8;

/** How many of the log's two keys each witness knows. */
export const KEYS_KNOWN: readonly number[] = [2, 2, 1, 1];

/** A step to die at. */
export interface Kill {
  readonly step: LogStep;
  readonly count: number;
}

/** One log's life, from its making to the judgement. */
export class CrashRun {
  readonly recorder: Recorder;
  /** The log's folder; a test may put another in its place while the log is stopped. */
  readonly folder: string;
  readonly #admission: 'none' | 'charter';
  readonly #witnesses: TestWitness[];
  #policy: Policy;
  #vkeys: readonly Vkey[];
  readonly #operator: SigningKey | undefined;
  #child: Child | undefined;
  #url = '';
  #next = 0;
  /** Payloads that were sent and not acknowledged: with a charter they are sent again, as a client would. */
  readonly #owed: Uint8Array[] = [];
  #anchor: { index: number; leafHash: string } | undefined;
  starts = 0;
  kills = 0;

  private constructor(parts: {
    recorder: Recorder;
    folder: string;
    admission: 'none' | 'charter';
    witnesses: TestWitness[];
    policy: Policy;
    vkeys: readonly Vkey[];
    operator: SigningKey | undefined;
  }) {
    this.recorder = parts.recorder;
    this.folder = parts.folder;
    this.#admission = parts.admission;
    this.#witnesses = parts.witnesses;
    this.#policy = parts.policy;
    this.#vkeys = parts.vkeys;
    this.#operator = parts.operator;
  }

  /** Makes witnesses, doors and the log's folder. */
  static async make(
    admission: 'none' | 'charter',
    { mlDsa = true }: { mlDsa?: boolean } = {},
  ): Promise<CrashRun> {
    const recorder = new Recorder();
    const witnesses = await Promise.all(
      ['w1', 'w2', 'w3', 'w4'].map((name) => startTestWitness({ name: `${name}.example` })),
    );
    const lines = await Promise.all(
      witnesses.map(async (witness, i) => {
        const door = await recorder.doorTo(() => witnesses[i]?.url ?? '');
        return `witness w${i + 1} ${formatVkey(witness.vkey)} ${door}`;
      }),
    );
    const folder = join(await mkdtemp(join(tmpdir(), 'stele-crash-')), 'log');
    const made = await initLog({
      folder,
      origin: ORIGIN,
      admission,
      mlDsa,
      policy: encodeUtf8([...lines, 'group all 3 w1 w2 w3 w4', 'quorum all', ''].join('\n')),
      clock: systemClock,
    });
    const vkeys = made.vkeys.map(parseVkey);
    // Two know both keys of the log, one the Ed25519 key alone, one the ML-DSA-44 key.
    const known = [vkeys, vkeys, vkeys.slice(0, 1), vkeys.slice(-1)];
    for (const [i, witness] of witnesses.entries()) {
      for (const vkey of known[i] ?? []) await addLog(witness.folder, vkey);
      witnesses[i] = await reopened(witness);
    }
    const operator = admission === 'charter' ? readKeyFile(join(folder, 'operator.key')) : undefined;
    return new CrashRun({
      recorder,
      folder,
      admission,
      witnesses,
      policy: parsePolicy(made.policy),
      vkeys,
      operator,
    });
  }

  /** After a change of the keys, made while the log is stopped: what readers and the judge know from now on. */
  async learn(): Promise<KeyLives> {
    const lives = await readKeyLives(this.folder);
    this.#vkeys = lives.map(({ vkey }) => vkey);
    const witnessLines = decodeUtf8(this.#policy.text)
      .split('\n')
      .filter((line) => !line.startsWith('log '));
    const lines = lives.map(({ vkey }) => `log ${formatVkey(vkey)}`);
    this.#policy = parsePolicy(encodeUtf8([...lines, ...witnessLines].join('\n')));
    return lives;
  }

  /** As `learn`, for the witnesses: those named take this key up, or let it go. */
  async tell(vkey: Vkey, action: 'add' | 'remove', which: readonly number[] = [0, 1, 2, 3]): Promise<void> {
    for (const i of which) {
      const witness = this.#witnesses[i];
      assert.ok(witness);
      await (action === 'add' ? addLog : removeKey)(witness.folder, vkey);
      await witness.reload();
    }
  }

  /** The policy of somebody who knows these keys of the log, with the same witnesses. */
  policyOf(vkeys: readonly Vkey[]): Policy {
    const names = new Set(vkeys.map(formatVkey));
    return { ...this.#policy, logs: this.#policy.logs.filter(({ vkey }) => names.has(formatVkey(vkey))) };
  }

  /** The URL of the running log. */
  get url(): string {
    return this.#url;
  }

  /** A second log over a copy of this one's folder, known to the same witnesses and recorder. */
  async copy(to: string): Promise<CrashRun> {
    await cp(this.folder, to, { recursive: true });
    return new CrashRun({
      recorder: this.recorder,
      folder: to,
      admission: this.#admission,
      witnesses: this.#witnesses,
      policy: this.#policy,
      vkeys: this.#vkeys,
      operator: this.#operator,
    });
  }

  /** What `/readyz` says. */
  async readiness(): Promise<{ state: string; awaited: string[]; setAside: string[]; published: number }> {
    const answer = await fetch(`${this.#url}/readyz`);
    return (await answer.json()) as {
      state: string;
      awaited: string[];
      setAside: string[];
      published: number;
    };
  }

  /** What the process has said so far. */
  said(): string {
    return this.#child?.stderr() ?? '';
  }

  /** Starts the log's process. False if it was killed before it listened. */
  async start(kill?: Kill): Promise<boolean> {
    const options: ChildOptions = { folder: this.folder, admission: this.#admission, ...(kill && { kill }) };
    this.#child = startScript('test/crash/log-child', [JSON.stringify(options)]);
    this.starts++;
    const child = this.#child;
    const first = await Promise.race([
      child.firstLine.catch(() => undefined),
      child.ended.then(() => undefined),
    ]);
    if (first === undefined) return false;
    this.#url = first;
    return true;
  }

  /** Waits until the log takes entries. False if it died before. */
  async ready(): Promise<boolean> {
    const until = Date.now() + PATIENCE_MS;
    let last = '';
    while (Date.now() < until) {
      if (!this.alive) return false;
      try {
        const answer = await fetch(`${this.#url}/readyz`);
        last = await answer.text();
        if (answer.status === 200) return true;
      } catch {
        // Not yet, or no more.
      }
      await pause(10);
    }
    throw new Error(`the log did not become ready: ${last}\n${this.#child?.stderr() ?? ''}`);
  }

  /** Submits from several sides until the log dies or `limit` entries were acknowledged. */
  async load(limit: number): Promise<void> {
    const target = this.recorder.acknowledgements.length + limit;
    const submit = async (): Promise<void> => {
      while (this.recorder.acknowledgements.length < target && this.alive) {
        const body = this.#owed.shift() ?? (await this.#newEntry());
        if (body === undefined || !(await this.#submit(body))) {
          if (body !== undefined && this.#admission === 'charter') this.#owed.push(body);
          await pause(5);
        }
      }
    };
    await Promise.all(Array.from({ length: SUBMITTERS }, submit));
  }

  get alive(): boolean {
    const process = this.#child?.process;
    return process !== undefined && process.exitCode === null && process.signalCode === null;
  }

  /** Kills the process from outside, wherever it is. */
  kill(): void {
    this.#child?.process.kill('SIGKILL');
  }

  /** Waits for the end of a process that was to be killed, and looks at what it said. */
  async died(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const how = await Promise.race([child.ended, pause(PATIENCE_MS, 'still alive', { ref: false })]);
    assert.equal(how, 'SIGKILL', `expected to be killed: ${child.stderr()}`);
    this.kills++;
    assert.doesNotMatch(child.stderr(), /"level":"alarm"/);
    this.#child = undefined;
  }

  /** Shuts the log down in peace; with `alarms`, one that has raised some. */
  async stop(alarms = false): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.process.kill('SIGTERM');
    assert.equal(await child.ended, 0, child.stderr());
    if (!alarms) assert.doesNotMatch(child.stderr(), /"level":"alarm"/);
    this.#child = undefined;
  }

  /** One last clean start: everything owed is sent again, and the recorder judges. */
  async judge(): Promise<Judgement> {
    assert.ok(await this.start(), this.#child?.stderr());
    assert.ok(await this.ready(), this.#child?.stderr());
    while (this.#owed.length > 0) await this.load(this.#owed.length);
    await this.load(1);
    const lives = await readKeyLives(this.folder);
    const due = (size: number): Vkey[] =>
      lives.flatMap(({ vkey, from, until }) => (from <= size && size <= (until ?? size) ? [vkey] : []));
    const judgement = await this.recorder.judge(this.#url, this.#policy, this.#vkeys, due);
    await this.stop();
    return judgement;
  }

  async remove(): Promise<void> {
    this.kill();
    await this.recorder.close();
    await Promise.all(this.#witnesses.map((witness) => witness.remove()));
    await rm(join(this.folder, '..'), { recursive: true, force: true });
  }

  async #submit(body: Uint8Array): Promise<boolean> {
    try {
      const answer = await fetch(`${this.#url}/add`, {
        method: 'POST',
        body: body as Uint8Array<ArrayBuffer>,
        headers: { accept: 'text/x.tlog.proof' },
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (answer.status === 503) return false;
      assert.equal(answer.status, 200, new TextDecoder().decode(bytes));
      const index = Number(/^index (\d+)$/m.exec(new TextDecoder().decode(bytes))?.[1]);
      this.recorder.acknowledge(body, index, bytes);
      return true;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return false;
    }
  }

  async #newEntry(): Promise<Uint8Array | undefined> {
    const name = `entry-${this.#next++}`;
    if (this.#operator === undefined) return encodeUtf8(name.padEnd(200, '.'));
    try {
      this.#anchor ??= await this.#firstAnchor();
    } catch {
      return undefined;
    }
    return participant(ORIGIN, this.#operator, name, this.#anchor);
  }

  async #firstAnchor(): Promise<{ index: number; leafHash: string }> {
    const answer = await fetch(`${this.#url}/api/v1/entries/1`);
    if (answer.status !== 200) throw new Error('not yet');
    const { index, leafHash } = (await answer.json()) as { index: number; leafHash: string };
    return { index, leafHash };
  }
}

/** The same folder on a new port: a witness reads its logs when it starts. */
async function reopened(witness: TestWitness): Promise<TestWitness> {
  await witness.close();
  return serveFolder(witness.folder);
}
