// The statements that the recorder makes: what its user said beforehand and what the folder told, and
// `unknown` with a reason for everything else.
import { join } from 'node:path';
import { compileSchema, type Json, type Problem } from '../../attestation/index.js';
import { bandOf, RUN_FINAL, RUN_INTENT, RUN_PROGRESS, type TypeFlags } from '../attest/fields.js';
import { setApart, type Draft } from '../attest/sign-once.js';
import { CliError, EXIT } from '../errors.js';
import { envelopePath } from '../names.js';
import type { Counted, Ended } from './journal.js';

/** How a trainer counts `total_flos`, by the names of spec/schema/run-final.json. */
export const COUNTING_RULES = ['6nd-active', 'matrix-products', 'exact-operations'] as const;

/** What the user says about a run beforehand; the folder tells the rest. */
export interface RunFacts {
  readonly participant: string;
  readonly run: string;
  /** Hex SHA-256. */
  readonly specification: string;
  /** Fields of the intent. */
  readonly intent: Readonly<Record<string, Json>>;
  /** Why a field of the intent that is not given is unknown. */
  readonly otherwise: string;
  /** Further fields by type, which win over what the folder tells. Read when a statement is made. */
  readonly further: (type: string) => Readonly<Record<string, Json>>;
  /** Fields to state only as a commitment. */
  readonly commit: readonly string[];
  /** Held all through the run; undefined where it was not said. */
  readonly chips: number | undefined;
  readonly countingRule: (typeof COUNTING_RULES)[number];
  /** Figures of compute beside the trainer's own. */
  readonly figures: readonly Json[];
}

/** 9999-12-31T23:59:59Z: the last `time` of spec/schema/common.json. */
const MAX_TIME = 253_402_300_799;

const NOT_RECORDED: Json = { unknown: 'not-recorded' };
const NOT_MEASURED: Json = { unknown: 'not-measured' };

/** Names of the files of a run's statements. */
export const fileOf = {
  intent: (records: string, run: string): string => join(records, envelopePath(`${run}.intent`)),
  progress: (records: string, run: string, window: number): string =>
    join(records, envelopePath(`${run}.progress-${String(window).padStart(4, '0')}`)),
  final: (records: string, run: string): string => join(records, envelopePath(`${run}.final`)),
};

/** What places a statement in its run's chain: the recorder's alone to say. */
const OWNED = [
  ...['participant', 'signer', 'issuedAt', 'recentAnchor', 'committed', 'run', 'previous', 'supersedes'],
  ...['retrospective', 'window', 'firstStep', 'lastStep'],
];

/**
 * Throws CliError "owned_field" where further fields of a type would take the place of what the recorder counts, "bad_fields"
 * for one that its schema does not know or would not take. One that is committed to may be anything.
 */
export function checkFurther(
  file: string,
  type: string,
  fields: Readonly<Record<string, Json>>,
  commit: readonly string[] = [],
): void {
  const owned = OWNED.find((field) => Object.hasOwn(fields, field));
  if (owned === undefined) {
    for (const [field, value] of Object.entries(fields)) {
      const problem = commit.includes(field) ? undefined : checkField(type, field, value);
      if (problem === undefined) continue;
      throw new CliError(
        EXIT.usage,
        'bad_fields',
        `${file}: ${type}: expected ${problem.expected} at "/${field}${problem.path}", found ${problem.found}`,
        `see spec/schema/${type}.json`,
      );
    }
    return;
  }
  throw new CliError(
    EXIT.usage,
    'owned_field',
    `${file}: expected fields of ${type} that the recorder leaves to you, found ${JSON.stringify(owned)}, which it counts itself`,
    `leave it out; a statement of another place in the run, or that corrects one, is made by "stele attest ${type}"`,
  );
}

function checkField(type: string, field: string, value: Json): Problem | undefined {
  const check = compileSchema({ $ref: `${type}.json#/properties/predicate/properties/${field}` });
  try {
    return check(value);
  } catch (error) {
    if (error instanceof RangeError)
      return { path: '', expected: 'a field of that statement', found: 'none of that name' };
    throw error;
  }
}

/** A run's declaration before it starts. */
export function draftIntent(facts: RunFacts): Draft {
  const otherwise: Json = { unknown: facts.otherwise };
  const given = { ...facts.intent, ...facts.further('run-intent') };
  const planned = given['plannedFlop'];
  return draft(facts, RUN_INTENT, {
    ...Object.fromEntries(RUN_INTENT.statable.map((field) => [field, otherwise])),
    plannedFlopBand: typeof planned === 'string' ? bandOf(planned) : otherwise,
    ...given,
  });
}

