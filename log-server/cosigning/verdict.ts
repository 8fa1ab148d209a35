import type { AddCheckpointResult, VerifiedCosignature } from '../../client/index.js';

/** How old a cosignature may be, before the request that it answers, and still show that the witness is in step. */
const MAX_COSIGNATURE_AGE_S = 300;

/** What was asked, and what is known, when an answer to `add-checkpoint` came. Sizes in entries. */
export interface Asked {
  /** Size of the head that was sent. */
  readonly headSize: number;
  /** The old size that was sent with it. */
  readonly oldSize: number;
  /** The largest size this log has signed. */
  readonly lastSigned: number;
  /** What the witness was last known to have cosigned; undefined if it never was. */
  readonly remembered: number | undefined;
  /** Milliseconds since 1970 at the moment of sending. */
  readonly at: number;
  /** Whether the witness has yet to show, since this start, that it is in step. */
  readonly gate: boolean;
}

/** What an answer means to this log. spec/log.md "Starting: the gate". */
export type Verdict =
  /** In step: these cosignatures verify over this very note. */
  | { readonly kind: 'in-step'; readonly cosignatures: readonly VerifiedCosignature[] }
  /** It holds a smaller tree: send the same note again with this old size and the proof from there. */
  | { readonly kind: 'ask-from'; readonly oldSize: number }
  /** It holds a larger head that this log has signed meanwhile: send the newest. */
  | { readonly kind: 'superseded' }
  /** It has seen more than this log ever signed. */
  | { readonly kind: 'behind_witness'; readonly size: number }
  /** It holds another history. */
  | { readonly kind: 'forked'; readonly how: string }
  /** It has lost what it had cosigned. */
  | { readonly kind: 'went-back'; readonly size: number }
  /** `untrusted`: it says that no key that it trusts signed this (403). */
  | { readonly kind: 'silent'; readonly why: string; readonly untrusted?: boolean };

/** A verdict that takes a witness out until an operator has looked. */
export type Contradiction = Extract<Verdict, { kind: 'behind_witness' | 'forked' }>;

/** Judges one answer. Pure: the whole of what the table says about a single witness. */
export function judge(answer: AddCheckpointResult, asked: Asked): Verdict {
  switch (answer.kind) {
    case 'cosigned': {
      const oldest = Math.floor(asked.at / 1000) - MAX_COSIGNATURE_AGE_S;
      const stale = answer.cosignatures.find((cosignature) => cosignature.timestamp < oldest);
      // At run time an old date is the clients' to judge; at the gate it may be an answer kept from before.
      if (asked.gate && stale !== undefined) {
        return {
          kind: 'silent',
          why: `its cosignature is dated ${stale.timestamp}, more than 5 minutes ago`,
        };
      }
      return { kind: 'in-step', cosignatures: answer.cosignatures };
    }
    case 'conflict':
      return judgeConflict(answer.size, asked);
    case 'inconsistent':
      return { kind: 'forked', how: `422 to the proof from ${asked.oldSize} to ${asked.headSize}` };
    case 'unknown-log':
      return { kind: 'silent', why: 'it does not have this log configured (404)' };
    case 'refused':
      return {
        kind: 'silent',
        why: `it refused with status ${answer.status}`,
        untrusted: answer.status === 403,
      };
    case 'silent':
      return { kind: 'silent', why: answer.error.message };
  }
}

function judgeConflict(size: number | undefined, asked: Asked): Verdict {
  if (size === undefined) return { kind: 'forked', how: '409 without a size' };
  if (size > asked.lastSigned) return { kind: 'behind_witness', size };
  if (asked.remembered !== undefined && size < asked.remembered) return { kind: 'went-back', size };
  if (size > asked.headSize) return { kind: 'superseded' };
  // A conflict with the very size that was sent contradicts itself.
  if (size === asked.oldSize) return { kind: 'silent', why: `409 naming the old size ${size} it was sent` };
  return { kind: 'ask-from', oldSize: size };
}
