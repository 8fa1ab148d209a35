// One good statement of every type, and a second where a type has two faces.
import {
  buildCharter,
  buildCharterAmendment,
  buildFreeze,
  buildKeyStatement,
  buildParticipantKey,
  buildRunFinal,
  buildRunIntent,
  buildRunProgress,
  parseCanonicalJson,
  parseEnvelope,
  prepareEntry,
  sign,
  termsDigest,
} from '../../attestation/index.js';
import type { Envelope, Json, UnsignedStatement } from '../../attestation/index.js';
import { ORIGIN, SPECIFICATION, World, final, idOf, intent, progress, seed, worldTerms } from './world.js';

/** [schema name, statement]. */
export async function examples(): Promise<[string, Json][]> {
  const world = await new World().begin();
  const list: [string, Json][] = [];
  const add = (envelope: Envelope): void => {
    const { statement } = prepareEntry(envelope);
    list.push([statement.predicateType.split('/').at(-2) ?? '', parseCanonicalJson(envelope.payload)]);
  };
  const signed = (statement: UnsignedStatement, key: string): void => add(sign(statement, seed(key)));
  signed(buildCharter(world.terms, world.now), 'operator');
  signed(
    buildCharterAmendment({
      ...(await world.common('registrar-a')),
      amends: termsDigest(world.terms),
      terms: worldTerms({
        anchorInterval: 60,
        predecessor: { origin: 'old.example', size: 3, rootHash: idOf('root') },
      }),
    }),
    'registrar-a',
  );
  add(world.anchorOf(world.checkpoint()));
  signed(
    buildFreeze({
      ...(await world.common('example-operator')),
      origin: ORIGIN,
      reason: 'planned',
      successor: null,
    }),
    'operator',
  );
  signed(await world.participant('example-lab'), 'registrar-a');
  const consent = buildKeyStatement(
    { participant: 'example-lab', issuedAt: world.now, origin: ORIGIN, roles: ['lab'], use: 'signing' },
    seed('new'),
  );
  add(parseEnvelope(new TextEncoder().encode(JSON.stringify(consent))));
  const change = { ...(await world.common('example-lab')), origin: ORIGIN, about: 'example-lab' };
  signed(
    buildParticipantKey({
      ...change,
      action: 'rotate',
      oldKey: idOf('example-lab'),
      newKey: consent,
      reason: 'routine',
    }),
    'example-lab',
  );
  signed(
    buildParticipantKey({ ...change, action: 'object', request: idOf('request'), reason: 'unauthorised' }),
    'example-lab',
  );
  signed(buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1')), 'example-lab');
  signed(buildRunProgress(SPECIFICATION, await progress(world, 'example-lab', 'run-1', 0)), 'example-lab');
  signed(buildRunFinal(SPECIFICATION, await final(world, 'example-lab', 'run-1')), 'example-lab');
  signed(
    buildRunFinal(
      SPECIFICATION,
      await final(world, 'example-lab', 'run-1', {
        outcome: 'aborted',
        flop: [],
        weights: { unknown: 'not-recorded' },
        previous: idOf('previous'),
      }),
    ),
    'example-lab',
  );
  return list;
}
