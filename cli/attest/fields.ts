// Flags that state a field of a statement. What no flag has can be given by --fields FILE, in the terms
// of spec/schema/; a flag wins over the file.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { parseJson, type Json } from '../../attestation/index.js';
import { suggest } from '../../system/index.js';
import type { Context } from '../context.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readInput } from '../files.js';
import { checkCount, checkDecimal, checkDigest, checkIdentifier, checkTime } from '../identifiers.js';
import { digestFile, digestModel } from '../model-digest.js';

/** One flag and the field that it states. */
export interface FieldFlag {
  /** As commander writes it: `--seed <number>`. */
  readonly flag: string;
  readonly field: string;
  readonly description: string;
  /** What its value may be, where that can be listed. */
  readonly words?: readonly string[];
  readonly read: (text: string, flag: string, context: Context) => Json | Promise<Json>;
}

/** The fields of a type that flags can state. */
export interface TypeFlags {
  readonly type: string;
  readonly description: string;
  readonly flags: readonly FieldFlag[];
  /** Fields that must be stated, committed to, or said to be unknown. */
  readonly statable: readonly string[];
  /** The field that must be stated and that nothing else tells, by which option, and an example of it. */
  readonly needed: { readonly field: string; readonly option: string; readonly example: string };
}

const digest: FieldFlag['read'] = (text, flag, context) => digestOfInput(text, flag, context);
const number: FieldFlag['read'] = (text, flag) => checkDecimal(text, flag);
const count: FieldFlag['read'] = (text, flag) => checkCount(text, flag);
const time: FieldFlag['read'] = (text, flag) => checkTime(text, flag);

const START: FieldFlag = { flag: '--start <time>', field: 'start', description: 'when it began', read: time };
const END: FieldFlag = { flag: '--end <time>', field: 'end', description: 'when it ended', read: time };
const CHIPS: FieldFlag = {
  flag: '--chip-seconds <number>',
  field: 'chipSeconds',
  description: 'chips held, times seconds held',
  read: number,
};

/** How a run may end. */
export const OUTCOMES = ['completed', 'aborted', 'failed'] as const;

export const RUN_INTENT: TypeFlags = {
  type: 'run-intent',
  description: 'declare a training run before it starts',
  statable: [
    'plannedFlop',
    'plannedStart',
    'code',
    'dataOrder',
    'seed',
    'hyperparameters',
    'facilities',
    'parents',
  ],
  needed: {
    field: 'plannedFlopBand',
    option: '--planned-flop or --band',
    example: '--band 1000000000000000000-10000000000000000000',
  },
  flags: [
    {
      flag: '--planned-flop <number>',
      field: 'plannedFlop',
      description: 'planned training compute',
      read: number,
    },
    {
      flag: '--band <range>',
      field: 'plannedFlopBand',
      description: 'where it lies, LOW-HIGH (its power of ten)',
      read: (text) => band(text),
    },
    {
      flag: '--planned-start <time>',
      field: 'plannedStart',
      description: 'when training is to begin',
      read: time,
    },
    {
      flag: '--code <path>',
      field: 'code',
      description: 'training code: file, folder or SHA-256',
      read: digest,
    },
    {
      flag: '--data-order <path>',
      field: 'dataOrder',
      description: 'ordered list of training data: file or SHA-256',
      read: digest,
    },
    { flag: '--seed <number>', field: 'seed', description: "seed of the run's random numbers", read: number },
    {
      flag: '--hyperparameters <path>',
      field: 'hyperparameters',
      description: 'file or SHA-256',
      read: digest,
    },
    {
      flag: '--facilities <ids>',
      field: 'facilities',
      description: 'where it runs, with commas',
      read: (text, flag) => text.split(',').map((id) => checkIdentifier(id, flag)),
    },
    {
      flag: '--parents <roots>',
      field: 'parents',
      description: 'weights it starts from, with commas, or "none"',
      read: (text, flag) => (text === 'none' ? [] : text.split(',').map((one) => checkDigest(one, flag))),
    },
  ],
};

export const RUN_PROGRESS: TypeFlags = {
  type: 'run-progress',
  description: 'record a window of a run and the weights saved in it',
  statable: ['start', 'end', 'chipSeconds', 'flopToDate', 'checkpoints', 'transcript'],
  needed: {
    field: 'lastStep',
    option: '--last-step (or a --checkpoint with trainer_state.json)',
    example: '--last-step 500',
  },
  flags: [
    {
      flag: '--window <number>',
      field: 'window',
      description: 'windows before this one (counted from the records)',
      read: count,
    },
    {
      flag: '--first-step <number>',
      field: 'firstStep',
      description: 'steps done before it (from the records)',
      read: count,
    },
    {
      flag: '--last-step <number>',
      field: 'lastStep',
      description: "steps done when it ended (the checkpoint's)",
      read: count,
    },
    START,
    END,
    CHIPS,
    {
      flag: '--flop-to-date <number>',
      field: 'flopToDate',
      description: "training compute from the run's start",
      read: number,
    },
  ],
};