/** Where a window stands in the run. */
export interface Place {
  readonly window: number;
  readonly firstStep: number;
  /** When it began, seconds; undefined where nobody saw it. */
  readonly start: number | undefined;
  /** Payload digest of the run's statement before it. */
  readonly previous: string | undefined;
}

/** The window that ends with a checkpoint. */
export function draftProgress(facts: RunFacts, counted: Counted, place: Place): Draft {
  const { digests, flop, step } = counted;
  const end = statable(counted.end);
  const before = statable(place.start);
  // By a clock that was set back between. Which of the two is wrong nobody knows; the end is what this folder told.
  const start = before !== undefined && end !== undefined && before > end ? undefined : before;
  const weights = digests === undefined || digests === 'gone' ? null : digests.weights;
  const folder = digests === undefined || digests === 'gone' ? null : digests.folder;
  return draft(facts, RUN_PROGRESS, {
    window: place.window,
    retrospective: counted.retrospective,
    start: start ?? NOT_RECORDED,
    end: end ?? NOT_RECORDED,
    firstStep: place.firstStep,
    lastStep: step,
    chipSeconds: chipSeconds(facts, start, end),
    flopToDate: flop ?? NOT_MEASURED,
    checkpoints: weights === null ? NOT_RECORDED : [{ step, weights, folder: folder ?? NOT_RECORDED }],
    transcript: NOT_RECORDED,
    ...(place.previous !== undefined && { previous: place.previous }),
    ...facts.further('run-progress'),
  });
}

/**
 * The end of the run, with the weights at the top of its folder. `fallen`: the trainer counted less than before, so that
 * its count, exact as it may be, is of a part.
 */
export function draftFinal(
  facts: RunFacts,
  ended: Ended,
  previous: string | undefined,
  fallen = false,
): Draft {
  const { digests, flop, tokens } = ended;
  const end = statable(ended.end);
  const seen = digests === undefined || digests === 'gone' ? undefined : digests;
  const further = facts.further('run-final');
  const start = further['start'];
  const counted: Json[] =
    flop === undefined
      ? []
      : [
          {
            method: facts.countingRule === '6nd-active' ? 'architecture' : 'profiler',
            countingRule: facts.countingRule,
            value: flop,
            relativeUncertainty: facts.countingRule === '6nd-active' || fallen ? NOT_MEASURED : 0,
            inputs: NOT_RECORDED,
          },
        ];
  return draft(facts, RUN_FINAL, {
    retrospective: ended.retrospective,
    outcome: ended.outcome,
    start: NOT_RECORDED,
    end: end ?? NOT_RECORDED,
    chipSeconds: chipSeconds(facts, typeof start === 'number' ? start : undefined, end),
    parameters: NOT_RECORDED,
    tokens: tokens ?? NOT_RECORDED,
    weights: seen?.weights ?? NOT_RECORDED,
    folder: seen?.folder ?? NOT_RECORDED,
    flop: [...counted, ...facts.figures],
    ...(previous !== undefined && { previous }),
    ...further,
  });
}

/** A file's time, where a statement can name it: files may be dated before 1970, or in the year 10000. */
function statable(time: number | undefined): number | undefined {
  return time !== undefined && time >= 0 && time <= MAX_TIME ? time : undefined;
}

function chipSeconds({ chips }: RunFacts, start: number | undefined, end: number | undefined): Json {
  if (chips === undefined || start === undefined || end === undefined || end < start) return NOT_MEASURED;
  return String(BigInt(chips) * BigInt(end - start));
}

/** What is known and to be committed to leaves the clear; what is unknown stays there and says why. */
function draft(facts: RunFacts, { type, statable }: TypeFlags, stated: Record<string, Json>): Draft {
  const known = facts.commit.filter((field) => statable.includes(field) && !isUnknown(stated[field]));
  const { clear, committed } = setApart(stated, known);
  return {
    type,
    predicate: { participant: facts.participant, run: facts.run, ...clear },
    committed,
    specification: facts.specification,
  };
}

function isUnknown(value: Json | undefined): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'unknown' in value;
}

/** Throws CliError "bad_commit" for a field that no statement of a run can commit to. */
export function checkCommit(fields: readonly string[]): void {
  const known = new Set([RUN_INTENT, RUN_PROGRESS, RUN_FINAL].flatMap(({ statable }) => statable));
  for (const field of fields) {
    if (known.has(field)) continue;
    throw new CliError(
      EXIT.usage,
      'bad_commit',
      `--commit: expected a field that may be committed to, found ${JSON.stringify(field)}`,
      [...known].join(', '),
    );
  }
}
