// Signed entries for a log with a charter, made before anything is measured: laboratories, then intents to train.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildKeyStatement,
  buildParticipant,
  buildRunIntent,
  digestOf,
  formatEnvelope,
  sign,
} from '../attestation/index.js';
import type { AnchorRef } from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import { encodeUtf8, sha256 } from '../tlog/index.js';

const LABS = 16;

const seedOf = (name: string): Uint8Array => sha256(encodeUtf8(`a key for benchmarks: ${name}`));
const labOf = (i: number): string => `lab-${i % LABS}`;
const unknown = { unknown: 'not-recorded' } as const;

/** The entries by which the operator, a new log's only registrar, introduces the laboratories. */
export function introductions(folder: string, origin: string, recentAnchor: AnchorRef): Uint8Array[] {
  const operator = readKeyFile(join(folder, 'operator.key'));
  return Array.from({ length: LABS }, (_, i) => {
    const about = labOf(i);
    const roles: ['lab'] = ['lab'];
    const given = { participant: about, issuedAt: 1, origin, roles };
    const statement = buildParticipant({
      participant: 'operator',
      issuedAt: 1,
      recentAnchor,
      origin,
      about,
      name: about,
      jurisdiction: unknown,
      controlledBy: [],
      roles,
      keys: [
        buildKeyStatement({ ...given, use: 'signing' }, seedOf(about)),
        buildKeyStatement({ ...given, use: 'recovery' }, seedOf(`${about} recovery`)),
      ],
    });
    return formatEnvelope(sign(statement, operator.secret));
  });
}

/** Writes so many intents, each of a run of its own, a line each. Answers the bytes of one. */
export function writeIntents(file: string, count: number, recentAnchor: AnchorRef): number {
  const [code, data] = [digestOf(encodeUtf8('code')), digestOf(encodeUtf8('data'))];
  const lines: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const lab = labOf(i);
    const statement = buildRunIntent(code, {
      participant: lab,
      issuedAt: i,
      recentAnchor,
      run: `run-${i}`,
      plannedFlopBand: { atLeast: '1000000000', below: '10000000000' },
      parents: [],
      facilities: unknown,
      plannedStart: 60,
      // Digests of disclosures that nobody will make.
      committed: { plannedFlop: code, code: data, dataOrder: code, seed: data, hyperparameters: code },
    });
    lines.push(formatEnvelope(sign(statement, seedOf(lab))), NEWLINE);
  }
  writeFileSync(file, Buffer.concat(lines));
  return lines[0]?.length ?? 0;
}

const NEWLINE = encodeUtf8('\n');
