import { parseArgs } from 'node:util';
import type { Soak, SoakOptions } from './soak.js';

/** What was typed behind `npm run soak --`. */
export interface Typed {
  readonly name: string;
  /** The value of each option that was given. */
  readonly values: Readonly<Record<string, string | undefined>>;
  readonly record: boolean;
}

/** What a long proof is run with, and the options that say so again. */
export interface Chosen {
  readonly options: SoakOptions;
  /** ` --minutes 3 --seed 7`: how the same is asked for again. */
  readonly again: string;
  /** ` --entries 10000`: what makes it another proof than that of the same name. */
  readonly extra: string;
}

const OPTIONS = ['minutes', 'seed', 'witnesses', 'entries'] as const;

/** Reads the command line. Throws Error for what it does not know. */
export function readWords(args: readonly string[]): Typed {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
      record: { type: 'boolean' },
    },
  });
  const [name = '', more] = positionals;
  if (more !== undefined) throw new Error(`expected one name, found ${more} besides`);
  const { record, ...others } = values as Record<string, string | boolean | undefined>;
  return { name, values: others as Typed['values'], record: record === true };
}

/** Chooses what this proof runs with. Throws Error for an option that it has no use for, and for a value that is none. */
export function choose(name: string, soak: Soak, values: Typed['values'], newSeed: number): Chosen {
  const taken: readonly string[] = [...(soak.minutes === undefined ? [] : ['minutes']), ...soak.takes];
  for (const option of OPTIONS) {
    if (values[option] === undefined || taken.includes(option)) continue;
    const all = taken.map((each) => `--${each}`).join(', ');
    throw new Error(`${name} has no use for --${option}; it takes ${all || 'no option'}`);
  }
  const minutes = Number(values['minutes'] ?? soak.minutes ?? 1);
  const seed = Number(values['seed'] ?? newSeed);
  const [witnesses, entries] = [values['witnesses'], values['entries']].map((text) =>
    text === undefined ? undefined : Number(text),
  );
  const counts = (witnesses ?? 2) >= 2 && (entries ?? 10_000) >= 10_000;
  if (!(minutes > 0) || !Number.isSafeInteger(seed) || !counts)
    throw new Error(
      'expected --minutes as a positive number, --seed as a whole one, --witnesses as 2 or more, --entries as 10000 or more',
    );
  const extra = `${witnesses === undefined ? '' : ` --witnesses ${witnesses}`}${entries === undefined ? '' : ` --entries ${entries}`}`;
  return {
    options: {
      minutes,
      seed,
      ...(witnesses !== undefined && { witnesses }),
      ...(entries !== undefined && { entries }),
    },
    again: `${taken.includes('minutes') ? ` --minutes ${minutes}` : ''}${taken.includes('seed') ? ` --seed ${seed}` : ''}${extra}`,
    extra,
  };
}
