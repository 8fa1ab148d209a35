// Canonical JSON the slow way: RFC 8785 §3.2, one clause after the other. Imports nothing that it judges.

/** RFC 8785 text of a value of null, booleans, integers, strings, arrays and plain objects. */
export function referenceCanonical(value: unknown): string {
  if (value === null) return 'null';
  if (value === true) return 'true';
  if (value === false) return 'false';
  if (typeof value === 'number') return BigInt(value).toString();
  if (typeof value === 'string') return referenceString(value);
  if (Array.isArray(value)) return `[${value.map(referenceCanonical).join(',')}]`;
  const members = Object.entries(value as Record<string, unknown>).filter(([, child]) => child !== undefined);
  // §3.2.3: "sorted by the raw UTF-16 code units".
  members.sort(([a], [b]) => compareUnits(a, b));
  return `{${members.map(([key, child]) => `${referenceString(key)}:${referenceCanonical(child)}`).join(',')}}`;
}

function compareUnits(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++)
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return a.charCodeAt(i) - b.charCodeAt(i);
  return a.length - b.length;
}

// §3.2.2.2.
function referenceString(text: string): string {
  const short: Record<number, string> = {
    8: '\\b',
    9: '\\t',
    10: '\\n',
    12: '\\f',
    13: '\\r',
    34: '\\"',
    92: '\\\\',
  };
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (short[unit] !== undefined) out += short[unit];
    else if (unit < 0x20) out += `\\u00${unit.toString(16).padStart(2, '0')}`;
    else out += text.charAt(i);
  }
  return `${out}"`;
}
