// The witness's own page, for people: GET /. No script, nothing from elsewhere; whatever comes from a log or
// a peer is text.
import { createHash } from 'node:crypto';
import type { LogReport, PeerReport, StatusReport } from './status.js';

/** Logs in the table; those with something to look at come first. `/status.json` has all. */
const MAX_ROWS = 500;

const STYLE = `
:root { color-scheme: light dark; --line: #8885; --dim: #595959; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --dim: #b0b0b0; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
code { font: 0.85em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; } td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.o { overflow-wrap: anywhere; min-width: 11rem; } td.w { overflow-wrap: anywhere; min-width: 16rem; }
@media (max-width: 46rem) {
  thead { display: none; } tr { display: block; padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  td { display: block; border: 0; padding: 0.1rem 0; min-width: 0; } td:empty { display: none; }
  td[title]::before { content: attr(title) ": "; color: var(--dim); } td.o { font-weight: 600; }
}
.dim { color: var(--dim); } .bad { color: var(--bad); font-weight: 600; } ul { margin: 0; padding-left: 1.1rem; }
details code { display: block; margin: 0.4rem 0; }
`;

/** Allows the page its own style, and nothing else. */
export const PAGE_POLICY: string = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The page. */
export function formatPage(status: StatusReport): string {
  const name = escapeHtml(status.name);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Witness ${name}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Witness ${name}</h1>
<p>It checks that the logs below only ever grow, and cosigns their checkpoints (C2SP tlog-witness). A
cosignature says that this witness has seen one history of that log. It says nothing about what the log holds.</p>
<p>${status.ok ? 'It signs.' : `<span class="bad">It signs nothing:</span> ${escapeHtml(status.reason ?? '')}.`}
<span class="dim">At ${time(status.time)}, by its own clock.</span></p>
${keys(status.keys)}
<h2>Logs</h2>
${logs(status.logs)}
<h2>Other witnesses that it compares notes with</h2>
${peers(status.peers)}
<h2>For programs</h2>
<ul>
<li><a href="status.json">status.json</a>: this page, and all logs</li>
<li><a href="metrics">metrics</a>: for Prometheus</li>
<li><a href="gossip/evidence">gossip/evidence</a>: hashes of the evidence that it keeps</li>
<li><code>&lt;origin hash&gt;/checkpoint</code>: what it last cosigned, for monitors</li>
<li><code>add-checkpoint</code>, <code>sign-subtree</code>: for logs</li>
</ul>
<p class="dim">stele-witness ${escapeHtml(status.version)}</p>
</body>
</html>
`;
}

function keys(vkeys: readonly string[]): string {
  const [first = '', ...more] = vkeys;
  const code = (vkey: string): string => `<code>${escapeHtml(vkey)}</code>`;
  const rest =
    more.length === 0 ? '' : `<details><summary>ML-DSA-44 key</summary>${more.map(code).join('')}</details>`;
  return `<p>Verifier key: ${code(first)}</p>${rest}`;
}

function logs(all: readonly LogReport[]): string {
  if (all.length === 0) return '<p>None is configured.</p>';
  const weight = (log: LogReport): number => 2 * log.evidence.length + log.alarms.length + Math.sign(log.lag);
  const shown = [...all].sort((a, b) => weight(b) - weight(a)).slice(0, MAX_ROWS);
  const left =
    shown.length === all.length
      ? ''
      : `<p class="dim">${shown.length} of ${all.length}: those with alarms or evidence first, the others by name.</p>`;
  return `<div class="wide"><table>
<thead><tr><th>Log</th><th>Size</th><th>Cosigned</th><th>Behind others</th><th>To look at</th></tr></thead>
<tbody>
${shown.map(logRow).join('\n')}
</tbody>
</table></div>
${left}`;
}

function logRow(log: LogReport): string {
  const cosigned =
    log.cosigned === null || log.age === null
      ? '<span class="dim">never</span>'
      : `<a href="${log.hash}/checkpoint">${duration(log.age)} ago</a>`;
  const items = [
    ...log.evidence.map(
      ({ sha256, kind, role }) =>
        `<li><span class="bad">Evidence</span> against a ${role === 'log' ? 'key of this log' : 'witness'}: <a href="gossip/evidence/${escapeHtml(sha256)}">${escapeHtml(kind)}</a></li>`,
    ),
    ...log.alarms.map(
      ({ kind, age, detail }) =>
        `<li>${escapeHtml(kind)}, for ${duration(age)}: <span class="dim">${escapeHtml(shorten(detail))}</span></li>`,
    ),
    ...(log.dropped === 0
      ? []
      : [`<li><span class="dim">and ${grouped(log.dropped)} more, for which there was no room</span></li>`]),
  ];
  return `<tr><td class="o">${escapeHtml(log.origin)}</td><td class="n" title="Size">${grouped(log.size)}</td><td class="n" title="Cosigned">${cosigned}</td><td class="n" title="Behind others">${log.lag === 0 ? '' : `${grouped(log.lag)} entries`}</td><td class="w" title="To look at">${items.length === 0 ? '<span class="dim">nothing known</span>' : `<ul>${items.join('')}</ul>`}</td></tr>`;
}

function peers(all: readonly PeerReport[]): string {
  if (all.length === 0) return '<p>None is configured: only this witness’s own view is here.</p>';
  const row = (peer: PeerReport): string => {
    const seen =
      peer.url === null
        ? '<span class="dim">read from the logs’ checkpoints</span>'
        : peer.age === null
          ? '<span class="dim">has not answered yet</span>'
          : `${duration(peer.age)} ago`;
    const failing =
      peer.failing === null
        ? ''
        : `<span class="bad">failed ${peer.failures} ${peer.failures === 1 ? 'time' : 'times'}:</span> <span class="dim">${escapeHtml(shorten(peer.failing))}</span>`;
    return `<tr><td class="o">${escapeHtml(peer.name)}</td><td class="n" title="Last answer">${seen}</td><td class="w">${failing}</td></tr>`;
  };
  return `<div class="wide"><table>
<thead><tr><th>Witness</th><th>Last answer</th><th></th></tr></thead>
<tbody>
${all.map(row).join('\n')}
</tbody>
</table></div>`;
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
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

function time(iso: string): string {
  return `<time datetime="${escapeHtml(iso)}">${escapeHtml(iso.slice(0, 19).replace('T', ' '))} UTC</time>`;
}

function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** Text for HTML, in content and in quoted attributes; what writes from right to left stays in its place. */
function escapeHtml(text: string): string {
  return text
    .replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
