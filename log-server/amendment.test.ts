import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import {
  buildCharterAmendment,
  formatEnvelope,
  lastAnchor,
  parseEnvelope,
  parseStatement,
  sign,
  termsInForce,
} from '../attestation/index.js';
import type { Anchor } from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import {
  NOTE_ED25519,
  encodeHex,
  encodeUtf8,
  evaluatePolicy,
  formatSigningKey,
  newSigningKey,
  parsePolicy,
  parseVkey,
} from '../tlog/index.js';
import { initLog, startLog } from './index.js';
import type { RunningLog } from './index.js';
import { termsHere } from './terms.js';
import { ORIGIN } from './testing/fixture.js';
import { ManualClock } from './testing/manual-clock.js';
import { ScriptedWitness, networkOf } from './testing/scripted-witness.js';
import { until, untilInTime } from './testing/until.js';

void test('an amendment of the policy: published, then the log stops until it is started with the new one', async (t) => {
  const clock = new ManualClock();
  const names = ['w1', 'w2', 'w3', 'w4', 'w5'];
  const witnesses = names.map((name, i) => new ScriptedWitness(name, 10 + i, clock));
  /** Three of four, beginning with the `from`th. */
  const policyOf = (from: number): string => {
    const four = witnesses.slice(from, from + 4);
    const group = `group g 3 ${four.map(({ name }) => name).join(' ')}`;
    return [...four.map((witness) => witness.policyLine), group, 'quorum g', ''].join('\n');
  };
  const parent = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(parent, { recursive: true }));
  const folder = join(parent, 'log');
  const policy = encodeUtf8(policyOf(0));
  const made = await initLog({ folder, origin: ORIGIN, admission: 'charter', policy, clock });
  for (const witness of witnesses) witness.logKey = parseVkey(made.vkey);
  const start = async (): Promise<RunningLog> => {
    const log = await startLog({
      folder,
      admission: 'charter',
      listen: { host: '127.0.0.1', port: 0 },
      clock,
      fetch: networkOf(witnesses),
      limits: { publishIntervalMs: 0 },
    });
    t.after(() => {
      const closing = log.close();
      clock.advance(1_000_000);
      return closing;
    });
    return log;
  };

  const log = await start();
  await until(() => log.readiness().ready);
  const before = await termsInForce(log.storage.ledger);
  const anchor = await lastAnchor(log.storage.ledger);
  assert.ok(before && anchor);
  const amended = `log ${made.vkey}\n${policyOf(1)}`;
  const statement = buildCharterAmendment({
    participant: 'operator',
    issuedAt: 1,
    recentAnchor: { index: anchor.index, leafHash: anchor.leafHash },
    amends: before.digest,
    terms: { ...before.terms, policy: amended },
  });
  const operator = readKeyFile(join(folder, 'operator.key'));
  const amendment = formatEnvelope(sign(statement, operator.secret));
  const { index, published } = await log.submit(amendment);
  assert.deepEqual([index, published.size], [2, 3], 'whoever sent it has its proof');
  await until(() => log.readiness().state === 'stopped');
  assert.match(log.readiness().message, /amendment/);
  assert.equal((await log.submit(amendment)).index, 2, 'what is published is still answered');
  await log.close();

  await assert.rejects(start(), { code: 'policy_not_in_force' });
  // As the hint says: out of the folder, which nobody serves.
  const inForce = await termsHere(folder);
  assert.deepEqual([inForce.size, inForce.terms.policy], [3, amended]);
  await writeFile(join(folder, 'policy'), inForce.terms.policy);
  const again = await start();
  await untilInTime(clock, () => again.readiness().ready);
  assert.ok((witnesses[4]?.questions.length ?? 0) > 0, 'the new witness is asked');
  // Nothing new is published meanwhile; what is has to meet the new policy before it can be anchored.
  await untilInTime(clock, () => again.storage.size === 4 && again.published()?.size === 4);
  const entry = parseEnvelope(await again.storage.readEntry(3));
  const { checkpoint } = (parseStatement(entry.payload).statement as Anchor).predicate;
  const found = evaluatePolicy(parsePolicy(encodeUtf8(amended)), encodeUtf8(checkpoint));
  assert.deepEqual([found.met, found.checkpoint.size], [true, 3]);

  // Of the anchor key: it stops too, or every anchor would be refused from then on.
  const current = await termsInForce(again.storage.ledger);
  assert.ok(current);
  const anchorKey = newSigningKey('anchor', NOTE_ED25519, new Uint8Array(32).fill(7));
  const consent = buildCharterAmendment({
    participant: 'operator',
    issuedAt: 2,
    recentAnchor: { index: anchor.index, leafHash: anchor.leafHash },
    amends: current.digest,
    terms: { ...current.terms, anchorKey: encodeHex(anchorKey.vkey.publicKey) },
  });
  await again.submit(formatEnvelope(sign(consent, operator.secret)));
  await untilInTime(clock, () => again.readiness().state === 'stopped');
  assert.match(again.readiness().message, /anchor key/);
  await again.close();
  await assert.rejects(start(), { code: 'wrong_anchor_key' });
  await writeFile(join(folder, 'anchor.key'), `${formatSigningKey(anchorKey)}\n`);
  const last = await start();
  await untilInTime(clock, () => last.readiness().ready);
  await last.close();
});
