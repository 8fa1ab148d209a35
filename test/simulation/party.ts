import type { Owed } from '../../witness/gossip/ports.js';
import type { Outcome } from '../../witness/witness.js';

/** A witness as others meet it, honest or not. `from` is who asks: a liar tells everybody something else. */
export interface WitnessParty {
  readonly name: string;
  /** `POST add-checkpoint`. */
  addCheckpoint(body: Uint8Array): Promise<Outcome>;
  /** `GET <origin hash>/checkpoint`. */
  latest(from: string): Promise<Uint8Array | undefined>;
  /** `POST gossip/checkpoint`. */
  report(from: string, note: Uint8Array): Promise<void>;
  /** `GET <origin hash>/consistency/<old>/<new>`. */
  owed(from: string, oldSize: number, newSize: number): Promise<Owed | undefined>;
  /** `GET gossip/evidence`. */
  evidenceList(from: string): Promise<readonly string[]>;
  /** `GET gossip/evidence/<sha256>`. */
  evidence(from: string, sha256: string): Promise<Uint8Array | undefined>;
  /** `POST gossip/evidence`. */
  reportEvidence(from: string, bytes: Uint8Array): Promise<void>;
}
