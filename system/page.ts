// What the programs' own pages share: no script, nothing from elsewhere, and whatever comes from others is text.
import { createHash } from 'node:crypto';

const STYLE = `
:root { color-scheme: light dark; --line: #8885; --dim: #595959; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --dim: #b0b0b0; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
code { font: 0.85em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; } td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.o { overflow-wrap: anywhere; min-width: 14rem; } td.k { overflow-wrap: anywhere; } td.w { overflow-wrap: anywhere; min-width: 16rem; }
@media (max-width: 46rem) {
  thead { display: none; } tr { display: block; padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  td { display: block; border: 0; padding: 0.1rem 0; min-width: 0; } td:empty { display: none; }
  td[title]::before { content: attr(title) ": "; color: var(--dim); } td.o { font-weight: 600; }
}
.dim { color: var(--dim); } .bad { color: var(--bad); font-weight: 600; } ul { margin: 0; padding-left: 1.1rem; }
details { margin-top: 0.8rem; } details code { display: block; margin: 0.4rem 0; }
pre { font: 0.85em/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

/** Allows the page its own style, and nothing else. */
export const PAGE_POLICY: string = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** A whole page; `title` is text, `body` is HTML. */
export function formatPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}</body>
</html>
`;
}

/** Verifier keys: the first as it is, an ML-DSA-44 one, which fills a screen, folded away. */
export function keyList(vkeys: readonly string[]): string {
  const [first = '', ...more] = vkeys;
  const code = (vkey: string): string => `<code>${escapeHtml(vkey)}</code>`;
  const rest =
    more.length === 0 ? '' : `<details><summary>ML-DSA-44 key</summary>${more.map(code).join('')}</details>`;
  return `<p>Verifier key: ${code(first)}</p>${rest}`;
}

/** Seconds in words, to one figure that matters. */
export function duration(seconds: number): string {
  for (const [length, unit] of [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ] as const) {
    const count = Math.floor(seconds / length);
    if (count >= 2) return `${count} ${unit}s`;
  }
  return seconds === 1 ? '1 second' : `${seconds} seconds`;
}

/** Thousands apart, by a space that does not break. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** A time of ISO 8601, to the second. */
export function time(iso: string): string {
  return `<time datetime="${escapeHtml(iso)}">${escapeHtml(iso.slice(0, 19).replace('T', ' '))} UTC</time>`;
}

/** The beginning of a text that others chose. */
export function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** Text for HTML, in content and in quoted attributes; what writes from right to left stays in its place. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
