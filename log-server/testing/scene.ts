import assert from 'node:assert/strict';
import { encodeUtf8, evaluatePolicy, formatCheckpoint, signNote } from '../../tlog/index.js';
import type { Policy } from '../../tlog/index.js';
import type { PublishedHead } from '../head.js';
import type { OpenedLog } from '../running.js';
import type { LogSettings } from '../settings.js';
import { LOG_KEY, ORIGIN, startFixture, testPolicy } from './fixture.js';
import type { Fixture } from './fixture.js';
import { ManualClock } from './manual-clock.js';
import { MemoryStorage } from './memory-storage.js';
import { ScriptedWitness, networkOf } from './scripted-witness.js';
import { until } from './until.js';

/** A log with four witnesses, three of which are a quorum, so that one may lie. */
export interface Scene extends Fixture {
  readonly witnesses: [ScriptedWitness, ScriptedWitness, ScriptedWitness, ScriptedWitness];
  readonly policy: Policy;
}

/** What a scene is to be before its log starts. */
export interface SceneOptions {
  readonly prepare?: (witnesses: Scene['witnesses'], storage: MemoryStorage) => void | Promise<void>;
  readonly settings?: Partial<LogSettings>;
  readonly opened?: Partial<OpenedLog>;
}

/** Starts a log of five entries, signed and published at that size; its witnesses hold that tree. */
export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const clock = new ManualClock();
  const witness = (i: number): ScriptedWitness => new ScriptedWitness(`w${i}`, 10 + i, clock);
  const witnesses: Scene['witnesses'] = [witness(1), witness(2), witness(3), witness(4)];
  const policy = testPolicy([
    ...witnesses.map((each) => each.policyLine),
    'group all 3 w1 w2 w3 w4',
    'quorum all',
  ]);
  const storage = new MemoryStorage(ORIGIN);
  const entries = [0, 1, 2, 3, 4].map((i) => encodeUtf8(`entry ${i}`));
  await storage.commit({ oldSize: 0, entries });
  await storage.makeReadable();
  const note = await noteAt(storage, 5);
  await storage.writeSigned(note);
  await storage.writePublished(note, policy.text);
  for (const each of witnesses) each.held = { size: 5, rootHash: storage.rootHash(), note };
  await options.prepare?.(witnesses, storage);
  storage.calls.length = 0;
  const fixture = await startFixture({
    storage,
    clock,
    opened: { policy, ...options.opened },
    settings: { fetch: networkOf(witnesses), limits: { publishIntervalMs: 0 }, ...options.settings },
  });
  return { ...fixture, witnesses, policy };
}

/** The checkpoint of a storage's own tree, signed by the log. */
export async function noteAt(storage: MemoryStorage, size: number): Promise<Uint8Array> {
  const rootHash = await storage.rootAt(size);
  return signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash, extensions: [] }), [LOG_KEY]);
}

/** The leaf data of entry `i` of a scene. */
export function entry(i: number): Uint8Array {
  return encodeUtf8(`entry ${i}`);
}

/** Resolves when the log takes entries. */
export function ready(scene: Fixture): Promise<void> {
  return until(() => scene.log.readiness().ready);
}

/** What is published; a test that finds nothing fails. */
export function publishedOf(scene: Fixture): PublishedHead {
  return scene.log.published() ?? assert.fail('nothing is published');
}

/** The policy's names of those who cosigned a note. */
export function cosignersOf(policy: Policy, note: Uint8Array): string[] {
  return evaluatePolicy(policy, note).cosignatures.map((each) => each.witness.name);
}
