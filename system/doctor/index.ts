/**
 * What the three programs' doctors share. Not a part of system/index.ts: it asks others over HTTP, and a command that
 * does not need it does not load it.
 */
export { age, Examination, replyOfDoctor, summary, type Fault } from './examination.js';
export { checkFolder, checkNode, checkNotShared, checkSpace, checkTimeSync, lockHolder } from './machine.js';
export {
  ask,
  checkClocks,
  checkWitnesses,
  STALE,
  type Asking,
  type TimeShown,
  type WitnessesFound,
} from './others.js';
export { readinessInWords, readyzIn, whoAnswers, type Answering, type ReadyzClaim } from './readiness.js';
