/**
 * The base of every error this package throws on purpose. Programs branch on `code`, which never
 * changes once released; people read `message` (what was expected, what was found) and `hint` (what
 * to do about it), both of which may be reworded.
 */
export class SteleError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint = '', options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }
}

/** Something in a tree, a proof, a tile, a note, a key or a policy is not as its specification says. */
export class TlogError extends SteleError {}

/**
 * Text from elsewhere, made fit to stand in an error message: in quotes, printable ASCII only, cut
 * after 64 characters.
 */
export function quote(found: string): string {
  const shown = found.slice(0, 64).replace(/[^\x20-\x7e]|["\\]/g, (c) => {
    if (c === '"' || c === '\\') return `\\${c}`;
    if (c === '\n') return '\\n';
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${shown}"${found.length > 64 ? `… (${found.length} characters)` : ''}`;
}
