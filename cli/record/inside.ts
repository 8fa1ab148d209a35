// Where the recorder may write: not into what it records.
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { CliError, EXIT } from '../errors.js';

/**
 * Throws CliError "records_inside" where the records would lie in the folder: what the recorder writes would be part of
 * what it digests, and no folder would ever be as its record says. Neither needs to be there.
 */
export function refuseInside(records: string, folder: string): void {
  const way = relative(realOf(folder), realOf(records));
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) return;
  throw new CliError(
    EXIT.usage,
    'records_inside',
    `${records}: expected records outside of the folder that is recorded, found them in ${folder}`,
    'name another folder with --records, and move there what this one holds of the run',
  );
}

/** A path without links, of which the last parts may be yet to be made. */
function realOf(path: string): string {
  const above = dirname(path);
  return existsSync(path) || above === path ? realpathSync(path) : join(realOf(above), basename(path));
}
