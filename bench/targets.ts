// The servers that are measured, each over a fresh, empty log.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  NOTE_ED25519,
  encodeUtf8,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  sha256,
} from '../tlog/index.js';
import { freePort, peer, root, startServer } from './process.js';
import type { Running } from './process.js';

/** One way of serving a log. */
export interface Target {
  readonly name: string;
  /** What a 200 to `POST /add` promises, and what is deduplicated. */
  readonly acknowledges: string;
  readonly deduplicates: string;
  /** Starts it over a new log in an empty folder; `node` are flags for Node where it is ours. */
  start(folder: string, node?: readonly string[], under?: readonly string[]): Promise<Running>;
}

const key = newSigningKey('bench.example/log', NOTE_ED25519, sha256(encodeUtf8('a key for benchmarks')));

/** The key of the logs that the peers write. */
export function keyOf(): { signing: string; vkey: string } {
  return { signing: formatSigningKey(key), vkey: formatVkey(key.vkey) };
}

function keyFile(folder: string): string {
  const file = join(folder, 'log.key');
  writeFileSync(file, `${keyOf().signing}\n`, { mode: 0o600 });
  return file;
}

/** Our log server's program. */
export const ourLog: string = `${root}dist/log-server/main.js`;

/** Our server. */
export const ours: Target = {
  name: 'stele-log --admission none',
  acknowledges: 'published: committed, signed and served, all fsynced',
  deduplicates: 'nothing',
  start: (folder, node = [], under = []) => serveOurs(folder, [...under, process.execPath, ...node, ourLog]),
};

/** The same with partial files for a static web server. */
export const oursWithPartials: Target = {
  ...ours,
  name: 'stele-log --admission none --publish-partials',
  start: (folder) => serveOurs(folder, [process.execPath, ourLog], ['--publish-partials']),
};

/** Our server's parts in a main of the benchmark. The program has no such mode, and is to have none. */
export const oursSequenced: Target = {
  name: 'our parts, answering when sequenced (no mode of stele-log)',
  acknowledges: 'sequenced: committed and readable, fsynced; published some milliseconds later',
  deduplicates: 'nothing',
  start: (folder) => serveOurs(folder, [process.execPath, `${root}dist/bench/sequenced-log.js`]),
};

async function serveOurs(
  folder: string,
  program: readonly string[],
  flags: readonly string[] = [],
): Promise<Running> {
  initLog(folder);
  const port = await freePort();
  const serve = ['serve', '-f', join(folder, 'log'), '--admission', 'none', '-l', `127.0.0.1:${port}`];
  return startServer([...program, ...serve, ...flags], port);
}

/** A new log of ours in `folder`/log. Answers its verifier key. */
export function initLog(folder: string): string {
  const policy = join(folder, 'policy');
  writeFileSync(policy, 'quorum none\n');
  const made = ['init', '-f', join(folder, 'log'), '--origin', 'bench.example/log', '--policy', policy];
  const { status, stdout, stderr } = spawnSync(process.execPath, [ourLog, ...made, '--admission', 'none'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`stele-log init: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Tessera's POSIX driver behind its own conformance server, and behind a main of ours. */
export function peers(): Target[] {
  const targets: Target[] = [];
  const conformance = peer('tessera-posix');
  if (conformance !== undefined) {
    targets.push({
      name: "Tessera's conformance server",
      acknowledges: 'sequenced, fsynced; published up to a second later',
      deduplicates: 'the last 262,144 entries, in memory',
      async start(folder) {
        const port = await freePort();
        const where = ['--listen', `127.0.0.1:${port}`, '--storage_dir', join(folder, 'log')];
        return startServer([conformance, ...where, '--private_key', keyFile(folder)], port);
      },
    });
  }
  const main = peer('tesserawrite');
  if (main !== undefined) {
    targets.push({
      name: "Tessera's driver, answering when published",
      acknowledges: 'published, fsynced',
      deduplicates: 'nothing',
      async start(folder) {
        const port = await freePort();
        const where = ['-listen', `127.0.0.1:${port}`, '-dir', join(folder, 'log'), '-key', keyFile(folder)];
        // Its shortest times between batches and between checkpoints, so that nothing waits for a clock.
        const fast = ['-await', '-batch', '4096', '-batch-age', '10ms', '-interval', '100ms'];
        return startServer([main, ...where, ...fast], port);
      },
    });
  }
  return targets;
}
