// The only free text in the log: what a legal or natural person is called.

/** Most bytes of a name in UTF-8. */
export const MAX_NAME_BYTES = 200;

// Control characters C0 and C1, soft hyphen, line and paragraph separators, zero-width and
// bidirectional controls, invisible operators, interlinear annotations, tags, byte order mark: what
// changes how a name looks without being seen. Listed by number and not by Unicode property, because
// a property changes with the Unicode version and admission must not.
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/u;

/**
 * May this text stand as a name: 1 to 200 bytes of UTF-8 in Normalization Form C, nothing hidden, no
 * white space at its ends?
 */
export function isName(text: string): boolean {
  return (
    text.length > 0 &&
    new TextEncoder().encode(text).length <= MAX_NAME_BYTES &&
    text === text.normalize('NFC') &&
    text === text.trim() &&
    !HIDDEN.test(text) &&
    !/\p{Surrogate}/u.test(text)
  );
}
