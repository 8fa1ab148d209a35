// A log server whose disk fails: real `stele-log serve` under strace, which answers one system call
// with an error, then the same folder started again on a disk that works.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { initLog } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';
import { encodeUtf8, formatVkey, parsePolicy, parseVkey } from '../../tlog/index.js';
import type { Policy, Vkey } from '../../tlog/index.js';
import { addLog } from '../../witness/index.js';
import { Recorder } from '../crash/recorder.js';
import { type TestWitness, startTestWitness } from '../helpers/witness.js';
import type { SavedFile } from './disk-model.js';
import { judgeLog } from './judge.js';
import { Place, type Running, filesBelow, portOf, run, stop } from './processes.js';
import { parseTrace } from './strace.js';

const ORIGIN = 'log.example/faults';
const WITNESSES = 3;
/** After so many entries refused, one after the other, the disk is taken to fail for good. */
const REFUSALS = 3;

/** One fault: which call of how many fails, how, and on which files. */
export interface Fault {
  /** A system call. */
  readonly call: string;
  readonly error: 'EIO' | 'ENOSPC' | 'EDQUOT';
  /** The nth of these calls, counted from the start of the process; with `on`, all from it on. */
  readonly nth: number;
  readonly on?: boolean;
  /** Only calls on these files of the log's folder count; all files where nothing is said. */
  readonly files?: readonly string[];
}

/** What came of one. */
export interface FaultOutcome {
  /** How many calls were answered with the error. */
  readonly injected: number;
  /** What the server did: went on, stopped its sequencer, refused to start (with which code), or ended. */
  readonly ending: string;
  readonly acknowledged: number;
  /** Checkpoints and answers that the judge of the trace looked at. */
  readonly judged: number;
}

/** A log, its witnesses and everything that ever left it, over many faults. */
export class FaultyLog {
  readonly recorder: Recorder;
  readonly #dist: string | undefined;
  readonly #place: Place;
  readonly #witnesses: TestWitness[];
  readonly #policy: Policy;
  readonly #vkey: Vkey;
  readonly #folder: string;
  #next = 0;
  #runs = 0;

  private constructor(parts: {
    place: Place;
    witnesses: TestWitness[];
    recorder: Recorder;
    vkey: Vkey;
    policy: Policy;
    dist: string | undefined;
  }) {
    this.#dist = parts.dist;
    this.#place = parts.place;
    this.#witnesses = parts.witnesses;
    this.recorder = parts.recorder;
    this.#vkey = parts.vkey;
    this.#policy = parts.policy;
    this.#folder = parts.place.path('log');
  }

  /** Makes all of it, in a folder of its own below `parent`; `dist` is the build that serves. */
  static async make(options: { parent?: string; dist?: string } = {}): Promise<FaultyLog> {
    const place = await Place.make(options.parent);
    const witnesses = await Promise.all(
      Array.from({ length: WITNESSES }, (_, i) => startTestWitness({ name: `w${i}.example` })),
    );
    const recorder = new Recorder();
    const lines = await Promise.all(
      witnesses.map(async ({ vkey, url }, i) => {
        return `witness w${i} ${formatVkey(vkey)} ${await recorder.doorTo(() => url)}`;
      }),
    );
    const made = await initLog({
      folder: place.path('log'),
      origin: ORIGIN,
      admission: 'none',
      policy: encodeUtf8([...lines, 'group most 2 w0 w1 w2', 'quorum most', ''].join('\n')),
      clock: systemClock,
    });
    const vkey = parseVkey(made.vkey);
    for (const witness of witnesses) {
      await addLog(witness.folder, vkey);
      await witness.reload();
    }
    return new FaultyLog({
      place,
      witnesses,
      recorder,
      vkey,
      policy: parsePolicy(made.policy),
      dist: options.dist,
    });
  }

  /** The log's folder. */
  get folder(): string {
    return this.#folder;
  }

