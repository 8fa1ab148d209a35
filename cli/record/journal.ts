// What the recorder has seen and not yet signed, beside the records. What was signed stands in the
// envelopes; this file says what is still owed, so that a recorder that is killed goes on where it was.
import { join } from 'node:path';
import { compileSchema, type Json } from '../../attestation/index.js';
import type { ModelIdentity } from '../model-digest.js';
import { CliError, EXIT } from '../errors.js';
import { readIfThere, writeDurably } from '../files.js';

export const JOURNAL_SCHEMA = 'https://stele-log/recorder/v1';

/** What a folder holds: its weight files, and all its files. */
export interface Digests {
  weights: ModelIdentity | null;
  folder: ModelIdentity | null;
}

/** What a folder told when it counted. Undefined: it did not tell. */
export interface Told {
  /** Print of the folder's files then. */
  print: string;
  /** When its state file was written, seconds. */
  written?: number;
  flop?: string;
  tokens?: string;
  /** When its state was written, seconds; only of what was written while the recorder watched. */
  end?: number;
  retrospective: boolean;
  /**
   * Digests, once they are known: `gone` where the folder was rotated away before, null where it holds no
   * such files.
   */
  digests?: Digests | 'gone';
}

/** A checkpoint that counts: its state file was whole. */
export interface Counted extends Told {
  step: number;
  /** Its window, given before it is signed: the statement's file is named by it. */
  window?: number;
  /** Whether the statement's file is there. */
  signed?: true;
}

/** The end of the run. */
export interface Ended extends Told {
  outcome: 'completed' | 'aborted' | 'failed';
  signed?: true;
}

/** The whole of the file. */
export interface JournalFile {
  schema: typeof JOURNAL_SCHEMA;
  participant: string;
  run: string;
  /** What was there at the first look of a run not declared before: with anything but `nothing` there is no intent. */
  found: 'nothing' | 'begun' | 'over';
  /** In the order in which they came to count. */
  checkpoints: Counted[];
  final?: Ended;
}

const DIGEST = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const COUNT = { type: 'integer', minimum: 0 };
const AMOUNT = { type: 'string', pattern: '^[1-9][0-9]{0,59}$' };
const IDENTITY = {
  anyOf: [
    { type: 'null' },
    {
      type: 'object',
      properties: { root: DIGEST, manifestDigest: DIGEST, files: COUNT },
      required: ['root', 'manifestDigest', 'files'],
    },
  ],
};
const TOLD = {
  print: { type: 'string' },
  // Of files, which may be dated as nothing can be.
  written: { type: 'number' },
  end: { type: 'number' },
  flop: AMOUNT,
  tokens: AMOUNT,
  retrospective: { type: 'boolean' },
  digests: {
    anyOf: [
      { const: 'gone' },
      {
        type: 'object',
        properties: { weights: IDENTITY, folder: IDENTITY },
        required: ['weights', 'folder'],
      },
    ],
  },
  signed: { const: true },
};

/** The first thing in a journal that its types do not allow. Fields that they do not name are let be. */
const checkShape = compileSchema({
  type: 'object',
  properties: {
    found: { type: 'string', enum: ['nothing', 'begun', 'over'] },
    checkpoints: {
      type: 'array',
      items: {
        type: 'object',
        properties: { ...TOLD, step: COUNT, window: COUNT },
        required: ['step', 'print', 'retrospective'],
      },
    },
    final: {
      type: 'object',
      properties: { ...TOLD, outcome: { type: 'string', enum: ['completed', 'aborted', 'failed'] } },
      required: ['outcome', 'print', 'retrospective'],
    },
  },
  required: ['found', 'checkpoints'],
});

/** The journal of one run. Every change is on disk, fsynced, before it is acted upon. */
export class Journal {
  readonly #path: string;
  #file: JournalFile | undefined;

  constructor(records: string, participant: string, run: string) {
    this.#path = join(records, `${run}.recorder.json`);
    const bytes = readIfThere(this.#path);
    if (bytes === undefined) return;
    let file: Partial<Record<keyof JournalFile, Json>> | null;
    try {
      file = JSON.parse(new TextDecoder().decode(bytes)) as typeof file;
    } catch (cause) {
      throw this.#bad('expected JSON, found something else', cause);
    }
    if (file?.schema !== JOURNAL_SCHEMA) throw this.#bad(`expected schema ${JOURNAL_SCHEMA}, found another`);
    if (file.participant !== participant || file.run !== run) {
      throw this.#bad(
        `expected ${run} of ${participant}, found ${JSON.stringify(file.run)} of ${JSON.stringify(file.participant)}`,
      );
    }
    const problem = checkShape(file);
    if (problem !== undefined)
      throw this.#bad(`${problem.path}: expected ${problem.expected}, found ${problem.found}`);
    this.#file = file as unknown as JournalFile;
  }

  /** Undefined before the first look. */
  get file(): JournalFile | undefined {
    return this.#file;
  }

  /** Checkpoints that were there and have no digests, since no file of theirs is known to hold weights, or none could be read. */
  get withoutDigests(): number {
    return (this.#file?.checkpoints ?? []).filter(
      ({ digests }) => digests !== undefined && digests !== 'gone' && digests.weights === null,
    ).length;
  }

  /** Durable when it returns. */
  save(file: JournalFile): void {
    writeDurably(this.#path, `${JSON.stringify(file)}\n`);
    this.#file = file;
  }

  #bad(message: string, cause?: unknown): CliError {
    return new CliError(
      EXIT.usage,
      'bad_journal',
      `${this.#path}: ${message}`,
      'it is written by "stele record" alone; restore it, or move it away: then what it says was seen counts as not seen',
      { cause },
    );
  }
}
