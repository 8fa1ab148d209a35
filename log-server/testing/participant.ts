import { buildKeyStatement, buildParticipant, formatEnvelope, sign } from '../../attestation/index.js';
import { encodeUtf8, sha256 } from '../../tlog/index.js';
import type { SigningKey } from '../../tlog/index.js';

/** A new participant, introduced by the operator, who is this log's only registrar. One name, one envelope. */
export function participant(
  origin: string,
  operator: SigningKey,
  about: string,
  recentAnchor: { index: number; leafHash: string },
): Uint8Array {
  const issuedAt = 1;
  const roles: ['lab'] = ['lab'];
  const given = { participant: about, issuedAt, origin, roles };
  const seed = (use: string): Uint8Array => sha256(encodeUtf8(`${about} ${use}`));
  const statement = buildParticipant({
    participant: 'operator',
    issuedAt,
    recentAnchor,
    origin,
    about,
    name: about,
    jurisdiction: { unknown: 'not-recorded' },
    controlledBy: [],
    roles,
    keys: [
      buildKeyStatement({ ...given, use: 'signing' }, seed('signing')),
      buildKeyStatement({ ...given, use: 'recovery' }, seed('recovery')),
    ],
  });
  return formatEnvelope(sign(statement, operator.secret));
}