  /** The files in which level's commits of the next run will be, which it numbers on with every start. */
  levelLogs(): string[] {
    const numbers = readdirSync(join(this.#folder, 'data/state')).map((name) => parseInt(name, 10) || 0);
    const last = Math.max(...numbers);
    return [1, 2, 3, 4, 5].map((i) => `data/state/${String(last + i).padStart(6, '0')}.log`);
  }

  /** Whether the process that was started last still runs. */
  static alive({ process }: Running): boolean {
    return process.exitCode === null && process.signalCode === null;
  }

  /** `stele-log serve`, with faults and a trace or without; `reserve` in MiB. */
  serve(options: { trace?: string; fault?: Fault; reserve?: number } = {}): Running {
    const { trace, fault, reserve } = options;
    const args = ['--folder', this.#folder, '--admission', 'none', '--listen', '127.0.0.1:0'];
    const more = ['--publish-interval', '0', '--collection-timeout', '3000'];
    if (reserve !== undefined) more.push('--reserve', String(reserve));
    return run('log-server/main', ['serve', ...args, ...more], {
      oneThread: true,
      ...(this.#dist !== undefined && { dist: this.#dist }),
      ...(trace !== undefined && { trace }),
      ...(fault && {
        inject: {
          faults: [`${fault.call}:error=${fault.error}:when=${fault.nth}${fault.on === true ? '+' : ''}`],
          ...(fault.files && { paths: fault.files.map((file) => join(this.#folder, file)) }),
        },
      }),
    });
  }

  /** One fault, and the start after it; throws if anything that was promised does not hold. */
  async suffer(fault: Fault, entries = 6): Promise<FaultOutcome> {
    const before = fault.files ? undefined : await filesBelow(this.#folder);
    const trace = this.#place.path(`fault-${this.#runs++}.trace`);
    const acknowledged = this.recorder.acknowledgements.length;
    const running = this.serve({ trace, fault });
    let ending: string;
    let url = '';
    try {
      url = await running.firstLine;
      ending = await this.load(running, url, entries);
    } catch (error) {
      const code = codeIn(running, error);
      // What was there is as it was: nobody should be sent to recover it.
      assert.notEqual(code, 'state_damaged', running.stderr());
      ending = `refused: ${code}`;
    }
    // Half of them in peace, half of them not: what is promised is the same.
    running.process.kill(this.#runs % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
    await running.ended;
    const text = await readFile(trace, 'utf8');
    const injected = text.split('(INJECTED)').length - 1;
    const judged = before && url !== '' ? this.#judgeTrace(text, before, url, acknowledged) : 0;
    const found = {
      injected,
      ending,
      judged,
      acknowledged: this.recorder.acknowledgements.length - acknowledged,
    };
    await this.startClean();
    return found;
  }

  /** Adds entries until so many are acknowledged, or the log goes on no more. Says how it ended. */
  async load(running: Running, url: string, entries: number): Promise<string> {
    let left = entries;
    let last = 'nothing was refused';
    let turns = 0;
    let refusals = 0;
    const submit = async (): Promise<void> => {
      while (left > 0 && FaultyLog.alive(running) && turns++ < 400 && refusals < REFUSALS) {
        const refusal = await this.add(url);
        if (refusal === undefined) left--;
        else if (refusal.includes('stopped')) return;
        else {
          if (refusal !== 'gate_closed') {
            last = refusal;
            refusals++;
          }
          await pause(20);
        }
      }
    };
    await Promise.all([submit(), submit()]);
    if (!FaultyLog.alive(running)) return `ended: ${codeIn(running, '')}`;
    if (left <= 0) return last === 'nothing was refused' ? 'went on' : `went on after: ${last}`;
    const answer = await fetch(`${url}/readyz`);
    const { state } = (await answer.json()) as { state: string };
    // It may try again for as long as its disk fails: nothing of unknown outcome has happened.
    return state === 'ready' ? `refused entries: ${last}` : state;
  }

  /** One entry. Undefined if it was acknowledged, else the code of the refusal. */
  async add(url: string, size = 200): Promise<string | undefined> {
    const entry = encodeUtf8(`[entry ${this.#next++} of ${this.#folder}]`.padEnd(size, '.'));
    let bytes: Uint8Array;
    let status: number;
    try {
      const headers = { accept: 'text/x.tlog.proof' };
      const answer = await fetch(`${url}/add`, {
        method: 'POST',
        body: entry as Uint8Array<ArrayBuffer>,
        headers,
      });
      bytes = new Uint8Array(await answer.arrayBuffer());
      status = answer.status;
    } catch {
      return 'unreachable';
    }
    const text = new TextDecoder().decode(bytes);
    if (status === 200) {
      this.recorder.acknowledge(entry, Number(/^index (\d+)$/m.exec(text)?.[1]), bytes);
      return undefined;
    }
    assert.equal(status, 503, text);
    return /"code":"(\w+)"/.exec(text)?.[1] ?? text.trim();
  }

  /** On a disk that works the log starts, takes an entry, and has everything that ever left it. */
  async startClean(reserve?: number): Promise<void> {
    const running = this.serve(reserve === undefined ? {} : { reserve });
    try {
      const url = await running.firstLine;
      await ready(running, url);
      assert.equal(await this.add(url), undefined, running.stderr());
      await this.recorder.judge(url, this.#policy, [this.#vkey]);
      await stop(running);
    } finally {
      if (FaultyLog.alive(running)) running.process.kill('SIGKILL');
      await running.ended;
    }
  }

  async remove(): Promise<void> {
    await this.recorder.close();
    await Promise.all(this.#witnesses.map((witness) => witness.remove()));
    await this.#place.remove();
  }

  /** A sync that failed is none: nothing may have left on the strength of it. */
  #judgeTrace(text: string, before: readonly SavedFile[], url: string, since: number): number {
    const markers = new Map<number, string>();
    for (const { index, leaf } of this.recorder.acknowledgements.slice(since)) {
      markers.set(index, new TextDecoder().decode(leaf).replace(/\.+$/, ''));
    }
    const { violations, cosigned, answered } = judgeLog(parseTrace(text), {
      folder: this.#folder,
      origin: ORIGIN,
      witnessPorts: new Set(this.#policy.witnesses.map((witness) => portOf(witness.url ?? ''))),
      logPorts: new Set([portOf(url)]),
      markers,
      before,
    });
    assert.deepEqual(violations, []);
    return cosigned + answered;
  }
}

/** Waits until `/readyz` says so; the programs' own limits end the wait. */
export async function ready(running: Running, url: string): Promise<void> {
  let last = '';
  for (let turn = 0; turn < 2000; turn++) {
    if (!FaultyLog.alive(running)) throw new Error(`the log ended: ${running.stderr()}`);
    const answer = await fetch(`${url}/readyz`);
    last = await answer.text();
    if (answer.status === 200) return;
    await pause(10);
  }
  throw new Error(`the log did not become ready: ${last}\n${running.stderr()}`);
}

/** The stable code that the program's last words name. */
export function codeIn(running: Running, error: unknown): string {
  const code = /\((\w+)\)\n/.exec(running.stderr())?.[1];
  assert.ok(
    code,
    `expected a named code, found: ${running.stderr().slice(-2000)} ${String(error).slice(-500)}`,
  );
  return code;
}
