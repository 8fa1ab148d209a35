// What the demo prints: numbered steps, the commands as they were run, and what came of them.

const colours = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
const paint = (code: string, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

/** Columns that a command may take. */
const WIDTH = 96;

let step = 0;

/** Begins a step. */
export function heading(text: string): void {
  step += 1;
  process.stdout.write(`\n${paint('1', `${step}. ${text}`)}\n`);
}

/** A line of explanation. */
export function say(text: string): void {
  process.stdout.write(text.replace(/^/gm, '   ') + '\n');
}

/** A command as a user would type it, broken before a flag where it is long. */
export function command(words: string): void {
  const lines: string[] = [];
  let line = '$';
  for (const part of words.split(/ (?=--)/)) {
    if (line.length + part.length > WIDTH) {
      lines.push(`${line} \\`);
      line = '   ';
    }
    line += ` ${part}`;
  }
  for (const each of [...lines, line]) process.stdout.write(`   ${paint('36', each)}\n`);
}

/** Output of a command, indented below it. */
export function output(text: string): void {
  if (text.trim() !== '') process.stdout.write(`${text.trimEnd().replace(/^/gm, '     ')}\n`);
}

/** 18,520,473,600 */
export function number(value: number | string): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}
