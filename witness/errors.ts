import { SteleError } from '../tlog/index.js';

/**
 * Why a witness does not start, or does not sign. Codes:
 *
 * - `bad_request`: a body that is not what tlog-witness says (400).
 * - `bad_folder`, `bad_log`, `bad_peer`, `bad_key`, `bad_url`: the folder is not as `init`, `add-log` and `add-peer`
 *   leave it, or what they are given is not what they take.
 * - `state_damaged`: a state file is missing, cut or altered. Never taken for "never cosigned".
 * - `state_failed`: a write did not end well; that log is not cosigned until a restart.
 * - `locked`: another process serves this folder.
 * - `lock_failed`: whether one does could not be found out: a full disk, one that fails, a damaged lock.
 * - `already_there`: `init` or `add-log` would overwrite.
 * - `not_empty`: something else lies in the folder that `init` is given.
 */
export class WitnessError extends SteleError {}
