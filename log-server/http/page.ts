// The log's own page, for people: GET / in a browser.
import { duration, escapeHtml, formatPage, grouped, keyList, packageVersion } from '../../system/index.js';
import { SteleError, decodeUtf8, evaluatePolicy, formatVkey } from '../../tlog/index.js';
import type { PolicyCosignature } from '../../tlog/index.js';
import type { LogView } from './view.js';

/** Makes the page. The cosignatures of a note are verified once. */
export function pageOf(log: LogView): () => string {
  let last: { note: Uint8Array; found: readonly PolicyCosignature[] } | undefined;
  const cosignatures = (): readonly PolicyCosignature[] => {
    const note = log.published()?.note;
    if (note === undefined) return [];
    if (last?.note !== note) last = { note, found: verified(log, note) };
    return last.found;
  };
  return () => page(log, cosignatures());
}

function verified({ policy }: LogView, note: Uint8Array): readonly PolicyCosignature[] {
  try {
    return evaluatePolicy(policy, note).cosignatures;
  } catch (error) {
    // Until the first publication under a policy that has changed, the note is one of the policy before it.
    if (error instanceof SteleError) return [];
    throw error;
  }
}

function page(log: LogView, cosignatures: readonly PolicyCosignature[]): string {
  const { origin } = log.storage;
  const { ready, message } = log.readiness();
  const what =
    log.admission === 'none'
      ? 'It holds any bytes, for tests and benchmarks.'
      : 'It holds what laboratories have signed about their training runs. That somebody signed a statement, and when, can be proven from here; that the statement is true cannot.';
  const body = `<h1>Log ${escapeHtml(origin)}</h1>
<p>An append-only transparency log (C2SP tlog-tiles). ${what}</p>
<p>${ready ? 'It takes entries.' : `<span class="bad">It takes no entries:</span> ${escapeHtml(message)}.`}
${published(log, cosignatures)}</p>
${keyList(log.vkeys.map(formatVkey))}
<p>Nothing on this page proves anything. Check what you read here with <code>stele</code>, or any other reader
of these formats, under a policy that you have from somebody you trust.</p>
<h2>Witnesses</h2>
${witnesses(log, cosignatures)}
<h2>To read</h2>
<ul>
<li><a href="checkpoint">checkpoint</a>: the newest tree head with its cosignatures; in JSON, <a href="api/v1/checkpoint">api/v1/checkpoint</a></li>
${log.search === undefined ? '' : SEARCHES}<li><code>api/v1/entries/&lt;index&gt;</code>: an entry with its proof, such as <a href="api/v1/entries/0">the first</a></li>
<li><code>tile/…</code>: hashes and entries, as C2SP tlog-tiles has them</li>
<li><a href="api/v1/openapi.json">api/v1/openapi.json</a>: all that there is to ask, for programs</li>
<li><a href="readyz">readyz</a>, <a href="healthz">healthz</a>, <a href="metrics">metrics</a>: for operators</li>
</ul>
<p>Entries come in by <code>POST add</code>${log.search === undefined ? '' : ', which <code>stele submit</code> does'}.</p>
<p class="dim">stele-log ${escapeHtml(packageVersion())}</p>
`;
  return formatPage(`Log ${origin}`, body);
}

const SEARCHES = `<li><a href="api/v1/search?order=newest">api/v1/search</a>: entries by participant, run, type, digest or time</li>
<li><code>api/v1/events</code>: entries as they are published</li>
`;

/** What was published, and how old it is: by the witnesses' clocks, where there are witnesses. */
function published(log: LogView, cosignatures: readonly PolicyCosignature[]): string {
  const head = log.published();
  if (head === undefined) return 'Nothing is published yet.';
  const size = `Published: ${grouped(head.size)} ${head.size === 1 ? 'entry' : 'entries'}`;
  const newest = Math.max(0, ...cosignatures.map(({ timestamp }) => timestamp));
  return newest === 0 ? `${size}.` : `${size}, last cosigned ${ago(log, newest)}.`;
}

function witnesses(log: LogView, cosignatures: readonly PolicyCosignature[]): string {
  const { policy } = log;
  if (policy.quorum === undefined)
    return '<p>None: its policy asks for no cosignature, so nobody but the log itself vouches for its history.</p>';
  const setAside = new Map(
    log.readiness().setAside.map((text) => {
      const colon = text.indexOf(': ');
      return [text.slice(0, colon), text.slice(colon + 2)] as const;
    }),
  );
  const rows = policy.witnesses.map(({ name, vkey }) => {
    const times = cosignatures
      .filter(({ witness }) => witness.name === name)
      .map(({ timestamp }) => timestamp);
    const cosigned = times.length === 0 ? '<span class="dim">not yet</span>' : ago(log, Math.max(...times));
    const why = setAside.get(name);
    const trouble = why === undefined ? '' : `<span class="bad">asked no more:</span> ${escapeHtml(why)}`;
    return `<tr><td class="o">${escapeHtml(name)}</td><td class="k" title="Key">${escapeHtml(vkey.name)}</td><td class="n" title="Cosigned">${cosigned}</td><td class="w" title="To look at">${trouble}</td></tr>`;
  });
  return `<p>A checkpoint is published when the quorum of the log's own policy has cosigned it. Here is who has cosigned the newest.</p>
<div class="wide"><table>
<thead><tr><th>Witness</th><th>Key</th><th>Cosigned</th><th></th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
<details><summary>The policy</summary><pre>${escapeHtml(decodeUtf8(policy.text))}</pre></details>`;
}

function ago(log: LogView, timestamp: number): string {
  return `${duration(Math.max(0, Math.floor(log.clock.now() / 1000) - timestamp))} ago`;
}
