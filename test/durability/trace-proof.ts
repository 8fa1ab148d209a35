import { readFile } from 'node:fs/promises';
import { type Judgement, judgeLog, judgeWitness } from './judge.js';
import { Place, type Running, portOf, run, runToEnd, stop } from './processes.js';
import { type Call, parseTrace } from './strace.js';

/** What a traced run is made of. */
export interface TraceOptions {
  /** The build to run; this one unless something was taken out of it. */
  readonly dist?: string;
  /** Which witnesses are traced as well, out of how many. */
  readonly witnesses: number;
  readonly traceWitnesses: boolean;
  /** Entries one by one, then this many at once, for so many rounds. */
  readonly single: number;
  readonly burst: number;
  readonly bursts: number;
  /** Stop and start the log once in the middle. */
  readonly restart: boolean;
}

export interface TraceResult {
  readonly entries: number;
  readonly log: Judgement;
  readonly witnesses: readonly Judgement[];
}

const ORIGIN = 'log.example/durability';

/**
 * Real programs from `init` on, traced: `stele-witness` and `stele-log` make their folders and serve,
 * entries are added over HTTP, and the judge reads what the kernel was asked in which order.
 */
export async function traceRun(options: TraceOptions): Promise<TraceResult> {
  const place = await Place.make();
  const servers: Running[] = [];
  const dist = options.dist === undefined ? {} : { dist: options.dist };
  const traces: string[] = [];
  const traced = (name: string): { trace: string } => {
    traces.push(place.path(`${name}-${traces.length}.trace`));
    return { trace: traces.at(-1) ?? '' };
  };
  const callsOf = async (name: string): Promise<Call[]> =>
    joined(traces.filter((t) => t.includes(`/${name}-`)));
  try {
    const witnesses: { folder: string; vkey: string; url: string; running: Running }[] = [];
    for (let i = 0; i < options.witnesses; i++) {
      const name = `w${i}`;
      const folder = place.path(name);
      const watch = (): object => (options.traceWitnesses ? traced(name) : {});
      const args = ['--folder', folder, '--name', `witness.example/${name}`];
      const vkey = await runToEnd('witness/main', ['init', ...args], { ...dist, ...watch() });
      const serve = ['serve', '--folder', folder, '--listen', '127.0.0.1:0'];
      const running = run('witness/main', serve, { ...dist, ...watch() });
      servers.push(running);
      witnesses.push({ folder, vkey, url: `${await running.firstLine}/`, running });
    }
    const policy = await place.writePolicy(witnesses, Math.floor(options.witnesses / 2) + 1);
    const folder = place.path('log');
    const common = ['--folder', folder, '--admission', 'none'];
    const init = ['init', ...common, '--origin', ORIGIN, '--policy', policy];
    const vkey = await runToEnd('log-server/main', init, { ...dist, ...traced('log') });
    for (const [i, witness] of witnesses.entries()) {
      const watch = options.traceWitnesses ? traced(`w${i}`) : {};
      await runToEnd('witness/main', ['add-log', '--folder', witness.folder, vkey], { ...dist, ...watch });
      witness.running.process.kill('SIGHUP');
      await witness.running.saying(/"reloaded"/);
    }

    const markers = new Map<number, string>();
    const logPorts = new Set<number>();
    const start = async (): Promise<{ running: Running; url: string }> => {
      const serve = ['serve', ...common, '--listen', '127.0.0.1:0', '--publish-interval', '0'];
      const running = run('log-server/main', serve, { ...dist, ...traced('log') });
      servers.push(running);
      const url = await running.firstLine;
      logPorts.add(portOf(url));
      await running.saying(/"gate open"/);
      return { running, url };
    };
    let sent = 0;
    const add = async (url: string): Promise<void> => {
      const marker = `[entry ${sent++} of ${place.folder}]`;
      // Twice: level cuts a record in two where a block of its log ends.
      const body = `${marker} and once more, for a record that is cut in two: ${marker}`;
      const answer = await fetch(`${url}/add`, {
        method: 'POST',
        body,
        headers: { accept: 'text/x.tlog.proof' },
      });
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`add: ${answer.status} ${text}`);
      markers.set(Number(/^index (\d+)$/m.exec(text)?.[1]), marker);
    };

    let log = await start();
    for (let i = 0; i < options.single; i++) await add(log.url);
    for (let round = 0; round < options.bursts; round++) {
      if (options.restart && round === Math.floor(options.bursts / 2)) {
        await stop(log.running);
        log = await start();
      }
      await Promise.all(Array.from({ length: options.burst }, () => add(log.url)));
    }
    await stop(log.running);
    for (const { running } of witnesses) await stop(running);

    const judgements: Judgement[] = [];
    if (options.traceWitnesses) {
      for (const [i, witness] of witnesses.entries()) {
        const port = portOf(witness.url);
        judgements.push(judgeWitness(await callsOf(`w${i}`), { folder: witness.folder, port }));
      }
    }
    const witnessPorts = new Set(witnesses.map(({ url }) => portOf(url)));
    const calls = await callsOf('log');
    const found = judgeLog(calls, { folder, origin: ORIGIN, witnessPorts, logPorts, markers });
    return { entries: markers.size, log: found, witnesses: judgements };
  } finally {
    for (const { process } of servers) if (process.exitCode === null) process.kill('SIGKILL');
    await Promise.all(servers.map(({ ended }) => ended.catch(() => undefined)));
    await place.remove();
  }
}

/** Several traces of one folder, one after the other. */
async function joined(traces: readonly string[]): Promise<Call[]> {
  const calls: Call[] = [];
  let offset = 0;
  for (const trace of traces) {
    const text = await readFile(trace, 'utf8');
    for (const call of parseTrace(text)) {
      calls.push({ ...call, start: call.start + offset, end: call.end + offset });
    }
    offset += text.split('\n').length;
  }
  return calls;
}
