// Counters, gauges and histograms in the text format of Prometheus.
// Source: Prometheus, "Exposition formats", text format 0.0.4.

/** Media type of `Metrics.text()`. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Values of labels. Never what strangers choose freely: each set of values is a series that is kept. */
export type Labels = Readonly<Record<string, string>>;

/** One reading of a gauge. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** Goes up. */
export interface Counter {
  add(labels?: Labels, by?: number): void;
  /** Adds one to these labels: for what is counted thousands of times a second, whose text is made once. */
  adder(labels: Labels): () => void;
}

/** Counts values by size. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** What a program measures of itself. Names are in base units: seconds, bytes. */
export class Metrics {
  readonly #families: (() => string[])[] = [];

  /** `name` ends in `_total`. */
  counter(name: string, help: string): Counter {
    const series = new Map<string, { value: number }>();
    this.#families.push(() => [
      ...head(name, help, 'counter'),
      ...[...series].map(([labels, { value }]) => `${name}${labels} ${value}`),
    ]);
    const one = (labels: Labels | undefined): { value: number } => {
      const key = labelText(labels);
      const found = series.get(key) ?? { value: 0 };
      series.set(key, found);
      return found;
    };
    return {
      add: (labels, by = 1) => {
        one(labels).value += by;
      },
      adder: (labels) => {
        const counted = one(labels);
        return () => {
          counted.value++;
        };
      },
    };
  }

  /** Read when asked for; a reading that is not known is left out. A `counter` is one kept elsewhere. */
  gauge(
    name: string,
    help: string,
    read: () => readonly Sample[] | number | undefined,
    type: 'gauge' | 'counter' = 'gauge',
  ): void {
    this.#families.push(() => {
      const found = read();
      const samples = typeof found === 'number' ? [{ value: found }] : (found ?? []);
      return [
        ...head(name, help, type),
        ...samples.map(({ labels, value }: Sample) => `${name}${labelText(labels)} ${value}`),
      ];
    });
  }

  /** `bounds` ascend; values above the last count in +Inf. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    interface Series {
      readonly counts: number[];
      sum: number;
      count: number;
      readonly labels: Labels;
    }
    const all = new Map<string, Series>();
    this.#families.push(() => [
      ...head(name, help, 'histogram'),
      ...[...all.values()].flatMap(({ labels, counts, sum, count }) => [
        ...bounds.map(
          (bound, i) => `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${counts[i] ?? 0}`,
        ),
        `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${count}`,
        `${name}_sum${labelText(labels)} ${sum}`,
        `${name}_count${labelText(labels)} ${count}`,
      ]),
    ]);
    return {
      observe: (value, labels) => {
        const key = labelText(labels);
        let series = all.get(key);
        if (series === undefined)
          all.set(key, (series = { counts: bounds.map(() => 0), sum: 0, count: 0, labels: labels ?? {} }));
        const { counts } = series;
        // Buckets are cumulative.
        for (let i = bounds.length - 1; i >= 0 && value <= (bounds[i] ?? 0); i--) {
          counts[i] = (counts[i] ?? 0) + 1;
        }
        series.sum += value;
        series.count++;
      },
    };
  }

  /** Everything, as a scrape reads it. */
  text(): string {
    return `${this.#families.flatMap((family) => family()).join('\n')}\n`;
  }
}

function head(name: string, help: string, type: string): string[] {
  return [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${type}`,
  ];
}

function labelText(labels: Labels | undefined): string {
  if (labels === undefined) return '';
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
