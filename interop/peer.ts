/** Asks our Go mains, and says how each check came out in the one line that `interop/run` counts. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** From dist/interop to the checkout. */
const bin = fileURLToPath(new URL('../../interop/bin/', import.meta.url));

/** An answer of merklecheck or notecheck: `ok`, `error`, and what else the question yields. */
export interface Answer {
  readonly ok: boolean;
  readonly error?: string;
  readonly text?: string;
  readonly note?: string;
  readonly skey?: string;
  readonly vkey?: string;
  readonly origin?: string;
  readonly size?: number;
  readonly root?: string;
  readonly signatures?: readonly { readonly name: string; readonly id: string; readonly time?: number }[];
}

/** Runs one of our mains. Throws if it cannot be started or is killed. */
export function run(name: string, args: readonly string[], input = ''): { status: number; stdout: string } {
  const result = spawnSync(bin + name, args, { input, maxBuffer: 1 << 28, encoding: 'utf8' });
  if (result.error) throw result.error;
  if (result.status === null) throw new Error(`${name}: killed by ${String(result.signal)}`);
  if (result.status === 2) throw new Error(`${name}: ${result.stderr}`);
  return { status: result.status, stdout: result.stdout };
}

/** Asks all questions of one process. Answers come in the order of the questions. */
export function ask(name: string, questions: readonly object[]): Answer[] {
  const input = questions.map((question) => JSON.stringify(question) + '\n').join('');
  const answers = run(name, [], input)
    .stdout.split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Answer);
  if (answers.length !== questions.length) {
    throw new Error(`${name}: expected ${questions.length} answers, found ${answers.length}`);
  }
  return answers;
}

/** As ask, for one question. */
export function askOne(name: string, question: object): Answer {
  const [answer] = ask(name, [question]);
  if (!answer) throw new Error(`${name}: no answer`);
  return answer;
}

/** Requires equality; the error says what was expected and what was found. */
export function same(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, found ${a}`);
}

/** Runs one check; what it answers is printed after its name. */
export async function check(name: string, body: () => string | Promise<string>): Promise<void> {
  try {
    console.log(`ok ${name} (${await body()})`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
