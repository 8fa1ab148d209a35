/** The middle of the values; of an even number of them, the mean of the two in the middle. Throws RangeError on none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('the median of no values');
  return (lower + upper) / 2;
}

/** A number as people read it: three significant digits, thousands set apart. */
export function figure(value: number): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const rounded =
    digits === 0 ? Math.round(value / roundTo(value)) * roundTo(value) : Number(value.toFixed(digits));
  return rounded.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 3) });
}

function roundTo(value: number): number {
  return value < 1000 ? 1 : 10 ** (Math.floor(Math.log10(value)) - 2);
}

/** `median (least–most)` of several rounds; the median alone of one. */
export function spread(values: readonly number[]): string {
  const middle = figure(median(values));
  if (values.length === 1) return middle;
  return `${middle} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

/** A Markdown table, columns aligned, all but the first to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${widths
      .map((width, i) => (i === 0 ? (cells[i] ?? '').padEnd(width) : (cells[i] ?? '').padStart(width)))
      .join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
