// Makes attestation/generated/ from spec/schema/, the single source of what a statement may say:
// TypeScript types, the schemas as a module for the validator, and each schema's digest as a charter
// pins it. Makes log-server/generated/ from spec/http/: the types of what a log answers. Files are rewritten only when they change, so that the build stays incremental.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import canonicalize from 'canonicalize';
import { compile } from 'json-schema-to-typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const from = `${root}spec/schema/`;
const banner = '// Made from spec/schema/ by tools/generate.mjs. Do not edit.\n';

const schemas = Object.fromEntries(
  readdirSync(from)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => [file.slice(0, -'.json'.length), JSON.parse(readFileSync(from + file, 'utf8'))]),
);

/** A copy of a schema, each object passed through `change`. */
function walk(node, change) {
  if (Array.isArray(node)) return node.map((item) => walk(item, change));
  if (node === null || typeof node !== 'object') return node;
  return change(Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value, change)])));
}

/** The validator needs no annotations; a property called "description" would be an object. */
function withoutAnnotations(node) {
  for (const key of ['description', 'title', 'unit', 'digestOf', '$schema'])
    if (typeof node[key] === 'string') delete node[key];
  return node;
}

/** `allOf` says only which fields may be committed instead of stated: a union of 2^n types helps nobody. */
function forTypes(node) {
  if (Array.isArray(node.allOf)) delete node.allOf;
  if (typeof node.$ref === 'string') return { $ref: node.$ref.replace(/^common\.json#/, '#') };
  return node;
}

const definitions = {};
for (const [name, schema] of Object.entries(schemas)) {
  const copy = walk(schema, forTypes);
  delete copy.$id;
  delete copy.$schema;
  if (name === 'common') Object.assign(definitions, copy.$defs);
  else definitions[name] = copy;
}
const types = await typesOf(definitions, banner);

const answers = walk(JSON.parse(readFileSync(`${root}spec/http/log.schema.json`, 'utf8')), forTypes);
const answerTypes = await typesOf(answers.$defs, banner.replace('spec/schema/', 'spec/http/log.schema.json'));

/** TypeScript for schemas that refer to one another by `#/$defs/NAME`. */
function typesOf($defs, bannerComment) {
  return compile({ title: 'Definitions', $defs }, 'Definitions', {
    additionalProperties: false,
    bannerComment,
    unreachableDefinitions: true,
    ignoreMinAndMaxItems: true,
    format: false,
  });
}

const digests = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => [
    `https://stele-log/${name}/v1`,
    createHash('sha256').update(canonicalize(schema)).digest('hex'),
  ]),
);
const runtime = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => [name, walk(schema, withoutAnnotations)]),
);
const module = `${banner}
/** Each schema without its annotations, by file name. */
export const schemas: Readonly<Record<string, unknown>> = ${JSON.stringify(runtime)};

/** Hex SHA-256 of each schema's canonical JSON, annotations included, by type URI. */
export const schemaDigests: Readonly<Record<string, string>> = ${JSON.stringify(digests, null, 2)};
`;

for (const [file, text] of [
  ['attestation/generated/types.ts', types],
  ['attestation/generated/schemas.ts', module],
  ['log-server/generated/answers.ts', answerTypes],
]) {
  const path = root + file;
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}
