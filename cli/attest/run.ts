// Drafts of the three statements about a run: what the flags, the files and the earlier records say.
import { join, resolve } from 'node:path';
import type { Json } from '../../attestation/index.js';
import type { Invocation } from '../command.js';
import { CliError, EXIT } from '../errors.js';
import { checkDecimal, checkIdentifier } from '../identifiers.js';
import { identifyModel, type ModelIdentity } from '../model-digest.js';
import { lastOf, readRun, type RunRecord } from '../records.js';
import { sayPassedOver } from '../weight-files.js';
import {
  bandOf,
  digestOfInput,
  optionsOf,
  readFieldFlags,
  readFieldsFile,
  readStep,
  type TypeFlags,
} from './fields.js';
import { setApart, type Draft } from './sign-once.js';

/** What the command line says beyond the flags of fields. */
export interface RunOptions {
  run: string;
  spec?: string;
  checkpoint?: string[];
  model?: string;
  flopCounted?: string;
  flop6nd?: string;
  retrospective?: boolean;
  previous?: string;
  supersedes?: string;
  fields?: string;
  commit?: string[];
  otherwise?: string;
  output?: string;
}

/** A draft and the name of its file, without `.dsse.json`. */
export interface NamedDraft {
  draft: Draft;
  name: string;
}

/** Puts a run statement together. Throws CliError for what is missing, saying what. */
export async function draftRun(
  { context, report }: Invocation,
  type: TypeFlags,
  options: RunOptions,
  participant: string,
  records: string,
): Promise<NamedDraft> {
  const run = checkIdentifier(options.run, '--run');
  const earlier = readRun(records, participant, run, report);
  const stated: Record<string, Json> = {
    ...readFieldsFile(options.fields, context),
    ...(await readFieldFlags(type, options as unknown as Record<string, unknown>, context)),
  };
  if (options.supersedes !== undefined) stated['supersedes'] = options.supersedes;
  let name = run;
  switch (type.type) {
    case 'run-intent':
      name = `${run}.intent`;
      if (stated['plannedFlopBand'] === undefined && typeof stated['plannedFlop'] === 'string') {
        stated['plannedFlopBand'] = bandOf(stated['plannedFlop']);
      }
      break;
    case 'run-progress': {
      await addCheckpoints(stated, options.checkpoint ?? [], { context, report });
      addWindow(stated, earlier);
      stated['retrospective'] ??= options.retrospective === true;
      name = `${run}.progress-${(stated['window'] as number).toString().padStart(4, '0')}`;
      break;
    }
    case 'run-final':
      name = `${run}.final`;
      if (options.model !== undefined)
        Object.assign(stated, await identify(options.model, { context, report }));
      stated['flop'] ??= flopFigures(options);
      stated['retrospective'] ??= options.retrospective === true;
      break;
  }
  const path = resolve(context.cwd, options.output ?? join(records, `${name}.dsse.json`));
  const others = earlier.filter((record) => record.path !== path);
  if (type.type !== 'run-intent') {
    const previous = options.previous ?? lastOf(others)?.id;
    if (previous !== undefined) stated['previous'] = previous;
  }
  const spec =
    options.spec === undefined
      ? specificationOf(earlier)
      : await digestOfInput(options.spec, '--spec', context);
  const { clear, committed } = state(type, stated, options, spec === undefined);
  if (spec === undefined) {
    throw new CliError(
      EXIT.usage,
      'missing_specification',
      'expected the document that describes the run, found none',
      'give --spec FILE: it is not published, its digest names the run; later statements take it from the records',
    );
  }
  return {
    name: path,
    draft: { type: type.type, predicate: { participant, run, ...clear }, committed, specification: spec },
  };
}

