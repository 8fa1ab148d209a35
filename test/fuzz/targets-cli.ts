import assert from 'node:assert/strict';
import { buildCharter, buildTerms, envelopeToJson, sign } from '../../attestation/index.js';
import { formatBundle, leafHashOf, parseBundle } from '../../cli/bundle.js';
import { consentOf, formatRequest, parseRequest } from '../../cli/participant-request.js';
import { processContext } from '../../cli/context.js';
import { Report } from '../../cli/report.js';
import { verifyEvidence } from '../../cli/verification.js';
import {
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatTlogProof,
  formatVkey,
  newSigningKey,
  parsePolicy,
  sha256,
  signNote,
} from '../../tlog/index.js';
import type { FuzzTarget } from './target.js';

const ORIGIN = 'log.example/fuzz';
const key = (name: string): ReturnType<typeof newSigningKey> =>
  newSigningKey(name, 1, sha256(encodeUtf8(name)));
const logKey = key(ORIGIN);
const policyText = `log ${formatVkey(logKey.vkey)}\nquorum none\n`;
const policy = parsePolicy(encodeUtf8(policyText));
const officer = { participant: 'office', name: 'Office', key: encodeHex(key('office').vkey.publicKey) };
const terms = buildTerms({
  origin: ORIGIN,
  operator: officer,
  anchorKey: encodeHex(key('anchor').vkey.publicKey),
  logKeys: [formatVkey(logKey.vkey)],
  policy: policyText,
  registrars: { threshold: 1, members: [officer] },
});
const envelope = sign(buildCharter(terms, 1), key('office').secret);
const checkpoint = signNote(
  formatCheckpoint({ origin: ORIGIN, size: 1, rootHash: leafHashOf(envelope), extensions: [] }),
  [logKey],
);
const entry = { envelope, proof: formatTlogProof({ index: 0, proof: [], checkpoint }) };
const bundle = encodeUtf8(formatBundle({ ...entry, related: [entry] }));
const who = { origin: ORIGIN, about: 'lab', roles: ['lab' as const] };
const request = encodeUtf8(
  formatRequest({
    ...who,
    name: 'Lab',
    jurisdiction: 'CH',
    controlledBy: [],
    keys: [consentOf(key('lab'), who, 'signing', 1), consentOf(key('recovery'), who, 'recovery', 1)],
  }),
);

/** A report whose lines go through every escape and nowhere else. */
function quietReport(): Report {
  return new Report({ ...processContext(), stdout: () => undefined, stderr: () => undefined }, false);
}

/** What people hand to one another as files. */
export const cliTargets: readonly FuzzTarget[] = [
  {
    name: 'cli: bundles, verified',
    seeds: [bundle, encodeUtf8(JSON.stringify({ ...envelopeToJson(envelope) }))],
    iterations: 1000,
    run(bytes) {
      const parsed = parseBundle(bytes);
      assert.deepEqual(parseBundle(encodeUtf8(formatBundle(parsed))), parsed);
      const report = quietReport();
      verifyEvidence(report, parsed, policy);
      const status = report.end();
      // Only the statement that was signed, in the tree that was signed, passes.
      const same = Buffer.compare(parsed.envelope.payload, envelope.payload) === 0;
      assert.ok(status !== 0 || same, 'another statement verified');
    },
  },
  {
    name: 'cli: participant requests',
    seeds: [request],
    iterations: 1000,
    run(bytes) {
      parseRequest(bytes);
    },
  },
];
