// Brings one signed envelope to the log and leaves, beside it, what proves that it is there.
import { httpSource, RefusedCheckpointError } from '../client/index.js';
import {
  equalBytes,
  parseTlogProof,
  TlogError,
  verifyTlogProof,
  type Policy,
  type VerifiedTlogProof,
} from '../tlog/index.js';
import type { Envelope } from '../attestation/index.js';
import { formatBundle, leafHashOf, type Bundle } from './bundle.js';
import type { Invocation } from './command.js';
import { CliError, EXIT } from './errors.js';
import { writeDurably } from './files.js';
import { checkSameHistory, openLog, withEvidence } from './log.js';
import { bundlePath, proofPath } from './names.js';
import { gatherRelated } from './related.js';
import { required } from './settings.js';
import { sendEnvelope } from './submission.js';
import { signedBySigner } from './verification.js';

/** Where an entry is, and who has cosigned that. */
export interface Logged {
  /** As logged: the signature may be an earlier one over the same payload. */
  readonly envelope: Envelope;
  readonly index: number;
  /** Of the checkpoint that proves it. */
  readonly size: number;
  /** Names of the policy's witnesses. */
  readonly witnesses: readonly string[];
}

/**
 * Sends the envelope that lies at `path` until it is logged, verifies the proof by the policy and writes
 * it; then the bundle, which also says who signed and for which the log is held to what it showed before.
 * Sending again after a crash gives the same entry. `onProven` is told as soon as the proof is on disk.
 * Throws as `sendEnvelope`, `verifyTlogProof` and `openLog` do, and CliError `bad_signature` where the log holds the
 * statement under another signature than the sent one, and that is not the signer's.
 */
export async function logRecord(
  { context, settings }: Pick<Invocation, 'context' | 'settings'>,
  policy: Policy,
  path: string,
  sent: Envelope,
  onProven: (logged: Logged) => void = () => undefined,
  onWait: (reason: string) => void = () => undefined,
): Promise<Logged> {
  const { envelope, proof } = await sendEnvelope(context, settings, sent, onWait);
  const { index, evaluation } = await verifyAnswer({ context, settings }, policy, envelope, proof);
  if (!equalBytes(envelope.signature, sent.signature)) {
    // The statement may have been logged before, signed in other bytes. A signature that nobody made would spoil
    // the record: what was sent stays unlogged, and is sent again.
    const log = await openLog(context, settings);
    const related = await gatherRelated(log, envelope, index);
    if (!signedBySigner({ envelope, proof, related }, policy))
      throw new CliError(
        EXIT.failed,
        'bad_signature',
        `entry ${index} holds this statement under a signature that was not sent: expected one by key ${sent.keyid}, found one that does not verify as that`,
        'this log did not log what it was given: keep the envelope, and ask its operator',
      );
  }
  writeDurably(proofPath(path), proof);
  const logged: Logged = {
    envelope,
    index,
    size: evaluation.checkpoint.size,
    witnesses: evaluation.cosignatures.map(({ witness }) => witness.name),
  };
  onProven(logged);
  // The record is logged and proven. What follows says who signed it, and holds the log to what it
  // showed before.
  const log = await openLog(context, settings);
  const bundle: Bundle = await withEvidence(context, log, async () => {
    await checkSameHistory(context, log, parseTlogProof(proof).checkpoint);
    return { envelope, proof, related: await gatherRelated(log, envelope, index) };
  });
  writeDurably(bundlePath(path), formatBundle(bundle));
  return logged;
}

/**
 * Verifies the proof that the log answered with. A checkpoint in it that is not believed may still
 * contradict what was seen before: then there is evidence, and status 5.
 */
function verifyAnswer(
  { context, settings }: Pick<Invocation, 'context' | 'settings'>,
  policy: Policy,
  envelope: Envelope,
  proof: Uint8Array,
): Promise<VerifiedTlogProof> {
  const source = httpSource(required(settings, 'log'), {
    fetch: context.fetch,
    timeoutMs: 1000 * (settings.timeout ?? 60),
  });
  const log = { policy, source, report: settings.report ?? [] };
  return withEvidence(context, log, () => {
    try {
      return Promise.resolve(verifyTlogProof({ proof, leafHash: leafHashOf(envelope), policy }));
    } catch (error) {
      if (!(error instanceof TlogError) || error.code !== 'quorum_not_met') throw error;
      const note = parseTlogProof(proof).checkpoint;
      throw new RefusedCheckpointError(error.code, error.message, error.hint, note);
    }
  });
}
