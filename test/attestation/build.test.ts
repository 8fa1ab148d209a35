// Statements from predicates, as programs read them from files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AttestationError,
  parseStatement,
  prepareEntry,
  sign,
  statementFromPredicate,
} from '../../attestation/index.js';
import { examples } from './examples.js';
import { SPECIFICATION, seed } from './world.js';

interface Example {
  subject: unknown;
  predicate: Record<string, unknown>;
}

test('a predicate alone gives the statement with its subject', async () => {
  const built = [
    'charter-amendment',
    'freeze',
    'participant',
    'participant-key',
    'run-intent',
    'run-progress',
    'run-final',
  ];
  for (const [type, example] of await examples()) {
    const { predicate, subject } = example as unknown as Example;
    const { signer, ...rest } = predicate;
    assert.equal(typeof signer, 'string');
    if (!built.includes(type)) {
      assert.throws(() => statementFromPredicate(type, rest), { code: 'unknown_type' });
      continue;
    }
    const statement = statementFromPredicate(type, rest, SPECIFICATION);
    assert.deepEqual(statement.subject, subject);
    const { payload } = sign(statement, seed('somebody'));
    assert.ok(parseStatement(payload).known);
  }
});

test('a run wants its specification', () => {
  assert.throws(() => statementFromPredicate('run-intent', {}), { code: 'bad_subject' });
});

test('what the log would refuse is not signed', () => {
  for (const predicate of [
    {},
    { participant: 'x' },
    { participant: 'x', run: 7 },
    { participant: 'x', run: 'r', flop: 1.5 },
  ])
    assert.throws(
      () => sign(statementFromPredicate('run-final', predicate, SPECIFICATION), seed('somebody')),
      (error) => error instanceof AttestationError && ['bad_statement', 'bad_json'].includes(error.code),
    );
});

test('a signature is the same whenever the same bytes are signed, and the entry with it', async () => {
  for (const [, statement] of await examples()) {
    const once = prepareEntry(sign(statement as never, seed('k')));
    assert.deepEqual(prepareEntry(sign(statement as never, seed('k'))), once);
  }
});