export const RUN_FINAL: TypeFlags = {
  type: 'run-final',
  description: 'record the end of a run, its compute and its weights',
  statable: ['start', 'end', 'chipSeconds', 'parameters', 'tokens', 'weights', 'folder'],
  needed: { field: 'outcome', option: '--outcome', example: '--outcome completed' },
  flags: [
    {
      flag: '--outcome <word>',
      field: 'outcome',
      description: 'completed, aborted or failed',
      words: OUTCOMES,
      read: (text) => readOutcome(text),
    },
    START,
    END,
    CHIPS,
    {
      flag: '--parameters <number>',
      field: 'parameters',
      description: 'parameters of the model',
      read: number,
    },
    {
      flag: '--tokens <number>',
      field: 'tokens',
      description: 'tokens trained on, repeats counted',
      read: number,
    },
  ],
};

/** Adds the flags of a type. */
export function addFieldFlags(command: Command, { flags }: TypeFlags): void {
  for (const { flag, description, words = [] } of flags)
    command.addOption(suggest(new Option(flag, description), words));
}

/** The fields that the command line states. */
export async function readFieldFlags(
  { flags }: TypeFlags,
  options: Readonly<Record<string, unknown>>,
  context: Context,
): Promise<Record<string, Json>> {
  const fields: Record<string, Json> = {};
  for (const { flag, field, read } of flags) {
    const [name = ''] = flag.split(' ');
    const text = options[name.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof text === 'string') fields[field] = await read(text, name, context);
  }
  return fields;
}

/** Fields that files yield, and the option that names these. */
const OF_FILES: Readonly<Record<string, string>> = {
  checkpoints: '--checkpoint',
  weights: '--model',
  folder: '--model',
};

/** The options by which these fields are stated, each once. */
export function optionsOf({ flags }: TypeFlags, fields: readonly string[]): string[] {
  const options = fields.map((field) => {
    const [flag] = flags.find((each) => each.field === field)?.flag.split(' ') ?? [];
    return flag ?? OF_FILES[field] ?? `${field} (by --fields)`;
  });
  return [...new Set(options)];
}

/** The object in a --fields file. */
export function readFieldsFile(file: string | undefined, context: Context): Record<string, Json> {
  if (file === undefined) return {};
  const value = asInput(file, () => parseJson(readInput(resolve(context.cwd, file), file)));
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return { ...(value as Record<string, Json>) };
  throw new CliError(
    EXIT.usage,
    'bad_fields',
    `${file}: expected a JSON object of fields, found something else`,
    'see spec/schema/',
  );
}

/** Hex SHA-256: as given, of a file's bytes, or of a folder's list of names and digests. */
export async function digestOfInput(text: string, flag: string, context: Context): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  const path = resolve(context.cwd, text);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) return (await digestModel(path)).manifestDigest;
  if (stat?.isFile() === true) return (await digestFile(path)).toString('hex');
  throw new CliError(
    EXIT.usage,
    'bad_digest',
    `${flag}: expected a file, a folder or a SHA-256 in hex, found ${JSON.stringify(text)}`,
    'check the path',
  );
}

/** The state that a trainer leaves in a checkpoint's folder: here, only its step. */
export function readStep(folder: string): number | undefined {
  try {
    const state = JSON.parse(new TextDecoder().decode(readInput(resolve(folder, 'trainer_state.json')))) as {
      global_step?: unknown;
    };
    return Number.isSafeInteger(state.global_step) ? (state.global_step as number) : undefined;
  } catch {
    return undefined; // the caller asks for --last-step
  }
}

/** The power of ten that holds a planned compute. */
export function bandOf(flop: string): Json {
  const low = flop === '0' ? '0' : `1${'0'.repeat(flop.length - 1)}`;
  return { atLeast: low, below: `1${'0'.repeat(flop.length)}` };
}

function band(text: string): Json {
  const [low = '', high = ''] = text.split('-');
  return { atLeast: checkDecimal(low, '--band'), below: checkDecimal(high, '--band') };
}

/** Checked here and not only by the schema, which is asked when nothing has been signed before. */
export function readOutcome(text: string): (typeof OUTCOMES)[number] {
  const outcome = OUTCOMES.find((each) => each === text);
  if (outcome !== undefined) return outcome;
  throw new CliError(
    EXIT.usage,
    'bad_outcome',
    `--outcome: expected completed, aborted or failed, found ${JSON.stringify(text)}`,
    'see spec/schema/run-final.json',
  );
}