/** Splits what is stated into clear and committed; every field that must be stated is, or is unknown. */
function state(
  flags: TypeFlags,
  stated: Record<string, Json>,
  options: RunOptions,
  withoutSpec: boolean,
): { clear: Record<string, Json>; committed: Record<string, Json> } {
  const { type, statable, needed } = flags;
  for (const field of options.commit ?? []) {
    if (stated[field] === undefined || !statable.includes(field)) {
      throw new CliError(
        EXIT.usage,
        'bad_commit',
        `--commit: expected a field that is given and may be committed to, found ${JSON.stringify(field)}`,
        `of ${type}: ${statable.join(', ')}`,
      );
    }
  }
  const { clear, committed } = setApart(stated, options.commit ?? []);
  const missing = statable.filter((field) => clear[field] === undefined && committed[field] === undefined);
  const unstated = options.otherwise === undefined ? missing : [];
  const lacking = needed.field in stated ? [] : [needed.option];
  if (unstated.length + lacking.length > 0) {
    const example = [
      `stele attest ${type} --run ${options.run}`,
      ...(withoutSpec ? ['--spec run.md'] : []),
      ...(lacking.length > 0 ? [needed.example] : []),
      ...(missing.length > 0 ? [`--otherwise ${options.otherwise ?? 'withheld'}`] : []),
    ].join(' ');
    throw new CliError(
      EXIT.usage,
      unstated.length > 0 ? 'not_stated' : 'missing_option',
      `${type}: expected ${[...lacking, ...optionsOf(flags, unstated)].join(', ')}, found none`,
      `such as "${example}"` +
        (unstated.length > 0
          ? '; --otherwise says of all fields not given why they are unknown: withheld, not-measured, not-recorded, not-yet-known or external'
          : ''),
    );
  }
  for (const field of missing) clear[field] = { unknown: options.otherwise ?? '' };
  return { clear, committed };
}

async function addCheckpoints(
  stated: Record<string, Json>,
  folders: readonly string[],
  invocation: Pick<Invocation, 'context' | 'report'>,
): Promise<void> {
  if (folders.length === 0) return;
  const checkpoints: { step: number; weights: Json; folder: Json }[] = [];
  for (const given of folders) {
    const folder = resolve(invocation.context.cwd, given);
    const step = readStep(folder) ?? stated['lastStep'];
    if (typeof step !== 'number') {
      throw new CliError(
        EXIT.usage,
        'bad_checkpoint',
        `${given}: expected trainer_state.json with a global_step, found none`,
        'give --last-step',
      );
    }
    checkpoints.push({ step, ...(await identify(given, invocation)) });
  }
  stated['checkpoints'] = checkpoints;
  stated['lastStep'] ??= Math.max(...checkpoints.map(({ step }) => step));
}

/** A folder's weights and all its files, saying which weight files it took for none of the model's. */
async function identify(
  given: string,
  { context, report }: Pick<Invocation, 'context' | 'report'>,
): Promise<{ weights: ModelIdentity; folder: ModelIdentity }> {
  const { weights, folder, passedOver } = await identifyModel(resolve(context.cwd, given));
  const said = sayPassedOver(passedOver);
  if (said !== undefined) report.say(`${given}: ${said}`);
  return { weights, folder };
}

/** A window that ends where an earlier one did is that one again; otherwise it is the next. */
function addWindow(stated: Record<string, Json>, earlier: readonly RunRecord[]): void {
  const windows = earlier.flatMap(({ statement }) =>
    statement.predicateType === 'https://stele-log/run-progress/v1' ? [statement.predicate] : [],
  );
  const same = windows.find(({ window, lastStep }) =>
    stated['window'] === undefined ? lastStep === stated['lastStep'] : window === stated['window'],
  );
  stated['window'] ??= same?.window ?? Math.max(-1, ...windows.map(({ window }) => window)) + 1;
  const before = windows
    .filter(({ window }) => window < (stated['window'] as number))
    .map(({ lastStep }) => lastStep);
  stated['firstStep'] ??= Math.max(0, ...before);
}

/** The figures of compute that flags state. */
export function flopFigures({ flopCounted, flop6nd }: Pick<RunOptions, 'flopCounted' | 'flop6nd'>): Json[] {
  const figures: Json[] = [];
  if (flopCounted !== undefined) {
    figures.push({
      method: 'profiler',
      countingRule: 'matrix-products',
      value: checkDecimal(flopCounted, '--flop-counted'),
      relativeUncertainty: 0,
      inputs: { unknown: 'not-recorded' },
    });
  }
  if (flop6nd !== undefined) {
    const [parameters = '', tokens = ''] = flop6nd.split(',');
    const n = checkDecimal(parameters, '--flop-6nd');
    const d = checkDecimal(tokens, '--flop-6nd');
    figures.push({
      method: 'architecture',
      countingRule: '6nd-active',
      value: String(6n * BigInt(n) * BigInt(d)),
      relativeUncertainty: { unknown: 'not-measured' },
      inputs: { activeParameters: n, tokens: d },
    });
  }
  return figures;
}

/** The specification's digest as the run's statements have it. */
export function specificationOf(earlier: readonly RunRecord[]): string | undefined {
  return earlier[0]?.statement.subject[0]?.digest.sha256;
}
