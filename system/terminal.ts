// Text that came from elsewhere, made harmless for a terminal: an entry or an error message may hold
// escape sequences that recolour, overwrite or reorder what stands beside them.

/**
 * Escapes what could act on a terminal instead of standing in it: C0 and C1 controls but the line feed,
 * bidirectional and zero-width characters, line and paragraph separators, lone surrogates.
 */
export function escapeForTerminal(text: string): string {
  return text.replace(/[^\n\P{Cc}]|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}/gu, escapeCharacter);
}

/** The same of text that is to stay on its line: a line feed, as in a file's name, begins none that looks like ours. */
export function escapeLine(text: string): string {
  return escapeForTerminal(text).replaceAll('\n', '\\u{a}');
}

/** JSON that is the same value to a parser and harmless on a terminal; indented unless told otherwise. */
export function printableJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(
    /[^\n\P{Cc}]|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}/gu,
    (character) =>
      Array.from({ length: character.length }, (_, i) => unicodeEscape(character.charCodeAt(i))).join(''),
  );
}

/**
 * Breaks a line at spaces so that no part is longer than `width` where that is possible, and begins all but
 * the first with `indent` spaces. Below 20 columns it stays as it is: the terminal breaks it as well.
 */
export function wrapText(text: string, width: number, indent: number): string {
  if (width < 20) return text;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`);
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/** A check for people: one line, or at a terminal of so many columns as many as it takes. Text from elsewhere is escaped. */
export function formatCheck(
  { name, status, detail }: { readonly name: string; readonly status: string; readonly detail: string },
  columns: number | undefined,
): string {
  const start = `  ${status.padEnd(13)}  ${name.padEnd(13)}  `;
  const text = escapeForTerminal(detail.replaceAll('\n', ' '));
  // Piped, a check stays on its line.
  return `${start}${columns === undefined ? text : wrapText(text, columns - start.length, start.length)}`;
}
