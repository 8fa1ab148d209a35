// The terms of a log that are in force: of its charter, or of the last amendment that its registrars agreed on.
import { resolve } from 'node:path';
import { checkTerms, compileSchema, parseEnvelope, type Json, type Terms } from '../attestation/index.js';
import { decodeUtf8, quote } from '../tlog/index.js';
import type { Context } from './context.js';
import { asInput, CliError, EXIT } from './errors.js';
import { readInput } from './files.js';
import { buildDirectory, type PlacedEntry, type TermsAt } from './identity.js';
import { withEvidence, type OpenLog } from './log.js';

/** The terms in force by the log's own entries, each of them verified. Throws as termsFrom does. */
export async function termsOf(context: Context, log: OpenLog): Promise<TermsAt> {
  const { reader, checkpoint, index } = log;
  // Officers' keys change by amendment alone: no other entry has a say.
  const entries = await withEvidence(context, log, async () => {
    await index.update(reader, checkpoint.size);
    const found: PlacedEntry[] = [];
    for (const i of index.charter) found.push({ index: i, envelope: parseEnvelope(await reader.entry(i)) });
    return found;
  });
  return termsFrom(checkpoint.origin, entries);
}

/**
 * The terms that follow from a charter and all amendments, each signed by whom the terms before it name. Throws
 * CliError "no_terms" where there is no charter, "bad_terms" where an entry does not follow from it.
 */
export function termsFrom(origin: string, entries: readonly PlacedEntry[]): TermsAt {
  const { faults, inForce } = buildDirectory(origin, entries);
  const [fault] = faults;
  if (fault !== undefined)
    throw new CliError(
      EXIT.failed,
      'bad_terms',
      `${origin}: ${fault}`,
      'the log has admitted what its own terms forbid: "stele monitor" checks all of it',
    );
  if (inForce === undefined)
    throw new CliError(
      EXIT.failed,
      'no_terms',
      `${origin}: expected a charter as entry 0, found none`,
      'a log that takes any bytes has no terms',
    );
  return inForce;
}

/**
 * The terms with a field replaced, as `name=value` or `name=@file` says, whose text it then is. Throws CliError
 * "usage", "bad_statement" where their schema does not take the result, and what checkTerms says of it, status 2.
 */
export function changeTerms(context: Context, terms: Terms, changes: readonly string[]): Terms {
  const next: Record<string, unknown> = { ...terms };
  for (const change of changes) {
    const [, name = '', value = ''] = /^(\w+)=([\s\S]+)$/.exec(change) ?? [];
    const before = Object.hasOwn(next, name) ? next[name] : undefined;
    if (typeof before !== 'string' && typeof before !== 'number')
      throw new CliError(
        EXIT.usage,
        'usage',
        `--set: expected <name>=<value> with a name out of ${namesIn(terms)}, found ${quote(change)}`,
        'other fields of the terms are changed in the file',
      );
    const text = value.startsWith('@')
      ? asInput(value.slice(1), () => decodeUtf8(readInput(resolve(context.cwd, value.slice(1))), 'text'))
      : value;
    if (typeof before === 'number' && !/^[0-9]{1,15}$/.test(text))
      throw new CliError(
        EXIT.usage,
        'usage',
        `--set: ${name}: expected a whole number, found ${quote(text)}`,
        'it counts seconds or bytes: "stele get terms" shows what it is now',
      );
    next[name] = typeof before === 'number' ? Number(text) : text;
  }
  const changed = next as unknown as Terms;
  const problem = compileSchema({ $ref: 'common.json#/$defs/terms' })(next as Json);
  if (problem !== undefined)
    throw new CliError(
      EXIT.usage,
      'bad_statement',
      `--set: expected ${problem.expected} at ${quote(problem.path)}, found ${problem.found}`,
      'see terms in spec/schema/common.json',
    );
  asInput('--set', () => checkTerms(changed));
  return changed;
}

function namesIn(terms: Terms): string {
  return Object.entries(terms)
    .flatMap(([name, value]) => (['string', 'number'].includes(typeof value) ? [name] : []))
    .join(', ');
}
