// spec/http/log.openapi.json: the log's HTTP API from what the server itself checks with: the tables of its
// parameters, the schemas of its answers and of statements, and its refusals.
import { readFileSync, readdirSync } from 'node:fs';
import { typeUri, type TypeName } from '../../attestation/index.js';
import { packageVersion } from '../../system/index.js';
import { ROUTES, type Answer, type Route } from './openapi-routes.js';

type Json = Record<string, unknown>;

const spec = new URL('../../../spec/', import.meta.url);

/** Where it lies. */
export const OPENAPI_FILE: URL = new URL('http/log.openapi.json', spec);

/** The whole document, as it stands in the file. */
export function openapiDoc(): string {
  const paths: Record<string, Json> = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method] = operation(route);
  const document = {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'A Stele log',
      summary: 'Reading, searching and adding to an append-only transparency log (C2SP tlog-tiles)',
      description:
        'Prose is in spec/log.md. HEAD is as GET; another method than a path has here is 405 `bad_method`, with Allow. Every answer has Access-Control-Allow-Origin: * and X-Request-Id. Believe no answer: check its proof under a policy from somebody you trust.',
      version: packageVersion(),
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '../..', description: 'The log that this document comes from' }],
    security: [],
    tags: [
      { name: 'read', description: 'C2SP tlog-tiles' },
      { name: 'look up', description: 'For those who would rather not compute from tiles' },
      { name: 'write', description: 'Entries in' },
      { name: 'watch', description: 'For people and monitors' },
    ],
    paths,
    components: {
      headers: {
        'X-Request-Id': { description: "Stands in the server's log too", schema: { type: 'string' } },
        'Retry-After': {
          description: 'Seconds after which the same may be asked again; not with every code',
          schema: { type: 'integer', minimum: 0 },
        },
        'Content-Encoding': { description: 'gzip, or left out', schema: { type: 'string', const: 'gzip' } },
      },
      schemas: schemas(),
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function operation({ id, tag, summary, description, inPath, query, header, body, answers }: Route): Json {
  const parameters = [
    ...Object.entries(inPath ?? {}).map(([name, { description, schema }]) => {
      return { name, in: 'path', required: true, description, schema };
    }),
    ...[...Object.entries(query ?? {}), ...Object.entries(header ?? {})].map(([name, parameter]) => {
      const { required, schema, standard } = parameter;
      return {
        name,
        in: name in (query ?? {}) ? 'query' : 'header',
        ...(required && { required }),
        description: parameter.description,
        schema: { ...schema, ...(standard !== undefined && { default: standard }) },
      };
    }),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { description: body.description, required: true, content: content(body) },
    }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, response(answer)]),
    ),
  };
}

function response(answer: Answer): Json {
  const headers = ['X-Request-Id', ...(answer.headers ?? [])].map((name) => {
    return [name, { $ref: `#/components/headers/${name}` }] as const;
  });
  return { description: answer.description, headers: Object.fromEntries(headers), content: content(answer) };
}

function content({ content }: Answer): Json {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [
      type,
      { schema: typeof schema === 'string' ? { $ref: `#/components/schemas/${schema}` } : schema },
    ]),
  );
}

/** The answers' schemas and, since envelopes carry them, those of the statements: `common.json#/$defs/x` is common.x. */
function schemas(): Json {
  const out: Json = {};
  const answers = read('http/log.schema.json');
  for (const [name, schema] of Object.entries(answers['$defs'] as Json))
    out[name] = moved(schema, (ref) => ref.replace('#/$defs/', ''));
  const names = readdirSync(new URL('schema/', spec))
    .map((file) => file.replace(/\.json$/, ''))
    .sort();
  for (const name of names) {
    const { $defs = {}, ...whole } = read(`schema/${name}.json`);
    const schema = Object.fromEntries(
      Object.entries(whole).filter(([key]) => key !== '$schema' && key !== '$id'),
    );
    const rename = (ref: string): string => {
      const [file = '', pointer] = ref.split('#/$defs/');
      const target = file === '' ? name : file.replace(/\.json$/, '');
      return pointer === undefined ? target : `${target}.${pointer}`;
    };
    if (name !== 'common') out[name] = moved(schema, rename);
    for (const [def, inner] of Object.entries($defs as Json)) out[`${name}.${def}`] = moved(inner, rename);
  }
  const { payload } = (out['envelope'] as { properties: { payload: Json } }).properties;
  payload['contentSchema'] = { $ref: '#/components/schemas/anyStatement' };
  const types = names.filter((name) => name !== 'common' && name !== 'statement');
  out['anyStatement'] = {
    description: "What an envelope's payload says: of one of our types, or of another's making",
    allOf: [
      { $ref: '#/components/schemas/statement' },
      ...types.map((name) => ({
        if: { properties: { predicateType: { const: typeUri(name as TypeName) } } },
        then: { $ref: `#/components/schemas/${name}` },
      })),
    ],
  };
  return out;
}

/** With references into the document. */
function moved(node: unknown, rename: (ref: string) => string): unknown {
  if (Array.isArray(node)) return node.map((item) => moved(item, rename));
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => {
      if (key === '$ref' && typeof value === 'string') return [key, `#/components/schemas/${rename(value)}`];
      return [key, moved(value, rename)];
    }),
  );
}

function read(path: string): Json {
  return JSON.parse(readFileSync(new URL(path, spec), 'utf8')) as Json;
}
