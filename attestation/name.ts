// The only free text in the log: what a legal or natural person is called.

/** Most bytes of a name in UTF-8. */
export const MAX_NAME_BYTES = 200;

// What changes how a name looks without being seen, and what a terminal obeys. Listed by number and not
// by Unicode property, because a property changes with the Unicode version and admission must not.
const HIDDEN: readonly (readonly [number, number])[] = [
  [0x00, 0x1f], // C0 controls
  [0x7f, 0x9f], // delete, C1 controls
  [0xad, 0xad], // soft hyphen
  [0x34f, 0x34f], // combining grapheme joiner
  [0x61c, 0x61c], // Arabic letter mark
  [0x115f, 0x1160], // Hangul fillers
  [0x17b4, 0x17b5], // Khmer inherent vowels
  [0x180b, 0x180f], // Mongolian variation selectors
  [0x200b, 0x200f], // zero-width characters, left-to-right and right-to-left marks
  [0x2028, 0x202e], // separators, bidirectional embeddings and overrides
  [0x2060, 0x206f], // invisible operators, bidirectional isolates
  [0x3164, 0x3164], // Hangul filler
  [0xfe00, 0xfe0f], // variation selectors
  [0xfeff, 0xfeff], // byte order mark
  [0xffa0, 0xffa0], // halfwidth Hangul filler
  [0xfff0, 0xfffb], // interlinear annotation
  [0x1d173, 0x1d17a], // musical controls
  [0xe0000, 0xe0fff], // tags, variation selectors
];

function isHidden(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return HIDDEN.some(([first, last]) => code >= first && code <= last);
}

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
    !Array.from(text).some(isHidden) &&
    !/\p{Surrogate}/u.test(text)
  );
}
