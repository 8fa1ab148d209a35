// Whose folder it is: a server's is its own user's, and what root makes there that user cannot read.
import { statSync } from 'node:fs';
import { CliError, EXIT } from './exit.js';

/**
 * Throws CliError "wrong_user" where root is about to work in a folder of another user's: the files it would
 * make there, LevelDB's among them, are then root's, and the server fails at its next start or reload. A folder that does not exist
 * passes: it will belong to whoever makes it.
 */
export function checkOwner(
  folder: string,
  uid: number | undefined = process.geteuid?.(),
  ownerOf: (folder: string) => number | undefined = uidOf,
): void {
  if (uid !== 0) return;
  const owner = ownerOf(folder);
  if (owner === undefined || owner === 0) return;
  throw new CliError(
    EXIT.usage,
    'wrong_user',
    `${folder}: expected to be run by the user that owns it, ${owner}, found root`,
    `what root makes there that user cannot use: run the same as "sudo -H -u '#${owner}' …"`,
  );
}

function uidOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch (error) {
    // Below a file there is none either: who uses the folder says what it expected there.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}
