// docs/metrics.md: every figure of the two servers, from what they answer to GET /metrics.
import { measureLog } from '../../log-server/metrics.js';
import { measureWitness } from '../../witness/metrics.js';
import type { StatusReport } from '../../witness/status.js';

const HEAD = `# Figures

Made by \`npm run docs\` from what the servers say of themselves; a test fails where it is not up to date. What is worth
an alert, and what to do then, is in [operating.md](operating.md#what-to-watch). A histogram is \`NAME_bucket\`,
\`NAME_sum\` and \`NAME_count\`.

`;

const nothing = { now: () => 0, monotonic: () => 0, sleep: (): Promise<void> => Promise.resolve() };

function ofLog(): string {
  const metrics = measureLog({
    clock: nothing,
    freeBytes: () => undefined,
    witnesses: ['w'],
    readiness: () => ({
      ready: true,
      state: 'ready',
      message: '',
      awaited: [],
      setAside: [],
      committed: 0,
      published: 0,
    }),
    anchorInterval: () => undefined,
  });
  metrics.close();
  return metrics.text();
}

function ofWitness(): string {
  const status: StatusReport = {
    schema: 'stele-witness/status@v1',
    name: '',
    version: '',
    keys: [],
    time: '',
    ok: true,
    reason: null,
    logs: [],
    peers: [],
    rounds: 0,
    signing: { threads: 0, waiting: 0, signing: 0, signed: 0, replaced: 0, refused: 0 },
  };
  const metrics = measureWitness(
    () => 0,
    () => status,
  );
  metrics.close();
  return metrics.text();
}

function table(program: string, scrape: string): string {
  const types = new Map(
    [...scrape.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
  const rows = [...scrape.matchAll(/^# HELP (\S+) (.*)$/gm)].map(
    ([, name = '', help = '']) =>
      `| \`${name}\` | ${types.get(name) ?? ''} | ${help.replaceAll('|', '\\|')} |`,
  );
  return [`## ${program}`, '', '| figure | | |', '|---|---|---|', ...rows, ''].join('\n');
}

/** The whole file. */
export function metricsDoc(): string {
  return `${HEAD}${table('stele-log', ofLog())}\n${table('stele-witness', ofWitness())}`;
}
