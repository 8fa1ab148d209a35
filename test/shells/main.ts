// What bash, zsh and fish themselves make of the programs' completion scripts: every command of the option tables is
// typed without its last letter, and so is one option of each, and Tab is pressed. `.ci/run shells`; npm test cannot
// count on the shells.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { completionScript, wordsOf } from '../../system/index.js';
import { COMMANDS, PROGRAMS } from '../helpers/commands.js';

/** Milliseconds for one shell and one program. */
const PATIENCE = 120_000;

/** What is typed before Tab is pressed, and the last word as it is to be then. */
interface Typed {
  readonly line: string;
  readonly word: string;
}

function linesOf(program: string): Typed[] {
  const cut = (line: string, word: string): Typed => ({ line: `${line} ${word.slice(0, -1)}`, word });
  return COMMANDS.filter(([path]) => path.split(' ')[0] === program).flatMap(([path, command]) => {
    const words = path.split(' ');
    const options = command.options.filter(({ argChoices }) => argChoices !== undefined);
    // One that begins as another does is completed to both.
    const siblings = COMMANDS.map(([each]) => each).filter((each) => each.startsWith(`${path}-`));
    return [
      ...(siblings.length > 0 ? [] : [cut(words.slice(0, -1).join(' '), words.at(-1) ?? '')]),
      cut(path, '--json'),
      ...command.registeredArguments.flatMap(wordsOf).map((word) => cut(path, word)),
      ...options.flatMap(({ long, argChoices = [] }) =>
        argChoices.map((each) => cut(`${path} ${long ?? ''}`, each)),
      ),
    ];
  });
}

function run(shell: string, args: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync(shell, args, { encoding: 'utf8', timeout: PATIENCE });
  assert.equal(status, 0, `${shell}: ${stderr}${stdout}`);
  assert.equal(stderr, '', shell);
  return stdout.trimEnd().split('\n');
}

/** The function that the script gives to `complete`, called as bash does. */
const BASH = `source "$1"; fn=_\${2//-/_}; shift 2
for line in "$@"; do
  read -ra COMP_WORDS <<<"$line"; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  $fn; echo "\${COMPREPLY[*]}"
done`;

/** A terminal in which the line is typed, Tab pressed, and what is then on the line told. */
const ZSH = `zmodload zsh/zpty; dir=$1; shift 2
zpty -b z zsh -f -i
zpty -w z "unset HISTFILE; PS1= PS2= RPS1=; fpath=($dir \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z 'LISTMAX=0; setopt no_beep no_auto_list'
zpty -w z 'tell() { print -r -- "<<$BUFFER>>"; BUFFER=; }; zle -N tell; bindkey "^X^T" tell; print READY''DONE'
zpty -r z out '*READYDONE*'
for line in "$@"; do
  zpty -w -n z "$line"$'\\t\\x18\\x14'
  zpty -r z out '*<<*>>*'
  print -r -- "\${\${\${\${out##*<<}%%>>*}% }##* }"
done
zpty -d z`;

const FISH = `source $argv[1]; set -e argv[1]; set -e argv[1]
for line in $argv
  string join -- ' ' (complete -C $line | string replace -r '\\t.*' '')
end
true`;

const SHELLS = {
  bash: (file: string, rest: readonly string[]) => run('bash', ['-c', BASH, 'bash', file, ...rest]),
  zsh: (file: string, rest: readonly string[]) => run('zsh', ['-fc', ZSH, 'zsh', join(file, '..'), ...rest]),
  fish: (file: string, rest: readonly string[]) => run('fish', ['--no-config', '-c', FISH, file, ...rest]),
};

const folder = mkdtempSync(join(tmpdir(), 'stele-shells-'));
try {
  for (const program of PROGRAMS) {
    const name = program.name();
    const typed = linesOf(name);
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      // As zsh wants it to be named.
      const file = join(folder, `_${name}`);
      writeFileSync(file, completionScript(program, shell));
      const found = SHELLS[shell](file, [name, ...typed.map(({ line }) => line)]);
      typed.forEach(({ line, word }, i) =>
        assert.equal(found[i], word, `${shell}: ${JSON.stringify(line)} and Tab`),
      );
    }
    console.log(`${name}: ${typed.length} lines completed by bash, zsh and fish`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
