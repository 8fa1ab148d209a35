// A checkpoint that is met, wherever: verified, kept, and held against everything met before. What it proves is
// on disk before anybody hears of it.
import { join } from 'node:path';
import { checkAlone, type MadeEvidence } from '../../evidence/index.js';
import {
  encodeBase64,
  evaluatePolicy,
  quote,
  SteleError,
  TlogError,
  type PolicyEvaluation,
} from '../../tlog/index.js';
import { inWords, writeFound } from '../evidence.js';
import type { Alarms } from './alarms.js';
import type { FollowedLog, WatchedWitness } from './config.js';
import type { Coverage } from './coverage.js';
import { showAge, showInstant } from './events.js';
import { verifiedNote } from './notes.js';
import type { Outbox } from './outbox.js';
import { convictedKeys, type Head, type Reconciler, type Standing } from './reconcile.js';
import type { Sighting } from './sources.js';
import type { LogState } from './state.js';

/** A checkpoint whose signatures were verified. */
export interface Met extends Head {
  readonly evaluation: PolicyEvaluation;
  readonly standing: Standing;
}

/** What meeting takes. */
export interface MeetingParts {
  readonly log: FollowedLog;
  /** The monitor's folder. */
  readonly folder: string;
  readonly state: LogState;
  readonly alarms: Alarms;
  readonly reconciler: Reconciler;
  readonly outbox: Outbox;
  /** Tells somebody outside about notes that contradict each other. */
  readonly report: ((notes: readonly Uint8Array[]) => void) | undefined;
  readonly step: (name: string) => void;
}

export class Meeting {
  readonly #parts: MeetingParts;

  constructor(parts: MeetingParts) {
    this.#parts = parts;
  }

  /** Verifies what a place answered, keeps it, and holds it against everything met before. */
  async take(sighting: Sighting, now: number, cover: (row: Coverage) => void): Promise<Met | undefined> {
    const name = nameOf(sighting);
    if ('error' in sighting) {
      const { error, kind } = sighting;
      const network = kind === 'log';
      cover({ name, status: 'not-checkable', detail: `${error.message} (${error.code})`, network });
      return undefined;
    }
    const { note, witness, from } = sighting;
    try {
      const evaluation = openNote(this.#parts.log, note);
      const time = witness && newestBy(evaluation, witness);
      if (witness !== undefined && time === undefined) throw withoutCosignature(witness);
      const met = await this.#meet(evaluation, from, now);
      if (time !== undefined)
        cover({
          name,
          status: 'pass',
          detail: `cosigned size ${met.size}, ${ago(now, 1000 * time)}`,
        });
      else cover({ name, status: 'pass', detail: `size ${met.size}, root ${encodeBase64(met.rootHash)}` });
      return met;
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      // Signed by nobody whom the policy lists, or badly: it proves nothing about anybody.
      cover({ name, status: 'fail', detail: `${error.message} (${error.code})` });
      return undefined;
    }
  }

  /** Tries again what could not be held against the tree yet. */
  async retry(now: number): Promise<void> {
    for (const { head, standing } of await this.#parts.reconciler.retry()) this.#judge(head, standing, now);
  }

  async #meet(evaluation: PolicyEvaluation, from: string, now: number): Promise<Met> {
    const { log, reconciler, state, step } = this.#parts;
    const note = verifiedNote(evaluation, log.policy);
    state.keep(note);
    step('kept');
    const { size, rootHash } = evaluation.checkpoint;
    for (const { witness: by, timestamp } of evaluation.cosignatures)
      this.#signOf(by.vkey.name, timestamp, now);
    const head: Head = { size, rootHash, note };
    this.#convict(checkAlone(note, log.policy), now);
    const witnesses = evaluation.cosignatures.map(({ vkey }) => vkey.name);
    const standing = await reconciler.meet(head, from, now, witnesses);
    this.#judge(head, standing, now);
    return { ...head, evaluation, standing };
  }

  /** The checkpoint in an anchor is one that the log signed, like any other. */
  async takeAnchored(note: Uint8Array, index: number, now: number): Promise<void> {
    try {
      await this.#meet(openNote(this.#parts.log, note), `anchor at ${index}`, now);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      // By keys that this reader's policy does not list: the charter may ask for others.
    }
  }

  #signOf(witness: string, timestamp: number, now: number): void {
    const { witnessSigns } = this.#parts.state.memory;
    const known = witnessSigns.get(witness);
    if (timestamp <= (known?.timestamp ?? 0)) return;
    // A time that is ahead of our clock counts as now: nobody stays fresh by dating into the future.
    witnessSigns.set(witness, { timestamp, at: Math.min(1000 * timestamp, now) });
  }

  #judge(head: Head, standing: Standing, now: number): void {
    if (standing.kind !== 'contradiction') return;
    const { outbox, reconciler, report } = this.#parts;
    const before = outbox.pending;
    this.#convict(standing.evidence, now);
    if (standing.evidence.length === 0)
      outbox.update(
        'split-view',
        '',
        { detail: `${standing.detail}; no key of the policy signed both` },
        now,
      );
    const news = outbox.pending > before;
    const { largest } = reconciler.state;
    if (news) report?.([head.note, ...(largest ? [largest.note] : [])]);
  }

  /** The file is on disk before anybody hears of it; one for each set of keys. */
  #convict(evidence: readonly MadeEvidence[], now: number): void {
    const { alarms, folder, outbox, step } = this.#parts;
    for (const made of evidence) {
      const about = convictedKeys(made);
      if (alarms.all.some((alarm) => alarm.kind === 'proven' && alarm.about === about)) continue;
      const path = writeFound(join(folder, 'evidence'), made.bytes, 'evidence');
      step('proven');
      outbox.update('proven', about, { detail: inWords(made.verdict), evidence: [path] }, now);
    }
  }
}

/** A note of this log: every line by a key of the policy verifies, and the log signed. */
function openNote({ policy, origin }: FollowedLog, note: Uint8Array): PolicyEvaluation {
  const evaluation = evaluatePolicy(policy, note);
  if (evaluation.checkpoint.origin === origin) return evaluation;
  throw new TlogError(
    'wrong_origin',
    `checkpoint: expected origin ${quote(origin)}, found ${quote(evaluation.checkpoint.origin)}`,
    'is this the address of that log?',
  );
}

/** Seconds: the newest time at which this witness says it cosigned the note. */
function newestBy({ cosignatures }: PolicyEvaluation, { vkeys }: WatchedWitness): number | undefined {
  const times = cosignatures.filter(({ vkey }) => vkeys.includes(vkey)).map(({ timestamp }) => timestamp);
  return times.length === 0 ? undefined : Math.max(...times);
}

function withoutCosignature({ keyName }: WatchedWitness): TlogError {
  return new TlogError(
    'no_known_signature',
    `expected a checkpoint cosigned by ${quote(keyName)}, found none of its lines in it`,
    'is this the monitoring address of that witness?',
  );
}

function nameOf({ kind, from }: Sighting): string {
  if (kind === 'log') return 'checkpoint';
  return kind === 'view' ? `at ${from}` : `witness ${from}`;
}

function ago(now: number, at: number): string {
  return at > now + 60_000
    ? `at ${showInstant(at)}, ahead of this clock`
    : `${showAge((now - at) / 1000)} ago`;
}
