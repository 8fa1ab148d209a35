// Answers of --json against spec/cli.schema.json, by a validator that is not ours.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';

const read = (name: string): AnySchemaObject =>
  JSON.parse(readFileSync(new URL(`../../../spec/${name}`, import.meta.url), 'utf8')) as AnySchemaObject;

/** The schema of every answer; `$defs` has what `result` holds, by command. */
export const ANSWERS: AnySchemaObject & { $defs: Record<string, AnySchemaObject> } = read(
  'cli.schema.json',
) as never;

/** The same where nothing is there that the schema does not name: it is to be complete. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, closed(each)]));
  return 'required' in copy && 'properties' in copy ? { ...copy, additionalProperties: false } : copy;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(read('evidence-verify.schema.json'));
ajv.addSchema(closed(ANSWERS) as AnySchemaObject);
const compiled = new Map<string, ValidateFunction>();

/** Fails unless `answer` is as the schema has that of this command, of success. */
export function assertAnswers(command: string, answer: unknown): void {
  assert.ok(command in ANSWERS.$defs, `spec/cli.schema.json has no $defs["${command}"]`);
  const id = String(ANSWERS['$id']);
  const validate =
    compiled.get(command) ??
    ajv.compile({
      allOf: [{ $ref: id }, { properties: { result: { $ref: `${id}#/$defs/${encodeURI(command)}` } } }],
    });
  compiled.set(command, validate);
  const fits = validate(answer);
  assert.ok(fits, `${command}: ${JSON.stringify(answer)}\n${JSON.stringify(validate.errors, null, 1)}`);
}
