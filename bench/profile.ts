// Where our server's time goes while it takes entries: what its JavaScript does, what its threads do, and
// how long it waits for the disk. Each is a run of its own; none of them is a figure of the benchmark.
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { load } from './adds.js';
import { root, threads } from './process.js';
import { figure, table } from './table.js';
import { ours } from './targets.js';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

/** Runs our server under load three times, and answers the report. */
export async function profile(folder: string, inFlight: number, seconds: number): Promise<string> {
  const parts: string[] = [];
  const own = join(folder, 'profile');
  mkdirSync(own, { recursive: true });
  const at = `${inFlight} in flight`;

  let server = await ours.start(own);
  const plain = await load(server.url, inFlight, seconds, 1);
  const cpu = [...threads(server.pid)].toSorted((a, b) => b[1] - a[1]).filter(([, spent]) => spent >= 0.05);
  await server.stop();
  const sum = cpu.reduce((total, [, spent]) => total + spent, 0);
  parts.push(
    `CPU by thread, ${at}, ${figure(plain.perSecond)} adds/s, whole life of the process:\n`,
    table(
      ['thread', 'CPU s', 'share'],
      cpu.map(([name, spent]) => [name, spent.toFixed(2), `${((100 * spent) / sum).toFixed(0)} %`]),
    ),
  );
  rmSync(join(own, 'log'), { recursive: true });

  server = await ours.start(own, ['--cpu-prof', `--cpu-prof-dir=${join(own, 'cpu')}`]);
  const profiled = await load(server.url, inFlight, seconds, 2);
  await server.stop();
  const file = readdirSync(join(own, 'cpu')).find((name) => name.endsWith('.cpuprofile')) ?? '';
  parts.push(
    `\nThe main thread's own time, ${at}, ${figure(profiled.perSecond)} adds/s under --cpu-prof:\n`,
    analyse(readFileSync(join(own, 'cpu', file), 'utf8')),
  );
  rmSync(join(own, 'log'), { recursive: true });

  const calls = join(own, 'strace');
  const strace = ['strace', '-f', '-c', '-w', '-o', calls, '-e', 'trace=fsync,fdatasync,rename'];
  server = await ours.start(own, [], strace);
  const traced = await load(server.url, inFlight, seconds, 3);
  await server.stop();
  parts.push(
    `\nWaiting for the disk, ${at}, ${figure(traced.perSecond)} adds/s under strace (wall time; calls of several threads overlap):\n`,
    readFileSync(calls, 'utf8').trimEnd(),
  );
  rmSync(own, { recursive: true });
  return parts.join('\n');
}

/** Two tables of a `.cpuprofile` of V8. */
export function analyse(text: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(text) as CpuProfile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  /** The file of ours, or the dependency, that the stack was in last: on whose behalf Node was busy. */
  const behalf = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const path = short(frames.get(at)?.url ?? '');
      const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
      if (dependency !== undefined) return dependency;
      if (path.startsWith('dist/')) return path.slice('dist/'.length);
    }
    const name = frames.get(id)?.functionName ?? '';
    if (name.startsWith('(')) return name;
    return 'Node itself: connections, timers, streams';
  };
  const [byFunction, byPart] = [new Map<string, number>(), new Map<string, number>()];
  const add = (map: Map<string, number>, name: string, time: number): void =>
    void map.set(name, (map.get(name) ?? 0) + time);
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    if (frame === undefined) return;
    const time = timeDeltas[i] ?? 0;
    add(byPart, behalf(id), time);
    const place = frame.url === '' ? '' : ` ${short(frame.url)}:${frame.lineNumber + 1}`;
    add(byFunction, `${frame.functionName === '' ? 'anonymous' : frame.functionName}${place}`, time);
  });
  const idle = byPart.get('(idle)') ?? 0;
  byPart.delete('(idle)');
  byFunction.delete('(idle)');
  const busy = [...byPart.values()].reduce((sum, time) => sum + time, 0);
  const rows = (map: Map<string, number>): string[][] =>
    [...map]
      .toSorted((one, other) => other[1] - one[1])
      .slice(0, 10)
      .map(([name, time]) => [name, (time / 1e6).toFixed(2), `${((100 * time) / busy).toFixed(1)} %`]);
  return [
    `busy ${(busy / 1e6).toFixed(1)} s, idle ${(idle / 1e6).toFixed(1)} s (waiting, or the core taken by other threads)\n`,
    table(['on behalf of', 's', 'of busy'], rows(byPart)),
    '',
    table(['function, own time', 's', 'of busy'], rows(byFunction)),
  ].join('\n');
}

function short(url: string): string {
  const path = url.replace(/^file:\/\//, '');
  return path.startsWith(root) ? path.slice(root.length) : path;
}
