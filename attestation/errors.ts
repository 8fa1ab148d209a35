import { SteleError } from '../tlog/index.js';

/** An envelope, a statement, a commitment or a ledger is not as spec/attestations.md says. */
export class AttestationError extends SteleError {}
