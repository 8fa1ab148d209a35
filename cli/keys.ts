// Signing keys of participants: one line in a file, in the format of Go's sumdb/note, for its owner only.
import { keyId } from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import {
  encodeHex,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  NOTE_ED25519,
  type SigningKey,
} from '../tlog/index.js';
import type { Context } from './context.js';
import { asInput, CliError, EXIT } from './errors.js';
import { writeDurably } from './files.js';

/** What is public of a key. */
export interface PublicKeyInfo {
  /** C2SP signed-note vkey. */
  vkey: string;
  /** Hex SHA-256 of the raw public key: what statements and envelopes name it by. */
  keyId: string;
  /** The raw public key in hex. */
  publicKey: string;
}

/** Makes a key and writes it, mode 0600, where no file is yet. */
export function createKey(context: Context, name: string, path: string): SigningKey {
  const key = asInput(`key name ${JSON.stringify(name)}`, () =>
    newSigningKey(name, NOTE_ED25519, context.random(32)),
  );
  writeDurably(path, `${formatSigningKey(key)}\n`, { mode: 0o600, exclusive: true });
  return key;
}

/** Reads a participant's signing key. Throws KeyFileError, CliError "bad_signing_key". */
export function readKey(path: string): SigningKey {
  const key = readKeyFile(path);
  if (key.type !== NOTE_ED25519) {
    throw new CliError(
      EXIT.usage,
      'bad_signing_key',
      `${path}: expected an Ed25519 key for statements (type 1), found type ${key.type}`,
      'this looks like a witness\'s key: make a participant\'s with "stele keygen"',
    );
  }
  return key;
}

export function publicInfo(key: SigningKey): PublicKeyInfo {
  return {
    vkey: formatVkey(key.vkey),
    keyId: keyId(key.vkey.publicKey),
    publicKey: encodeHex(key.vkey.publicKey),
  };
}
