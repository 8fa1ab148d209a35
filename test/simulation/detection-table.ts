// Detection over many cases: the table and the plot of spec/gossip.md.
import { detect, type Detection } from './detection.js';

export const WITNESSES: readonly number[] = [4, 10, 30, 100, 300, 1000];
export const PEERS: readonly number[] = [2, 4, 8];
export const LOSSES: readonly number[] = [0, 0.1, 0.3];

/** Runs of one case: fewer where one takes long. */
const runs = (witnesses: number): number => (witnesses > 300 ? 1 : witnesses > 100 ? 3 : 5);

/** One cell of the table. Rounds are means over the runs. */
export interface Cell {
  readonly witnesses: number;
  readonly peers: number;
  readonly loss: number;
  readonly first: number;
  readonly all: number;
  /** The slowest run. */
  readonly slowest: number;
  readonly messages: number;
}

/** Measures all cases, telling `progress` each as it is done. One witness of each network is deceived. */
export async function measure(
  seed: number,
  sizes: readonly number[],
  progress: (cell: Cell) => void,
): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const witnesses of sizes) {
    for (const peers of PEERS.filter((count) => count < witnesses)) {
      for (const loss of LOSSES) {
        const found: Detection[] = [];
        for (let run = 0; run < runs(witnesses); run++)
          found.push(await detect({ witnesses, peers, loss, deceived: 1 }, seed + run));
        const mean = (of: (one: Detection) => number): number =>
          found.reduce((sum, one) => sum + of(one), 0) / found.length;
        const cell = {
          witnesses,
          peers,
          loss,
          first: mean(({ first }) => first),
          all: mean(({ all }) => all),
          slowest: Math.max(...found.map(({ all }) => all)),
          messages: mean(({ messages }) => messages),
        };
        cells.push(cell);
        progress(cell);
      }
    }
  }
  return cells;
}

const round = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1));

/** Markdown: a row for each number of witnesses and peers, three figures for each loss. */
export function table(cells: readonly Cell[]): string {
  const percent = (loss: number): string => (loss === 0 ? 'nothing lost' : `${loss * 100} % lost`);
  const keys = [...new Set(cells.map(({ witnesses, peers }) => `${witnesses} ${peers}`))];
  const rows = keys.map((key) => {
    const [witnesses = '', peers = ''] = key.split(' ');
    const figures = LOSSES.map((loss) => {
      const cell = cells.find((each) => `${each.witnesses} ${each.peers}` === key && each.loss === loss);
      if (cell === undefined) return '';
      return `${round(cell.first)} / ${round(cell.all)} / ${round(cell.slowest)}`;
    });
    return `| ${witnesses} | ${peers} | ${figures.join(' | ')} |`;
  });
  return [
    `| witnesses | peers each | ${LOSSES.map(percent).join(' | ')} |`,
    `|---:|---:|${LOSSES.map(() => '---:').join('|')}|`,
    ...rows,
    '',
  ].join('\n');
}

const PANEL = { width: 250, height: 190, left: 46, top: 48, gap: 26 };

/** A plot of `all` against the number of witnesses, one panel for each loss. Legible on light and on dark. */
export function plot(cells: readonly Cell[]): string {
  const highest = Math.max(2, ...cells.map(({ all }) => Math.ceil(all)));
  const step = highest > 12 ? 4 : highest > 6 ? 2 : 1;
  const top = Math.ceil(highest / step) * step;
  const [least = 1] = WITNESSES;
  const most = WITNESSES.at(-1) ?? 1;
  const x = (panel: number, witnesses: number): number =>
    PANEL.left +
    panel * (PANEL.width + PANEL.gap) +
    (Math.log(witnesses / least) / Math.log(most / least)) * (PANEL.width - 20) +
    10;
  const y = (rounds: number): number => PANEL.top + PANEL.height * (1 - rounds / top);
  const at = (value: number): string => value.toFixed(1);
  const width = PANEL.left + LOSSES.length * (PANEL.width + PANEL.gap);
  const lines: string[] = [];
  for (const [panel, loss] of LOSSES.entries()) {
    const from = PANEL.left + panel * (PANEL.width + PANEL.gap);
    lines.push(
      `<text class="title" x="${from}" y="${PANEL.top - 12}">${loss * 100} % of messages lost</text>`,
    );
    for (let rounds = 0; rounds <= top; rounds += step) {
      lines.push(`<path class="grid" d="M${from} ${at(y(rounds))}h${PANEL.width}"/>`);
      if (panel === 0)
        lines.push(`<text class="end" x="${from - 6}" y="${at(y(rounds) + 4)}">${rounds}</text>`);
    }
    for (const witnesses of WITNESSES)
      lines.push(
        `<text class="middle" x="${at(x(panel, witnesses))}" y="${PANEL.top + PANEL.height + 18}">${witnesses}</text>`,
      );
    for (const [i, peers] of PEERS.entries()) {
      const points = cells.filter(
        (cell) => cell.peers === peers && cell.loss === loss && cell.all !== Infinity,
      );
      const path = points.map((cell) => `${at(x(panel, cell.witnesses))} ${at(y(cell.all))}`).join('L');
      lines.push(`<path class="line k${i}" d="M${path}"/>`);
      for (const cell of points)
        lines.push(
          `<circle class="dot k${i}" cx="${at(x(panel, cell.witnesses))}" cy="${at(y(cell.all))}" r="3"/>`,
        );
    }
  }
  for (const [i, peers] of PEERS.entries()) {
    const from = PANEL.left + i * 90;
    lines.push(
      `<path class="line k${i}" d="M${from} 14h22"/><text x="${from + 28}" y="18">${peers} peers</text>`,
    );
  }
  lines.push(
    `<text class="middle" x="${width / 2}" y="${PANEL.top + PANEL.height + 40}">witnesses</text>`,
    `<text class="middle" transform="translate(12 ${PANEL.top + PANEL.height / 2}) rotate(-90)">rounds until all know</text>`,
  );
  const height = PANEL.top + PANEL.height + 52;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Rounds of gossip until every witness has the evidence, against the number of witnesses">
<style>
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600 }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .grid { stroke: #ccc; fill: none }
  .line { fill: none; stroke-width: 2 }
  .line.k0 { stroke: #b3430f } .dot.k0 { fill: #b3430f }
  .line.k1 { stroke: #0b6e8f; stroke-dasharray: 6 3 } .dot.k1 { fill: #0b6e8f }
  .line.k2 { stroke: #6a3d9a; stroke-dasharray: 2 3 } .dot.k2 { fill: #6a3d9a }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd }
    .grid { stroke: #444 }
    .line.k0 { stroke: #ff9a5c } .dot.k0 { fill: #ff9a5c }
    .line.k1 { stroke: #5cc8ec } .dot.k1 { fill: #5cc8ec }
    .line.k2 { stroke: #c39bf0 } .dot.k2 { fill: #c39bf0 }
  }
</style>
${lines.join('\n')}
</svg>
`;
}
