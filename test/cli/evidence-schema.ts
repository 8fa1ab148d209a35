// What `stele evidence verify --json` prints is as its schema says, to a validator that is not ours.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const file = new URL('../../../spec/evidence-verify.schema.json', import.meta.url);
const schema = JSON.parse(readFileSync(file, 'utf8')) as object;
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema);

/** Whether this is an answer as the schema has it. */
export function fitsSchema(answer: unknown): boolean {
  return validate(answer);
}

/** Fails with what the schema says. */
export function assertFits(stdout: string): void {
  const fits = validate(JSON.parse(stdout));
  assert.ok(fits, `${stdout}${JSON.stringify(validate.errors, null, 1)}`);
}
