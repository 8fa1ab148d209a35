// A witness whose disk fails: real `stele-witness serve` under strace, asked by a log that grows and by
// another history under the same key, which it must never cosign.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { WitnessClient } from '../../client/index.js';
import { type Vkey, formatVkey, parseVkey } from '../../tlog/index.js';
import { SigningLog } from '../helpers/signing-log.js';
import { type Fault, type FaultOutcome, codeIn } from './log-faults.js';
import { judgeWitness } from './judge.js';
import { Place, type Running, filesBelow, portOf, run, runToEnd, stop } from './processes.js';
import { parseTrace } from './strace.js';

/** The other history leaves the first one here, below anything that is asked for. */
const FORK = 3;
/** A size of which only the first history is shown: nothing grows so far. */
const FAR = 20_000;

/** A witness and what it ever cosigned, over many faults. */
export class FaultyWitness {
  readonly #place: Place;
  readonly #log = new SigningLog('log.example/faults');
  readonly #other = new SigningLog('log.example/faults', 'another', FORK);
  readonly #vkey: Vkey;
  /** The largest size of which a cosignature was received. */
  #acknowledged = 0;
  /** The largest size asked for: what an unanswered request may have left. */
  #asked = 0;
  #runs = 0;

  private constructor(place: Place, vkey: Vkey) {
    this.#place = place;
    this.#vkey = vkey;
  }

  static async make(parent?: string): Promise<FaultyWitness> {
    const place = await Place.make(parent);
    const folder = ['--folder', place.path('witness')];
    const vkey = await runToEnd('witness/main', ['init', ...folder, '--name', 'witness.example/faults']);
    const made = new FaultyWitness(place, parseVkey(vkey));
    await runToEnd('witness/main', ['add-log', ...folder, formatVkey(made.#log.vkey)]);
    return made;
  }

  get folder(): string {
    return this.#place.path('witness');
  }

  serve(options: { trace?: string; fault?: Fault } = {}): Running {
    const { trace, fault } = options;
    return run('witness/main', ['serve', '--folder', this.folder, '--listen', '127.0.0.1:0'], {
      oneThread: true,
      ...(trace !== undefined && { trace }),
      ...(fault && {
        inject: {
          faults: [`${fault.call}:error=${fault.error}:when=${fault.nth}${fault.on === true ? '+' : ''}`],
          ...(fault.files && { paths: fault.files.map((file) => `${this.folder}/${file}`) }),
        },
      }),
    });
  }

  /** One fault, and the start after it; throws if anything that was promised does not hold. */
  async suffer(fault: Fault, requests = 6): Promise<FaultOutcome> {
    const before = fault.files ? undefined : await filesBelow(this.folder);
    const trace = this.#place.path(`fault-${this.#runs++}.trace`);
    const running = this.serve({ trace, fault });
    const start = this.#acknowledged;
    let url = '';
    let ending: string;
    try {
      url = await running.firstLine;
      const refused = await this.grow(url, requests);
      ending = refused === 0 ? 'went on' : `went on after ${refused} refused`;
      if ((await fetch(`${url}/healthz`)).status !== 200) ending = 'stopped';
    } catch (error) {
      const code = codeIn(running, error);
      assert.notEqual(code, 'state_damaged', running.stderr());
      ending = `refused: ${code}`;
    }
    running.process.kill(this.#runs % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
    await running.ended;
    const text = await readFile(trace, 'utf8');
    let judged = 0;
    if (before && url !== '') {
      const found = judgeWitness(parseTrace(text), { folder: this.folder, port: portOf(url), before });
      assert.deepEqual(found.violations, []);
      judged = found.cosigned;
    }
    const injected = text.split('(INJECTED)').length - 1;
    const acknowledged = this.#acknowledged - start;
    await this.startClean();
    return { injected, ending, acknowledged, judged };
  }

  /** Asks for one size after the other. How many were refused; throws if the other history is cosigned. */
  async grow(url: string, requests: number): Promise<number> {
    let refused = 0;
    let size = await this.#held(url);
    for (let i = 0; i < requests; i++) {
      this.#asked = Math.max(this.#asked, size + 1);
      const result = await this.#ask(url, this.#log, size, size + 1);
      if (result.kind === 'cosigned') this.#acknowledged = ++size;
      else {
        refused++;
        assert.ok(result.kind === 'silent' || result.kind === 'conflict', JSON.stringify(result));
        size = await this.#held(url);
      }
      if (size > FORK) {
        const forked = await this.#ask(url, this.#other, size, size + 1);
        assert.notEqual(forked.kind, 'cosigned', 'two histories were cosigned');
      }
    }
    return refused;
  }

  /** On a disk that works it starts, holds all it has answered for, and goes on. */
  async startClean(): Promise<void> {
    const running = this.serve();
    try {
      const url = await running.firstLine;
      assert.equal(await this.grow(url, 2), 0, running.stderr());
      await stop(running);
    } finally {
      if (running.process.exitCode === null) running.process.kill('SIGKILL');
      await running.ended;
    }
  }

  async remove(): Promise<void> {
    await this.#place.remove();
  }

  async #ask(
    url: string,
    log: SigningLog,
    oldSize: number,
    size: number,
  ): ReturnType<WitnessClient['addCheckpoint']> {
    const client = new WitnessClient({ url, vkeys: [this.#vkey] });
    return client.addCheckpoint({ oldSize, proof: await log.proof(oldSize, size), note: log.note(size) });
  }

  /** What it holds, which a 409 says: never less than it has cosigned, nor more than it was asked for. */
  async #held(url: string): Promise<number> {
    assert.ok(
      this.#asked < FAR,
      'both histories come to be shown at one size, and then the log is convicted',
    );
    const result = await this.#ask(url, this.#log, FAR, FAR);
    assert.ok(result.kind === 'conflict' && result.size !== undefined, JSON.stringify(result));
    const { size } = result;
    assert.ok(size >= this.#acknowledged && size <= this.#asked, `${size}, not from ${this.#acknowledged}`);
    return size;
  }
}
