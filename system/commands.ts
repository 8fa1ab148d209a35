/**
 * What the three programs' commands have in common: answers, exit statuses, completion. By itself for what has to start
 * soon: everything else of `index.js` is half as much again to load as these.
 */
export {
  ANSWER_SCHEMA,
  formatAnswer,
  formatFailure,
  processStreams,
  replying,
  runBuilt,
  runProgram,
  type Answer,
  type Check,
  type CheckStatus,
  type Replies,
  type Reply,
  type Streams,
} from './answer.js';
export { completionCommand, completionReply, completionScript, suggest, wordsOf } from './completion.js';
export {
  CliError,
  EXIT,
  EXIT_MEANINGS,
  STATUS_OF_CODE,
  asInput,
  asInputs,
  describeError,
  statusOf,
  type ExitStatus,
} from './exit.js';
export { hostAndPort, type Address } from './address.js';
export { systemClock } from './clock.js';
export { exitStatusHelp, packageVersion } from './program.js';
export { escapeForTerminal, escapeLine, formatCheck, printableJson, wrapText } from './terminal.js';
export { whatStandsAt } from './whose-folder.js';
