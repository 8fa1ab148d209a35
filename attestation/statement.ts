// in-toto Statements as they stand in the log: which types there are, and what makes one well formed.
// The fields are fixed by spec/schema/; what a schema cannot say (a subject's digest, a field both stated
// and committed) is checked here. Source: in-toto Attestation Framework, Statement v1.
import { decodeHex, encodeUtf8, quote } from '../tlog/index.js';
import { canonicalJson, parseCanonicalJson } from './json.js';
import type { Json } from './json.js';
import { digestOf } from './commitment.js';
import { AttestationError } from './errors.js';
import { checkSchema, schemaNames } from './schema.js';
import type {
  Anchor,
  AnchorRef,
  Charter,
  CharterAmendment,
  Freeze,
  KeyStatement,
  Participant,
  ParticipantKey,
  RunFinal,
  RunIntent,
  RunProgress,
  Terms,
} from './generated/types.js';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** A statement whose type spec/schema/ describes, told apart by `predicateType`. */
export type KnownStatement =
  | Charter
  | CharterAmendment
  | Anchor
  | Freeze
  | KeyStatement
  | Participant
  | ParticipantKey
  | RunIntent
  | RunProgress
  | RunFinal;

/** The types' short names, as in `https://stele-log/<name>/v1`. */
export type TypeName = KnownStatement['predicateType'] extends `https://stele-log/${infer Name}/v1`
  ? Name
  : never;

/** What every statement has; all there is to know of one whose type is unknown. */
export interface AnyStatement {
  readonly _type: typeof STATEMENT_TYPE;
  readonly subject: readonly { readonly name?: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly predicateType: string;
  readonly predicate: {
    /** Always the signer's participant. */
    readonly participant: string;
    /** Hex SHA-256 of the signing key. */
    readonly signer: string;
    readonly recentAnchor?: AnchorRef;
    readonly supersedes?: string;
  };
}

/** What parseStatement makes of a payload. */
export type ParsedStatement =
  | { readonly known: true; readonly statement: KnownStatement }
  | { readonly known: false; readonly statement: AnyStatement };

/** `https://stele-log/<name>/v1`. */
export function typeUri<Name extends TypeName>(name: Name): `https://stele-log/${Name}/v1` {
  return `https://stele-log/${name}/v1`;
}

/** Asked for several times for each entry. */
const NAMES: ReadonlyMap<string, TypeName> = new Map(
  (schemaNames.filter((name) => name !== 'statement') as TypeName[]).map((name) => [typeUri(name), name]),
);

/** The name of a type that this code has a schema for, or undefined. */
export function knownType(predicateType: string): TypeName | undefined {
  return NAMES.get(predicateType);
}

/**
 * Reads a payload: canonical JSON, an in-toto Statement, with our common fields; and where the type is
 * one of spec/schema/, everything that is required of it. Throws AttestationError "bad_json",
 * "not_canonical", "bad_statement", "bad_subject", "stated_and_committed".
 */
export function parseStatement(payload: Uint8Array): ParsedStatement {
  const statement = parseAnyStatement(payload);
  if (knownType(statement.predicateType) === undefined) return { known: false, statement };
  return { known: true, statement: checkStatement(statement) };
}

/** Reads a payload without looking at what its type requires. Throws as parseStatement. */
export function parseAnyStatement(payload: Uint8Array): AnyStatement {
  const value = parseCanonicalJson(payload);
  checkAgainst('statement', value);
  return value as unknown as AnyStatement;
}

/**
 * Checks all that the statement's type requires by itself, without the log. Requires a known type.
 * Throws AttestationError "bad_statement", "bad_subject", "stated_and_committed".
 */
export function checkStatement(statement: AnyStatement | KnownStatement): KnownStatement {
  const name = knownType(statement.predicateType);
  if (name === undefined)
    throw new AttestationError(
      'unknown_type',
      `statement: expected a type that spec/schema/ describes, found ${quote(statement.predicateType)}`,
      'is it misspelt, or of a newer version? The types are in spec/attestations.md',
    );
  checkAgainst(name, statement as unknown as Json);
  const known = statement as KnownStatement;
  checkCommitted(known.predicate as unknown as Json);
  checkRoles(known);
  checkSubject(known);
  return known;
}

/** Roles are a set: in one order, so that statements of one set are equal. */
function checkRoles({ predicate }: KnownStatement): void {
  if (!('roles' in predicate)) return;
  const ascending = [...predicate.roles].sort();
  if (ascending.join() === predicate.roles.join()) return;
  throw new AttestationError(
    'bad_statement',
    `statement: expected roles in ascending order, ${ascending.join(', ')}, found ${predicate.roles.join(', ')}`,
    'sort them',
  );
}

function checkAgainst(schema: string, value: Json): void {
  const problem = checkSchema(schema, value);
  if (problem !== undefined)
    throw new AttestationError(
      'bad_statement',
      `statement: expected ${problem.expected} at ${problem.path === '' ? 'the top' : quote(problem.path)}, found ${problem.found}`,
      `see spec/schema/${schema}.json`,
    );
}

/** A field is stated or committed to, not both: which of the two would count? */
function checkCommitted(predicate: Json): void {
  const twice = statedTwice(predicate);
  if (twice === undefined) return;
  throw new AttestationError(
    'stated_and_committed',
    `statement: expected ${quote(twice.field)} either in clear or in committed at /predicate${twice.path}, found both`,
    'leave out one of them',
  );
}

function statedTwice(value: Json): { field: string; path: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) {
    const object = value as Record<string, Json>;
    const committed = Object.hasOwn(object, 'committed') ? object['committed'] : undefined;
    if (typeof committed === 'object' && committed !== null)
      for (const field of Object.keys(committed))
        if (Object.hasOwn(object, field)) return { field, path: '' };
  }
  const children = value as Readonly<Record<string, Json>>;
  for (const key of Object.keys(children)) {
    const found = statedTwice(children[key] ?? null);
    if (found !== undefined) return { field: found.field, path: `/${key}${found.path}` };
  }
  return undefined;
}

