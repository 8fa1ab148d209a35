// What a log holds about a run, and whether it is what a recorder owes: every statement once, in order,
// each naming the one before, the bytes on disk those in the log.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnvelope, parseStatement } from '../../attestation/index.js';
import { idOf } from '../../cli/bundle.js';
import { digestModel } from '../../cli/model-digest.js';
import { isWeightFile } from '../../cli/weight-files.js';
import { httpSource, LogReader } from '../../client/index.js';
import { equalBytes, parsePolicy } from '../../tlog/index.js';

/** An entry about the run. */
export interface RunEntry {
  readonly index: number;
  readonly id: string;
  /** `run-intent`, `run-progress`, `run-final`. */
  readonly type: string;
  readonly predicate: Readonly<Record<string, unknown>>;
  readonly bytes: Uint8Array;
}

/** The run's statements in the log, in its order. */
export async function logged(url: string, policy: string, run: string): Promise<RunEntry[]> {
  const reader = new LogReader(httpSource(url), parsePolicy(new TextEncoder().encode(policy)));
  const { size } = await reader.checkpoint();
  const found: RunEntry[] = [];
  for await (const { index, entry } of reader.entries(0, size)) {
    const envelope = parseEnvelope(entry);
    const parsed = parseStatement(envelope.payload);
    if (!parsed.known) continue;
    const predicate = parsed.statement.predicate as unknown as Record<string, unknown>;
    if (predicate['run'] !== run) continue;
    const type = parsed.statement.predicateType.split('/').at(-2) ?? '';
    found.push({ index, id: idOf(envelope), type, predicate, bytes: entry });
  }
  return found;
}

/** In short: `intent`, `500`, `1000 not seen`, `final`. */
export function inShort(entries: readonly RunEntry[]): string[] {
  return entries.map(({ type, predicate }) => {
    if (type !== 'run-progress') return type.slice('run-'.length);
    const seen = Array.isArray(predicate['checkpoints']) ? '' : ' not seen';
    return `${String(predicate['lastStep'])}${seen}`;
  });
}

/** Throws where the entries are not one chain, or not the bytes that lie in the records folder. */
export function checkChain(entries: readonly RunEntry[], run: string, records: string): void {
  let window = 0;
  for (const [i, { id, type, predicate, bytes }] of entries.entries()) {
    assert.equal(
      predicate['previous'],
      type === 'run-intent' ? undefined : entries[i - 1]?.id,
      `entry ${id}`,
    );
    let name = `${run}.${type.slice('run-'.length)}`;
    if (type === 'run-progress') {
      assert.equal(predicate['window'], window);
      name += `-${String(window++).padStart(4, '0')}`;
    }
    const file = join(records, name);
    assert.ok(equalBytes(readFileSync(`${file}.dsse.json`), bytes), `${name} was signed again`);
    for (const made of ['tlog-proof', 'stele.json'])
      assert.ok(existsSync(`${file}.${made}`), `${name}.${made}`);
  }
}

/** Throws where a checkpoint that is still there has other digests than its entry says. */
export async function checkDigests(entries: readonly RunEntry[], folder: string): Promise<void> {
  // Of a checkpoint that was written again the last entry is about what lies there.
  const last = new Map(entries.map(({ predicate }) => [predicate['lastStep'], predicate['checkpoints']]));
  for (const checkpoints of last.values()) {
    for (const stated of Array.isArray(checkpoints) ? (checkpoints as Record<string, unknown>[]) : []) {
      const path = join(folder, `checkpoint-${String(stated['step'])}`);
      if (!existsSync(path)) continue;
      assert.deepEqual(stated['weights'], await digestModel(path, isWeightFile));
      assert.deepEqual(stated['folder'], await digestModel(path));
    }
  }
}
