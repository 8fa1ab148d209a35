import type { Readiness as Made } from './generated/answers.js';

/** Whether the log takes entries, and if not, why: spec/http/log.schema.json. */
export interface Readiness extends Readonly<Omit<Made, 'awaited' | 'setAside'>> {
  readonly awaited: readonly string[];
  readonly setAside: readonly string[];
}
