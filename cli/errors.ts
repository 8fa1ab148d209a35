// Exit statuses and errors with one: the same for all three programs.
export { asInput, CliError, EXIT, statusOf, type ExitStatus } from '../system/index.js';
