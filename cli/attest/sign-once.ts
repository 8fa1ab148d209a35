// Signs a statement once: what was signed lies on disk, fsynced, before anybody could have seen it, and
// the same file given again means those bytes again.
import {
  commit,
  committedOf,
  digestOf,
  formatEnvelope,
  knownType,
  parseDisclosure,
  parseEnvelope,
  parseJson,
  sign,
  statementFromPredicate,
  parseAnyStatement,
  canonicalJson,
  SALT_BYTES,
  type Commitment,
  type Envelope,
  type Json,
} from '../../attestation/index.js';
import { equalBytes, type SigningKey } from '../../tlog/index.js';
import type { Invocation } from '../command.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readIfThere, writeDurably } from '../files.js';
import { disclosuresPath } from '../names.js';

/** A statement that is to be signed. */
export interface Draft {
  /** Short name of the type, such as `run-intent`. */
  readonly type: string;
  /** All of the predicate but signer, issuedAt, recentAnchor and what is committed. */
  readonly predicate: Readonly<Record<string, Json>>;
  /** Fields to state only as a commitment, with their values. */
  readonly committed?: Readonly<Record<string, Json>>;
  /** Hex SHA-256 of a run's specification. */
  readonly specification?: string;
}

/** What is stated, in the clear and to be committed to. */
export interface SetApart {
  readonly clear: Record<string, Json>;
  readonly committed: Record<string, Json>;
}

/** Takes `fields` out of the clear: those of a draft to be `committed`. One that is not stated is passed over. */
export function setApart(stated: Readonly<Record<string, Json>>, fields: readonly string[]): SetApart {
  const clear = { ...stated };
  const committed: Record<string, Json> = {};
  for (const field of fields) {
    const value = clear[field];
    if (value === undefined) continue;
    committed[field] = value;
    Reflect.deleteProperty(clear, field);
  }
  return { clear, committed };
}

/** Fields that signing again would change though nothing else is said. */
const INCIDENTAL = ['signer', 'issuedAt', 'recentAnchor', 'previous', 'committed'];

/** Whether an envelope was on disk already. */
export interface Signed {
  readonly envelope: Envelope;
  readonly reused: boolean;
}

/**
 * The envelope at `path`: read, if it is there and says what the draft says; signed and written, if
 * there is none. `anchor` is asked for only when something is signed. Throws CliError "already_signed"
 * where the file says something else.
 */
export async function signOnce(
  { context }: Invocation,
  key: SigningKey,
  draft: Draft,
  path: string,
  anchor: () => Promise<object>,
): Promise<Signed> {
  const existing = readIfThere(path);
  if (existing !== undefined) return { envelope: reuse(path, existing, key, draft), reused: true };
  const commitments = Object.entries(draft.committed ?? {}).map(([field, value]) =>
    commit(field, value, context.random(SALT_BYTES)),
  );
  const predicate = {
    ...draft.predicate,
    ...(commitments.length > 0 && { committed: committedOf(commitments) }),
    issuedAt: Math.floor(context.now() / 1000),
    recentAnchor: await anchor(),
  };
  const envelope = asInput('statement', () =>
    sign(statementFromPredicate(draft.type, predicate, draft.specification), key.secret),
  );
  // A commitment without its opening is worth nothing, so the openings are on disk first.
  if (commitments.length > 0) keepDisclosures(path, envelope, commitments);
  writeDurably(path, formatEnvelope(envelope), { exclusive: true });
  return { envelope, reused: false };
}

function keepDisclosures(path: string, envelope: Envelope, commitments: readonly Commitment[]): void {
  const body = {
    schema: 'https://stele-log/disclosures/v1',
    statement: digestOf(envelope.payload),
    disclosures: Object.fromEntries(commitments.map(({ field, disclosure }) => [field, disclosure])),
  };
  writeDurably(disclosuresPath(path), `${JSON.stringify(body, null, 1)}\n`, { mode: 0o600 });
}

function reuse(path: string, bytes: Uint8Array, key: SigningKey, draft: Draft): Envelope {
  return asInput(path, () => {
    const envelope = parseEnvelope(bytes);
    const statement = parseAnyStatement(envelope.payload);
    const found = { ...(statement.predicate as unknown as Record<string, Json>) };
    const opened = readDisclosures(path);
    for (const name of INCIDENTAL) Reflect.deleteProperty(found, name);
    const wanted: Record<string, Json> = { ...draft.predicate, ...draft.committed };
    for (const name of INCIDENTAL) Reflect.deleteProperty(wanted, name);
    const same =
      knownType(statement.predicateType) === draft.type &&
      (draft.specification ?? statement.subject[0]?.digest['sha256']) ===
        statement.subject[0]?.digest['sha256'] &&
      equalBytes(canonicalJson({ ...found, ...opened }), canonicalJson(wanted));
    if (same) return envelope;
    throw new CliError(
      EXIT.usage,
      'already_signed',
      `${path}: expected no file or one that says the same, found another statement by ${key.name}`,
      'nothing is signed twice: to correct it, give another --output and --supersedes with its payload digest',
    );
  });
}

/** The values behind a statement's commitments, from the file beside it. */
function readDisclosures(path: string): Record<string, Json> {
  const bytes = readIfThere(disclosuresPath(path));
  if (bytes === undefined) return {};
  const { disclosures } = parseJson(bytes) as { disclosures?: Record<string, string> };
  return Object.fromEntries(
    Object.values(disclosures ?? {}).map((text) => {
      const { field, value } = parseDisclosure(text);
      return [field, value];
    }),
  );
}
