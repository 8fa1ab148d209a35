/**
 * `npm run soak -- NAME [--minutes N] [--seed S] [--witnesses N] [--entries N] [--record]`: runs one of the long proofs. `--record`
 * writes seed, commit and figures into bench/soak.md, replacing what that proof, asked for as many entries, had there.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { soaks } from './list.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    witnesses: { type: 'string' },
    entries: { type: 'string' },
    record: { type: 'boolean' },
  },
});
const name = positionals[0] ?? '';
const load = soaks[name];

if (load === undefined) {
  console.error(`no long proof is called "${name}"; expected one of ${Object.keys(soaks).join(', ')}`);
  process.exitCode = 2;
} else {
  const soak = await load();
  const timed = soak.minutes !== undefined;
  const minutes = Number(values.minutes ?? soak.minutes ?? 1);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const witnesses = values.witnesses === undefined ? undefined : Number(values.witnesses);
  const entries = values.entries === undefined ? undefined : Number(values.entries);
  const counts = (witnesses ?? 2) >= 2 && (entries ?? 10_000) >= 10_000;
  if (!(minutes > 0) || !Number.isSafeInteger(seed) || !counts) {
    console.error(
      'expected --minutes as a positive number, --seed and --witnesses as whole ones, --entries as 10000 or more',
    );
    process.exitCode = 2;
  } else {
    const choices = `${timed ? ` --minutes ${minutes}` : ''} --seed ${seed}`;
    const extra = `${witnesses === undefined ? '' : ` --witnesses ${witnesses}`}${entries === undefined ? '' : ` --entries ${entries}`}`;
    console.log(`${name}: ${soak.desc};${timed ? ` at most ${minutes} minutes,` : ''} seed ${seed}`);
    try {
      const { figures } = await soak.run({
        minutes,
        seed,
        ...(witnesses !== undefined && { witnesses }),
        ...(entries !== undefined && { entries }),
      });
      for (const figure of figures) console.log(`  ${figure}`);
      if (values.record === true) record(`${name}${choices}${extra}`, `${name}${extra}`, figures);
      console.log('1 passed, 0 failed');
    } catch (error) {
      console.error(error);
      console.error(`again: npm run soak -- ${name}${choices}${extra}`);
      console.log('0 passed, 1 failed');
      process.exitCode = 1;
    }
  }
}

function record(command: string, title: string, figures: readonly string[]): void {
  const file = `${root}bench/soak.md`;
  const head = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const date = new Date().toISOString().slice(0, 10);
  const section = [
    `## ${title}`,
    '',
    `\`npm run soak -- ${command}\`, at ${head}, ${date}`,
    '',
    ...figures.map((figure) => `- ${figure}`),
  ].join('\n');
  const parts = readFileSync(file, 'utf8').split(/(?=^## )/m);
  const at = parts.findIndex((part) => part.startsWith(`## ${title}\n`));
  if (at < 0) parts.push(section);
  else parts[at] = section;
  writeFileSync(file, `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`);
}
