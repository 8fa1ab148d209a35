// Signing keys lie one to a file, one line in the format of Go's sumdb/note, for their owner only.
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { decodeUtf8, parseSigningKey, SteleError, type SigningKey } from '../tlog/index.js';

/**
 * Why a key file is not used. Codes:
 *
 * - `no_key`: there is no such file, or it cannot be read.
 * - `key_exposed`: others than its owner may read or write it.
 * - `bad_signing_key`: it does not hold a signing key.
 */
export class KeyFileError extends SteleError {}

/**
 * Reads a signing key. Throws KeyFileError, which never quotes what is in the file: whoever could copy
 * the key can sign in its name.
 */
export function readKeyFile(path: string): SigningKey {
  const bytes = readPrivate(path);
  try {
    return parseSigningKey(decodeUtf8(bytes, 'signing key').replace(/\n$/, ''));
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    // Without a cause: one that says what does not parse may quote it.
    throw new KeyFileError('bad_signing_key', `${path}: ${error.message}`, error.hint);
  }
}

/** The bytes of a file that only its owner may touch; its mode is that of the file opened, not of the name. */
function readPrivate(path: string): Uint8Array {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw missing(path, cause);
  }
  try {
    const mode = fstatSync(file).mode & 0o777;
    // Windows has no such modes.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new KeyFileError(
        'key_exposed',
        `${path}: expected mode 0600, found ${mode.toString(8).padStart(4, '0')}`,
        `others on this machine may have read the key: chmod 600 ${path}, or replace the key`,
      );
    }
    return readFileSync(file);
  } catch (cause) {
    throw cause instanceof KeyFileError ? cause : missing(path, cause);
  } finally {
    closeSync(file);
  }
}

function missing(path: string, cause: unknown): KeyFileError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'an error';
  return new KeyFileError(
    'no_key',
    `${path}: expected a signing key, found ${code === 'ENOENT' ? 'no file' : code}`,
    code === 'EACCES'
      ? 'mend its owner, or run as the user who owns it'
      : 'check the path, or restore the key from its backup',
    { cause },
  );
}
