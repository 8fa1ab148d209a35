import { compileSchema } from '../../attestation/index.js';
import { parseDecimal } from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';

/** A parameter: what is checked is what spec/http/log.openapi.json says. `schema` is JSON Schema 2020-12. */
export interface Parameter {
  readonly description: string;
  readonly required?: true;
  /** What holds where it is not given. */
  readonly standard?: number | string;
}

/** Text. */
export interface TextParameter extends Parameter {
  readonly schema: { readonly type: 'string'; readonly pattern?: string; readonly enum?: readonly string[] };
}

/** A number in decimal. */
export interface NumberParameter extends Parameter {
  readonly schema: { readonly type: 'integer'; readonly minimum: number; readonly maximum: number };
}

/** One without which there is no answer. */
interface Needed {
  readonly required: true;
}

type Table = Readonly<Record<string, TextParameter | NumberParameter>>;

/** What was given, by name. */
export type Given<T extends Table> = {
  [K in keyof T]:
    (T[K] extends NumberParameter ? number : string) | (T[K] extends Needed ? never : undefined);
};

const SIZE = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const WORD = { type: 'string', pattern: '^[!-~]{1,200}$' } as const;
const DIGEST = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;

/** `GET /api/v1/entries/{index}`. */
export const ENTRY: { index: NumberParameter & Needed } = {
  index: { description: 'Below the published size', required: true, schema: SIZE },
};

/** `GET /api/v1/entries`. */
export const ENTRIES: { payload: TextParameter & Needed } = {
  payload: { description: 'SHA-256 of the payload', required: true, schema: DIGEST },
};

/** `GET /api/v1/proofs/inclusion`. */
export const INCLUSION: { index: NumberParameter & Needed; size: NumberParameter } = {
  index: { description: 'Below the size', required: true, schema: SIZE },
  size: { description: 'Up to the published size, which it is where nothing is said', schema: SIZE },
};

/** `GET /api/v1/proofs/consistency`. */
export const CONSISTENCY: { from: NumberParameter & Needed; to: NumberParameter } = {
  from: { description: 'The older size', required: true, schema: SIZE },
  to: { description: 'Up to the published size, which it is where nothing is said', schema: SIZE },
};

/** `GET /api/v1/search`: all that are given must fit. */
export const SEARCH: {
  participant: TextParameter;
  run: TextParameter;
  type: TextParameter;
  digest: TextParameter;
  from: NumberParameter;
  until: NumberParameter;
  order: TextParameter;
  after: NumberParameter;
  limit: NumberParameter & { standard: number };
} = {
  participant: { description: 'Signed by or about this participant', schema: WORD },
  run: { description: "About a run of this name; names are a participant's own", schema: WORD },
  type: { description: "Of this type: run-final, or the whole URI of another's", schema: WORD },
  digest: { description: 'With this SHA-256, of the payload or anywhere in the statement', schema: DIGEST },
  from: { description: 'Logged at this time or later, by the first anchor; POSIX seconds', schema: SIZE },
  until: { description: 'Logged at this time or earlier; POSIX seconds', schema: SIZE },
  order: {
    description: 'By index',
    schema: { type: 'string', enum: ['oldest', 'newest'] },
    standard: 'oldest',
  },
  after: { description: 'Behind this index, in that order', schema: SIZE },
  limit: {
    description: 'So many; a page looks at 1,000 entries at most, so one with fewer need not be the last',
    schema: { type: 'integer', minimum: 1, maximum: 1000 },
    standard: 100,
  },
};

/** `GET /api/v1/events`. */
export const EVENTS: { after: NumberParameter } = {
  after: {
    description: 'From behind this index on; without it, what is published from now on',
    schema: SIZE,
  },
};

/**
 * Reads the query of a request. Throws SubmissionError "bad_request" for a name that is none or comes
 * twice, for a required one that is missing and for a value that its schema does not take, and what
 * parseDecimal throws.
 */
export function readQuery<T extends Table>(url: string, table: T): Given<T> {
  const { searchParams } = new URL(url);
  for (const name of searchParams.keys()) {
    if (!Object.hasOwn(table, name))
      throw bad(`expected ${Object.keys(table).join(', ')}, found ${JSON.stringify(name.slice(0, 40))}`);
    if (searchParams.getAll(name).length > 1) throw bad(`expected ${name} once`);
  }
  const given = Object.entries(table).map(([name, parameter]) => {
    const text = searchParams.get(name);
    if (text === null && parameter.required) throw bad(`expected ${name}, found none`);
    return [name, text === null ? undefined : readParameter(name, text, parameter)] as const;
  });
  return Object.fromEntries(given) as Given<T>;
}

/** Reads one value, from the path or the query. Throws as readQuery does. */
export function readParameter<P extends TextParameter | NumberParameter>(
  name: string,
  text: string,
  { schema }: P,
): P extends NumberParameter ? number : string {
  const value = schema.type === 'integer' ? parseDecimal(text, name) : text;
  const problem = checkOf(schema)(value);
  if (problem !== undefined) throw bad(`${name}: expected ${problem.expected}, found ${problem.found}`);
  return value as P extends NumberParameter ? number : string;
}

const compiled = new Map<object, ReturnType<typeof compileSchema>>();

function checkOf(schema: (TextParameter | NumberParameter)['schema']): ReturnType<typeof compileSchema> {
  let check = compiled.get(schema);
  if (check === undefined) compiled.set(schema, (check = compileSchema(schema)));
  return check;
}

function bad(message: string): SubmissionError {
  return new SubmissionError('bad_request', message, 'GET /api/v1/openapi.json says what there is to ask');
}
