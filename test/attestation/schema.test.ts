import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  canonicalJson,
  checkSchema,
  currentSchemas,
  digestOf,
  hasSchema,
  isName,
} from '../../attestation/index.js';
import { Random } from '../random.js';
import { mutations } from './mutations.js';
import { examples } from './examples.js';

const folder = new URL('../../../spec/schema/', import.meta.url);
const files = readdirSync(folder).sort();
const schemas = files.map(
  (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Record<string, unknown>,
);

const ajv = new Ajv2020({ strict: false, allErrors: false });
ajv.addFormat('stele-name', isName);
for (const schema of schemas) ajv.addSchema(schema);
const judge = (name: string, value: unknown): boolean =>
  ajv.validate(`https://stele-log/schema/${name}.json`, value);

test('the schemas are JSON Schema 2020-12 and their pinned digests are those of their canonical JSON', () => {
  const pinned = currentSchemas();
  for (const [i, schema] of schemas.entries()) {
    const name = files[i]?.replace(/\.json$/, '') ?? '';
    assert.ok(ajv.validateSchema(schema), name);
    assert.equal(schema['$id'], `https://stele-log/schema/${name}.json`);
    assert.equal(pinned[`https://stele-log/${name}/v1`], digestOf(canonicalJson(schema)), name);
  }
  assert.equal(Object.keys(pinned).length, files.length);
});

test('every number has a unit and every digest says of what', () => {
  const visit = (node: unknown, path: string, named: string | undefined): void => {
    if (node === null || typeof node !== 'object') return;
    const object = node as Record<string, unknown>;
    if (object['type'] === 'integer')
      assert.ok(typeof object['unit'] === 'string' || object['description'], path);
    if (object['$ref'] === 'common.json#/$defs/digest')
      assert.ok(object['digestOf'], `${path} ${named ?? ''}`);
    for (const [key, child] of Object.entries(object)) visit(child, `${path}/${key}`, key);
  };
  for (const [i, schema] of schemas.entries())
    if (files[i] !== 'statement.json') visit(schema, files[i] ?? '', undefined);
});

test('our validator and Ajv agree on good statements and on 20,000 mutations of them', async () => {
  const good = await examples();
  const random = new Random(20);
  let refused = 0;
  let tried = 0;
  for (const [name, statement] of good) {
    assert.ok(hasSchema(name), name);
    assert.equal(checkSchema(name, statement), undefined, name);
    assert.ok(judge(name, statement), `${name}: ${ajv.errorsText()}`);
    for (let i = 0; i < 20_000 / good.length; i++) {
      const mutated = mutations(statement, random);
      const problem = checkSchema(name, mutated);
      const verdict = judge(name, mutated);
      tried++;
      if (!verdict) refused++;
      assert.equal(
        problem === undefined,
        verdict,
        `${name}: ${JSON.stringify(problem)} ${ajv.errorsText()} ${JSON.stringify(mutated)}`,
      );
    }
  }
  assert.ok(refused > tried / 10 && refused < tried, `${refused} of ${tried} refused`);
});