/** What a statement's subjects must be: in-toto wants a digest for each. spec/attestations.md "Subjects". */
function checkSubject(statement: KnownStatement): void {
  const expected = expectedSubjects(statement);
  const found = statement.subject;
  const same =
    found.length === expected.length &&
    expected.every(({ name, sha256 }, i) => {
      const subject = found[i];
      return subject?.name === name && (sha256 === undefined || subject.digest.sha256 === sha256);
    });
  if (same) return;
  const show = (list: readonly { name: string; sha256: string | undefined }[]): string =>
    list.map(({ name, sha256 }) => `${quote(name)} ${sha256 ?? '(specification)'}`).join(', ');
  throw new AttestationError(
    'bad_subject',
    `statement: expected subject ${show(expected)}, found ${show(found.map((s) => ({ name: s.name, sha256: s.digest.sha256 })))}`,
    'see "Subjects" in spec/attestations.md',
  );
}

function expectedSubjects(statement: KnownStatement): { name: string; sha256: string | undefined }[] {
  switch (statement.predicateType) {
    case 'https://stele-log/charter/v1':
    case 'https://stele-log/charter-amendment/v1':
      return [{ name: statement.predicate.terms.origin, sha256: termsDigest(statement.predicate.terms) }];
    case 'https://stele-log/anchor/v1':
      return [{ name: 'checkpoint', sha256: checkpointDigest(statement.predicate.checkpoint) }];
    case 'https://stele-log/freeze/v1':
      return [{ name: statement.predicate.origin, sha256: digestOf(encodeUtf8(statement.predicate.origin)) }];
    case 'https://stele-log/key-statement/v1':
      return [
        {
          name: statement.predicate.participant,
          sha256: digestOf(decodeHex(statement.predicate.key)),
        },
      ];
    case 'https://stele-log/participant/v1':
    case 'https://stele-log/participant-key/v1':
      return [
        {
          name: statement.predicate.about,
          sha256: participantDigest(statement.predicate.origin, statement.predicate.about),
        },
      ];
    case 'https://stele-log/run-intent/v1':
    case 'https://stele-log/run-progress/v1':
      return [{ name: statement.predicate.run, sha256: undefined }];
    case 'https://stele-log/run-final/v1': {
      const { run, weights } = statement.predicate;
      const subjects: { name: string; sha256: string | undefined }[] = [{ name: run, sha256: undefined }];
      if (weights !== undefined && 'root' in weights)
        subjects.push({ name: 'weights', sha256: weights.root });
      return subjects;
    }
  }
}

/** Hex SHA-256 of the terms' canonical JSON: what a charter is known by. */
export function termsDigest(terms: Terms): string {
  return digestOf(canonicalJson(terms));
}

/** Hex SHA-256 of a signed note's text: all up to and with the newline before the last blank line. */
export function checkpointDigest(note: string): string {
  const split = note.lastIndexOf('\n\n');
  return digestOf(encodeUtf8(split < 0 ? note : note.slice(0, split + 1)));
}

/** Hex SHA-256 of origin, newline, identifier: a participant of one log is not its namesake in another. */
export function participantDigest(origin: string, participant: string): string {
  return digestOf(encodeUtf8(`${origin}\n${participant}`));
}

/** An anchor's statement. `participant` is the operator's identifier, `note` the checkpoint. */
export function anchorStatement(participant: string, signer: string, note: string): Anchor {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: 'checkpoint', digest: { sha256: checkpointDigest(note) } }],
    predicateType: 'https://stele-log/anchor/v1',
    predicate: { participant, signer, checkpoint: note },
  };
}
