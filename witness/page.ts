// The witness's own page, for people: GET /. No script, nothing from elsewhere; whatever comes from a log or
// a peer is text.
import { duration, escapeHtml, formatPage, grouped, keyList, shorten, time } from '../system/index.js';
import type { LogReport, PeerReport, StatusReport } from './status.js';

/** Logs in the table; those with something to look at come first. `/status.json` has all. */
const MAX_ROWS = 500;

/** The page. */
export function witnessPage(status: StatusReport): string {
  const name = escapeHtml(status.name);
  const body = `<h1>Witness ${name}</h1>
<p>It checks that the logs below only ever grow, and cosigns their checkpoints (C2SP tlog-witness). A
cosignature says that this witness has seen one history of that log. It says nothing about what the log holds.</p>
<p>${status.ok ? 'It signs.' : `<span class="bad">It signs nothing:</span> ${escapeHtml(status.reason ?? '')}.`}
<span class="dim">At ${time(status.time)}, by its own clock.</span></p>
${keyList(status.keys)}
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
`;
  return formatPage(`Witness ${status.name}`, body);
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
