/**
 * `npm run soak -- NAME [--minutes N] [--seed S] [--witnesses N] [--entries N] [--record]`: runs one of the long proofs, which
 * says which of the options it takes. `--record`
 * writes seed, commit and figures into bench/soak.md, replacing what that proof, asked for as many entries, had there.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { soaks } from './list.js';
import { choose, readWords } from './options.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
try {
  const { name, values, record: recording } = readWords(process.argv.slice(2));
  const load = Object.hasOwn(soaks, name) ? soaks[name] : undefined;
  if (load === undefined)
    throw new Error(`no long proof is called "${name}"; expected one of ${Object.keys(soaks).join(', ')}`);
  const soak = await load();
  const { options, again, extra } = choose(name, soak, values, Math.floor(Math.random() * 2 ** 31));
  console.log(`${name}: ${soak.desc};${again}`);
  try {
    const { figures } = await soak.run(options);
    for (const figure of figures) console.log(`  ${figure}`);
    if (recording) record(`${name}${again}`, `${name}${extra}`, figures);
    console.log('1 passed, 0 failed');
  } catch (error) {
    console.error(error);
    console.error(`again: npm run soak -- ${name}${again}`);
    console.log('0 passed, 1 failed');
    process.exitCode = 1;
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
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
