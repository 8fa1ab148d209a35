// A folder that a trainer writes, and recorders that look at it by a clock of their own.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnvelope, parseStatement } from '../../attestation/index.js';
import { newSigningKey, NOTE_ED25519, parsePolicy } from '../../tlog/index.js';
import { processContext } from '../context.js';
import { CliError, EXIT } from '../errors.js';
import { digestFile, type Digester } from '../model-digest.js';
import { Report } from '../report.js';
import { AnchorPending } from '../record/anchors.js';
import type { RunFacts } from '../record/drafts.js';
import { Journal } from '../record/journal.js';
import { Watcher } from '../record/look.js';
import { Outbox } from '../record/outbox.js';
import { Recorder, type Pace } from '../record/recorder.js';

/** What its user says of a run: next to nothing. */
export const FACTS: RunFacts = {
  participant: 'acme',
  run: 'run-1',
  specification: '00'.repeat(32),
  intent: {},
  otherwise: 'withheld',
  further: () => ({}),
  commit: [],
  chips: undefined,
  countingRule: '6nd-active',
  figures: [],
};

/** How a recorder of the bench goes about it. */
export interface Ways extends Partial<Pick<Pace, 'follow' | 'outcome'>> {
  /** Called between two looks, with the number of those that were. */
  readonly between?: (looks: number) => void;
  /** Whether the log has an anchor to name. */
  readonly hasAnchor?: () => boolean;
  /** Whether the log is still being asked for one. */
  readonly isSlow?: () => boolean;
}

/** A folder with one checkpoint, and one recorder after another that never reaches a log. */
export class Bench {
  readonly root: string = mkdtempSync(join(tmpdir(), 'stele-recorder-'));
  readonly folder: string = join(this.root, 'run');
  readonly records: string = join(this.root, 'records');
  facts: RunFacts = FACTS;
  now = 1_000_000;
  /** By the clock that nobody sets. */
  elapsed = 0;
  /** What the last recorder said. */
  said = '';

  constructor() {
    this.write('checkpoint-5/model.safetensors', 'weights');
    this.write('checkpoint-5/trainer_state.json', '{"global_step": 5}');
  }

  /** Writes a file of the folder. */
  write(path: string, text: string): void {
    mkdirSync(join(this.folder, path, '..'), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Whether something lies in the records folder. */
  has(name: string): boolean {
    return existsSync(join(this.records, name));
  }

  /** Records until there is nothing left to do. What is signed stays unsent. */
  async record(digester: Partial<Digester> = {}, ways: Ways = {}): Promise<void> {
    const { follow = false, outcome, between, hasAnchor = () => true, isSlow = () => false } = ways;
    let digesting = false;
    let looks = 0;
    this.said = '';
    const context = {
      ...processContext(),
      stderr: (text: string) => {
        this.said += text;
      },
      now: () => this.now,
      monotonic: () => this.elapsed,
      sleep: async (ms: number) => {
        this.now += ms;
        this.elapsed += ms;
        between?.(++looks);
        if (looks > 1000) throw new Error(`expected an end within 1000 looks, found none: ${this.said}`);
        // No look falls into a digest: what changes meanwhile is found by the digest alone.
        await new Promise<void>((resolve) => {
          if (!digesting) setImmediate(resolve);
        });
      },
      fetch: () => Promise.reject(new Error('away')),
    };
    const invocation = {
      context,
      report: new Report(context, false),
      settings: { log: 'http://log.example/', timeout: 1 },
    };
    // Of one that is patient only the first attempt is of interest.
    const patient = {
      ...invocation,
      context: { ...context, sleep: () => new Promise<void>(() => undefined) },
    };
    const policy = parsePolicy(new TextEncoder().encode('quorum none\n'));
    const outbox = new Outbox(follow ? patient : invocation, policy, follow);
    const recorder = new Recorder(
      {
        invocation,
        facts: this.facts,
        key: newSigningKey('acme', NOTE_ED25519, new Uint8Array(32).fill(7)),
        records: this.records,
        journal: new Journal(this.records, 'acme', 'run-1'),
        watcher: new Watcher(this.folder),
        digester: { size: 2, digest: digestFile, ...digester },
        outbox,
        onDigest: () => {
          digesting = true;
          return () => {
            digesting = false;
          };
        },
        anchor: () => {
          if (isSlow()) return Promise.reject(new AnchorPending());
          return hasAnchor()
            ? Promise.resolve({ index: 1, leafHash: '00'.repeat(32) })
            : Promise.reject(new CliError(EXIT.network, 'unreachable', 'no anchor', 'wait'));
        },
      },
      { follow, every: 1000, outcome },
    );
    await recorder.run();
    if (!follow) await assert.rejects(outbox.drain(), { code: 'unreachable' });
  }

  /** What the statement of a window says. */
  window(number: number): Record<string, unknown> {
    return this.predicate(`progress-000${number}`);
  }

  /** The same by the statement's name: `final`. */
  predicate(name: string): Record<string, unknown> {
    const bytes = readFileSync(join(this.records, `run-1.${name}.dsse.json`));
    const parsed = parseStatement(parseEnvelope(bytes).payload);
    assert.ok(parsed.known);
    return parsed.statement.predicate as unknown as Record<string, unknown>;
  }
}

/** Gives a bench, and clears it away. */
export async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = new Bench();
  try {
    await work(bench);
  } finally {
    rmSync(bench.root, { recursive: true });
  }
}

/** What a trainer leaves at the top in the end. */
export function writeEnd(bench: Bench, step: number): void {
  bench.write('model.safetensors', 'weights');
  bench.write('trainer_state.json', `{"global_step": ${step}, "log_history": [{"train_runtime": 1}]}`);
}
