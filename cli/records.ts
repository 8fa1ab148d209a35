// The signed statements in a folder: what was said before about a run, so that nothing is signed twice
// and each statement names the one before it.
import { readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import {
  AttestationError,
  parseEnvelope,
  parseStatement,
  type Envelope,
  type KnownStatement,
} from '../attestation/index.js';
import { idOf } from './bundle.js';
import { CliError, EXIT } from './errors.js';
import { codeOf, readIfThere } from './files.js';
import type { Report } from './report.js';

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

/**
 * All statements of a participant about a run in a folder. Files that are something else are passed over; those that
 * cannot be read as statements are named once, by `report`. A file by the name of one of this run's own is never
 * passed over: what it said may be in the log, so without it a statement would be made twice, or left out. Throws
 * CliError "record_damaged".
 */
export function readRun(
  folder: string,
  participant: string,
  run: string,
  report: Pick<Report, 'sayOnce'>,
): RunRecord[] {
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
      try {
        checkFile(path);
        const bytes = readIfThere(path);
        if (bytes === undefined) return [];
        const envelope = parseEnvelope(bytes);
        const statement = statementAbout(envelope, participant, run);
        return statement ? [{ path, id: idOf(envelope), statement }] : [];
      } catch (error) {
        if (!(error instanceof AttestationError)) throw error;
        if (isNameOf(run, name)) throw damaged(path, run, error);
        report.sayOnce(`${path} is passed over: ${error.message}.`);
        return [];
      }
    });
}

/** Throws AttestationError for what is no file: of a pipe there is no end to be read. */
function checkFile(path: string): void {
  let stat: Stats | undefined;
  try {
    stat = statSync(path, { throwIfNoEntry: false });
  } catch {
    // Who reads it says why it cannot be.
  }
  if (stat?.isFile() === false)
    throw new AttestationError('bad_envelope', 'expected a file, found something else', 'move it away');
}

/** Whether a statement about the run is kept by this name; `a` has none of those of `a.b`. */
function isNameOf(run: string, name: string): boolean {
  return (
    name.startsWith(`${run}.`) &&
    /^(intent|progress-[0-9]{4,}|final)\.dsse\.json$/.test(name.slice(run.length + 1))
  );
}

function damaged(path: string, run: string, cause: AttestationError): CliError {
  return new CliError(
    EXIT.usage,
    'record_damaged',
    `${path}: expected a statement about ${run}, found that it is damaged: ${cause.message}`,
    `restore it, from a backup or from the log: "stele search --run ${run}", "stele get INDEX --output FILE"; only if it was never logged, move it away`,
    { cause },
  );
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
