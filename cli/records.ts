// The signed statements in a folder: what was said before about a run, so that nothing is signed twice
// and each statement names the one before it.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnvelope, parseStatement, type Envelope, type KnownStatement } from '../attestation/index.js';
import { idOf } from './bundle.js';
import { CliError, EXIT } from './errors.js';
import { codeOf, readIfThere } from './files.js';

/** A statement about a run, in its envelope. */
export interface RunRecord {
  readonly path: string;
  readonly id: string;
  readonly statement: RunStatement;
}

/** The three types that speak of one run. */
export type RunStatement = Extract<
  KnownStatement,
  {
    predicateType:
      | 'https://stele-log/run-intent/v1'
      | 'https://stele-log/run-progress/v1'
      | 'https://stele-log/run-final/v1';
  }
>;

/** All statements of a participant about a run in a folder. Files that are something else are passed over. */
export function readRun(folder: string, participant: string, run: string): RunRecord[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => name.endsWith('.dsse.json'))
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      const envelope = readEnvelope(path);
      const statement = envelope && statementAbout(envelope, participant, run);
      return envelope && statement ? [{ path, id: idOf(envelope), statement }] : [];
    });
}

function readEnvelope(path: string): Envelope | undefined {
  const bytes = readIfThere(path);
  return bytes && parseEnvelope(bytes);
}

function statementAbout(envelope: Envelope, participant: string, run: string): RunStatement | undefined {
  const parsed = parseStatement(envelope.payload);
  if (!parsed.known) return undefined;
  const { statement } = parsed;
  switch (statement.predicateType) {
    case 'https://stele-log/run-intent/v1':
    case 'https://stele-log/run-progress/v1':
    case 'https://stele-log/run-final/v1':
      return statement.predicate.participant === participant && statement.predicate.run === run
        ? statement
        : undefined;
    default:
      return undefined;
  }
}

/**
 * The run's last statement: the one that no other names as the one before it, and that none corrects.
 * Throws CliError "chain_unclear" where there are several.
 */
export function lastOf(records: readonly RunRecord[]): RunRecord | undefined {
  const named = new Set(
    records.flatMap(({ statement: { predicate } }) => [
      'previous' in predicate ? predicate.previous : undefined,
      predicate.supersedes,
    ]),
  );
  const last = records.filter(({ id }) => !named.has(id));
  if (last.length < 2) return last[0];
  throw new CliError(
    EXIT.usage,
    'chain_unclear',
    `expected one last statement of the run, found ${last.map(({ path }) => path).join(', ')}`,
    'name the one before this with --previous',
  );
}
