// A validator for the part of JSON Schema 2020-12 that spec/schema/ uses. Each schema is compiled into
// closures once; nothing is evaluated as code, so it runs under a strict Content-Security-Policy, which
// Ajv's compiler does not. A keyword it does not know is an error when compiling, never ignored.
// That it agrees with Ajv on every vector and on mutations of them is a test.
import { quote } from '../tlog/index.js';
import { schemas } from './generated/schemas.js';
import { isName } from './name.js';
import type { Json } from './json.js';

/** The first place where a value is not as its schema says. */
export interface Problem {
  /** JSON Pointer (RFC 6901), "" for the whole value. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

/** `path` is undefined while it only matters whether there is a problem: most values have none, and paths cost more than checks. */
type Check = (value: Json, path: string | undefined) => Problem | undefined;
type Schema = Readonly<Record<string, unknown>>;
type JsonObject = Readonly<Record<string, Json>>;

const compiled = new Map<string, Check>();

/** Is there a schema file of this name ("run-intent")? */
export function hasSchema(name: string): boolean {
  return name !== 'common' && Object.hasOwn(schemas, name);
}

/** Names of all schema files of statements. */
export const schemaNames: readonly string[] = Object.keys(schemas).filter(hasSchema);

/** The first problem of a value under the schema of that name, or undefined. Requires hasSchema(name). */
export function checkSchema(name: string, value: Json): Problem | undefined {
  return twice(reference(`${name}.json`), value);
}

/** A check by a schema that stands alone, in the keywords that this file knows. Throws RangeError at others. */
export function compileSchema(schema: Schema): (value: Json) => Problem | undefined {
  const check = compile(schema, '');
  return (value) => twice(check, value);
}

function twice(check: Check, value: Json): Problem | undefined {
  return check(value, undefined) && check(value, '');
}

function reference(ref: string): Check {
  const known = compiled.get(ref);
  if (known !== undefined) return known;
  const [file = '', pointer = ''] = ref.split('#');
  let node: unknown = schemas[file.replace(/\.json$/, '')];
  for (const step of pointer.split('/').slice(1)) node = (node as Schema | undefined)?.[step];
  if (node === undefined) throw new RangeError(`no schema at ${ref}`);
  const check = compile(node as Schema, file);
  compiled.set(ref, check);
  return check;
}

function compile(schema: Schema, file: string): Check {
  const checks = Object.entries(schema).flatMap(([keyword, argument]) => {
    const make = KEYWORDS[keyword];
    if (make === undefined) throw new RangeError(`schema ${file}: unknown keyword ${keyword}`);
    const check = make(argument, schema, file);
    return check === undefined ? [] : [check];
  });
  const [only] = checks;
  if (checks.length === 1 && only !== undefined) return only;
  return (value, path) => {
    for (const check of checks) {
      const problem = check(value, path);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isSafeInteger(value),
  number: (value) => typeof value === 'number',
  array: (value) => Array.isArray(value),
  object: isObject,
};

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const FORMATS: Readonly<Record<string, { test: (text: string) => boolean; says: string }>> = {
  'stele-name': { test: isName, says: 'a name: 1 to 200 bytes, NFC, no control or bidirectional characters' },
};

type Keyword = (argument: unknown, schema: Schema, file: string) => Check | undefined;

// JSON Schema 2020-12 validation §6 and core §10. A keyword speaks of values of its own type only.
const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $id: () => undefined,
  $defs: () => undefined,
  $ref: (ref, _schema, file) => {
    const target = String(ref).startsWith('#') ? `${file}${String(ref)}` : String(ref);
    // Looked up when first used: schemas may refer to one another.
    let check: Check | undefined;
    return (value, path) => (check ??= reference(target))(value, path);
  },
  type: (type) => {
    const test = TYPES[String(type)];
    if (test === undefined) throw new RangeError(`unknown type ${String(type)}`);
    return (value, path) => (test(value) ? undefined : problem(path, String(type), value));
  },
  const: (wanted) => {
    const says = JSON.stringify(wanted);
    return (value, path) => (value === wanted ? undefined : problem(path, says, value));
  },
  enum: (list) => {
    const allowed = new Set<Json>(list as string[]);
    const says = `one of ${(list as string[]).join(', ')}`;
    return (value, path) => (allowed.has(value) ? undefined : problem(path, says, value));
  },
  pattern: (pattern) => {
    const regexp = new RegExp(String(pattern), 'u');
    return (value, path) =>
      typeof value !== 'string' || regexp.test(value)
        ? undefined
        : problem(path, `text that matches ${String(pattern)}`, value);
  },
  format: (name) => {
    const format = FORMATS[String(name)];
    if (format === undefined) throw new RangeError(`unknown format ${String(name)}`);
    return (value, path) =>
      typeof value !== 'string' || format.test(value) ? undefined : problem(path, format.says, value);
  },
  minimum: (least) => (value, path) =>
    typeof value !== 'number' || value >= Number(least)
      ? undefined
      : problem(path, `at least ${Number(least)}`, value),
  maximum: (most) => (value, path) =>
    typeof value !== 'number' || value <= Number(most)
      ? undefined
      : problem(path, `at most ${Number(most)}`, value),
  minItems: (least) => (value, path) =>
    !Array.isArray(value) || value.length >= Number(least)
      ? undefined
      : problem(path, `at least ${Number(least)} items`, value),
  maxItems: (most) => (value, path) =>
    !Array.isArray(value) || value.length <= Number(most)
      ? undefined
      : problem(path, `at most ${Number(most)} items`, value),
  uniqueItems: () => (value, path) =>
    // Used for lists of strings only.
    !Array.isArray(value) || new Set(value).size === value.length
      ? undefined
      : problem(path, 'items that differ from one another', value),
  items: (item, _schema, file) => {
    const check = compile(item as Schema, file);
    return (value, path) => {
      if (!Array.isArray(value)) return undefined;
      for (const [i, element] of (value as Json[]).entries()) {
        const found = check(element, below(path, i));
        if (found !== undefined) return found;
      }
      return undefined;
    };
  },
  properties: (properties, schema, file) => {
    const checks = new Map(
      Object.entries(properties as Record<string, Schema>).map(([key, child]) => [key, compile(child, file)]),
    );
    const closed = schema['additionalProperties'] === false;
    return (value, path) => {
      if (!isObject(value)) return undefined;
      for (const key of Object.keys(value)) {
        const check = checks.get(key);
        if (check === undefined) {
          if (closed) return problem(below(path, key), 'no such field', value[key] ?? null);
          continue;
        }
        const found = check(value[key] ?? null, below(path, key));
        if (found !== undefined) return found;
      }
      return undefined;
    };
  },
  additionalProperties: (child, schema, file) => {
    if (child === false) {
      if (schema['properties'] === undefined) throw new RangeError('additionalProperties without properties');
      return undefined;
    }
    if (schema['properties'] !== undefined) throw new RangeError('open properties beside named ones');
    const check = compile(child as Schema, file);
    return (value, path) => {
      if (!isObject(value)) return undefined;
      for (const key of Object.keys(value)) {
        const found = check(value[key] ?? null, below(path, key));
        if (found !== undefined) return found;
      }
      return undefined;
    };
  },
  propertyNames: (child, _schema, file) => {
    const check = compile(child as Schema, file);
    return (value, path) => {
      if (!isObject(value)) return undefined;
      for (const key of Object.keys(value)) {
        const found = check(key, path);
        if (found !== undefined) return found;
      }
      return undefined;
    };
  },
  minProperties: (least) => (value, path) =>
    !isObject(value) || Object.keys(value).length >= Number(least)
      ? undefined
      : problem(path, `at least ${Number(least)} fields`, value),
  maxProperties: (most) => (value, path) =>
    !isObject(value) || Object.keys(value).length <= Number(most)
      ? undefined
      : problem(path, `at most ${Number(most)} fields`, value),
  required: (list) => {
    const names = list as string[];
    return (value, path) => {
      if (!isObject(value)) return undefined;
      for (const name of names)
        if (!Object.hasOwn(value, name)) return problem(below(path, name), `a field ${name}`, undefined);
      return undefined;
    };
  },
  allOf: (list, _schema, file) => compileAll(list, file, 'all'),
  anyOf: (list, _schema, file) => compileAll(list, file, 'any'),
};

function compileAll(list: unknown, file: string, mode: 'all' | 'any'): Check {
  const checks = (list as Schema[]).map((schema) => compile(schema, file));
  return (value, path) => {
    let deepest: Problem | undefined;
    for (const check of checks) {
      const found = check(value, path);
      if (mode === 'all' && found !== undefined) return found;
      if (mode === 'any' && found === undefined) return undefined;
      // Of the alternatives that failed, the one that got furthest was probably meant.
      if (found !== undefined && (deepest === undefined || found.path.length > deepest.path.length))
        deepest = found;
    }
    return deepest;
  };
}

function below(path: string | undefined, key: string | number): string | undefined {
  if (path === undefined) return undefined;
  return `${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

const SOME: Problem = { path: '', expected: '', found: '' };

function problem(path: string | undefined, expected: string, value: Json | undefined): Problem {
  if (path === undefined) return SOME;
  let found: string;
  if (value === undefined) found = 'none';
  else if (typeof value === 'string') found = quote(value);
  else if (Array.isArray(value)) found = `an array of ${value.length}`;
  else if (isObject(value)) found = 'an object';
  else found = JSON.stringify(value);
  return { path, expected, found };
}
