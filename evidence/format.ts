// A file that proves that a key signed two histories, or an impossible one.
//
//   stele-log/evidence@v1
//   not-a-prefix                                  what is shown: see EvidenceKind
//   root IJgS6zMA5q7fYWkfQ9RfrLQgeBdmJPFLZIdR0z7Fq/E=
//   <base64 hash>                                 proof, lowest hash first, perhaps no line
//
//   log.example                                   the first note: a checkpoint,
//   5                                             perhaps with extension lines,
//   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//
//   — log.example AbCd…                           and exactly one signature line
//
//   log.example                                   the second note, alike
//   8
//   uvBNa4BTV7RnvpORZTfCpJNZHRAXtoNUHDJ+ZOsd7rw=
//
//   — log.example AbCd…
//
// One file accuses one signer: a note in it is the signed text and the one line that convicts. So
// there is nothing in a file that its verdict does not rest on, and whoever changes a byte breaks it.
// Source: spec/evidence.md.
import {
  MAX_NOTE_BYTES,
  SteleError,
  checkHash,
  decodeBase64,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  equalBytes,
  formatNote,
  parseCheckpoint,
  parseDecimal,
  parseNote,
  quote,
  safeInteger,
  type Checkpoint,
  type NoteSignature,
} from '../tlog/index.js';
import { EvidenceError } from './errors.js';

/** First line of a file of evidence. */
export const EVIDENCE_MAGIC = 'stele-log/evidence@v1';
/** Largest file read, in bytes: two notes of the largest size, so that no log can sign what is too long
 * to be held against it, and what stands before them. */
export const MAX_EVIDENCE_BYTES: number = 2 * MAX_NOTE_BYTES + 16 * 1024;
/** A tree of 2^63 leaves has proofs of 63 hashes, and consistency proofs of one more. */
const MAX_PROOF_HASHES = 64;

/** A leaf and its inclusion proof. */
export interface EntryProof {
  /** 32 bytes: RFC 6962 leaf hash. */
  readonly leafHash: Uint8Array;
  /** 32-byte hashes, the leaf's sibling first. RFC 6962 §2.1.1. */
  readonly proof: readonly Uint8Array[];
}

/** What a file shows about its notes. */
export type Claim =
  /** Two trees of one size, above 0, with different roots. */
  | { readonly kind: 'same-size' }
  /** The larger tree contains, at the smaller one's size, another root; the proof leads from it. */
  | {
      readonly kind: 'not-a-prefix';
      /** 32 bytes: the root that the larger tree had at the size of the smaller one. */
      readonly oldRoot: Uint8Array;
      /** RFC 6962 §2.1.2, from that root to the larger tree. */
      readonly proof: readonly Uint8Array[];
    }
  /** The trees hold different entries at one index. */
  | {
      readonly kind: 'two-entries';
      readonly index: number;
      /** In the order of the notes. */
      readonly entries: readonly [EntryProof, EntryProof];
    }
  /** A tree of no leaves whose root is not the hash of nothing. One note. */
  | { readonly kind: 'empty-tree' };

/** The kinds of evidence, as a file spells them. */
export type EvidenceKind = Claim['kind'];

/** A signed tree head as it stands in a file of evidence: parsed, not verified. */
export interface AccusedNote {
  /** The checkpoint's text, ending in a newline. */
  readonly text: string;
  readonly checkpoint: Checkpoint;
  readonly signature: NoteSignature;
}

/** A parsed file of evidence. Nothing in it is verified. */
export interface Evidence {
  readonly claim: Claim;
  /** One for `empty-tree`, otherwise two. */
  readonly notes: readonly AccusedNote[];
}

/**
 * Parses a file of evidence; only the spelling that formatEvidence writes is accepted. Verifies nothing.
 * At most MAX_EVIDENCE_BYTES. Throws EvidenceError "bad_evidence". spec/evidence.md "The file".
 */
export function parseEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > MAX_EVIDENCE_BYTES)
    throw bad(`expected at most ${MAX_EVIDENCE_BYTES} bytes, found ${bytes.length}`);
  return within(() => {
    const file = decodeUtf8(bytes, 'evidence');
    if (!file.endsWith('\n')) throw bad('expected a newline at its end, found none');
    // No line of a header, a checkpoint or a signature is empty, so blank lines only separate.
    const [header = '', ...parts] = file.slice(0, -1).split('\n\n', 6);
    const claim = parseHeader(header.split('\n'));
    const count = claim.kind === 'empty-tree' ? 1 : 2;
    if (parts.length !== 2 * count) {
      throw bad(
        `expected ${2 * count} blank lines for ${claim.kind}, found ${parts.length}${parts.length > 4 ? ' or more' : ''}`,
      );
    }
    const notes = Array.from({ length: count }, (_, i) =>
      parseAccused(`${parts[2 * i] ?? ''}\n\n${parts[2 * i + 1] ?? ''}\n`),
    );
    const evidence = { claim, notes };
    if (!equalBytes(formatEvidence(evidence), bytes)) throw bad('expected its one spelling, found another');
    return evidence;
  });
}

/**
 * The bytes of a file of evidence. That they prove something is for verifyEvidence to say.
 * Throws EvidenceError "bad_evidence".
 */
export function formatEvidence(evidence: {
  readonly claim: Claim;
  readonly notes: readonly Pick<AccusedNote, 'text' | 'signature'>[];
}): Uint8Array {
  return within(() => {
    const { claim, notes } = evidence;
    const header = [EVIDENCE_MAGIC, claim.kind, ...formatClaim(claim)];
    const signed = notes.map(({ text, signature }) =>
      decodeUtf8(formatNote({ text, signatures: [signature] }), 'note'),
    );
    return encodeUtf8([header.join('\n') + '\n', ...signed].join('\n'));
  });
}

function parseHeader([magic = '', kind, ...lines]: string[]): Claim {
  if (magic !== EVIDENCE_MAGIC) throw bad(`expected the first line ${EVIDENCE_MAGIC}, found ${quote(magic)}`);
  switch (kind) {
    case 'same-size':
    case 'empty-tree':
      if (lines.length > 0) throw bad(`expected nothing more in the header, found ${quote(lines[0] ?? '')}`);
      return { kind };
    case 'not-a-prefix': {
      const { hash, proof, rest } = parseProof('root', lines);
      if (rest.length > 0) throw bad(`expected a hash, found ${quote(rest[0] ?? '')}`);
      return { kind, oldRoot: hash, proof };
    }
    case 'two-entries': {
      const [line = '', ...others] = lines;
      if (!line.startsWith('index ')) throw bad(`expected a line "index <decimal>", found ${quote(line)}`);
      const index = parseDecimal(line.slice(6), 'index');
      const first = parseProof('entry', others);
      const second = parseProof('entry', first.rest);
      if (second.rest.length > 0) throw bad(`expected a hash, found ${quote(second.rest[0] ?? '')}`);
      return {
        kind,
        index,
        entries: [
          { leafHash: first.hash, proof: first.proof },
          { leafHash: second.hash, proof: second.proof },
        ],
      };
    }
    default:
      throw bad(
        `expected same-size, not-a-prefix, two-entries or empty-tree on the second line, found ${quote(kind ?? '')}`,
      );
  }
}

/** A line of this keyword and a hash, and the lines of hashes that follow it. */
function parseProof(
  keyword: string,
  [line = '', ...lines]: readonly string[],
): { hash: Uint8Array; proof: Uint8Array[]; rest: string[] } {
  if (!line.startsWith(`${keyword} `)) throw bad(`expected a line "${keyword} <hash>", found ${quote(line)}`);
  const end = lines.findIndex((other) => other.includes(' '));
  const hashes = end < 0 ? lines : lines.slice(0, end);
  checkCount(hashes);
  return {
    hash: parseHash(line.slice(keyword.length + 1), keyword),
    proof: hashes.map((hash) => parseHash(hash, 'proof')),
    rest: lines.slice(hashes.length),
  };
}

function formatClaim(claim: Claim): string[] {
  switch (claim.kind) {
    case 'same-size':
    case 'empty-tree':
      return [];
    case 'not-a-prefix':
      return formatProof('root', claim.oldRoot, claim.proof);
    case 'two-entries':
      return [
        `index ${safeInteger(claim.index, 'index')}`,
        ...claim.entries.flatMap(({ leafHash, proof }) => formatProof('entry', leafHash, proof)),
      ];
  }
}

function formatProof(keyword: string, hash: Uint8Array, proof: readonly Uint8Array[]): string[] {
  checkCount(proof);
  return [
    `${keyword} ${encodeBase64(checkHash(hash, keyword))}`,
    ...proof.map((sibling) => encodeBase64(checkHash(sibling, 'proof'))),
  ];
}

function parseHash(text: string, what: string): Uint8Array {
  return checkHash(decodeBase64(text, what), what);
}

function checkCount(hashes: readonly unknown[]): void {
  if (hashes.length > MAX_PROOF_HASHES)
    throw bad(`expected at most ${MAX_PROOF_HASHES} hashes in a proof, found ${hashes.length}`);
}

function parseAccused(note: string): AccusedNote {
  const { text, signatures } = parseNote(encodeUtf8(note));
  const [signature] = signatures;
  // Lines that convict nobody would be bytes that anybody could change.
  if (signature === undefined || signatures.length > 1)
    throw bad(`expected exactly one signature line under each checkpoint, found ${signatures.length}`);
  return { text, checkpoint: parseCheckpoint(text), signature };
}

const HINT = `a file of evidence is ${EVIDENCE_MAGIC}, a header, and checkpoints with one signature line each`;

function bad(message: string): EvidenceError {
  return new EvidenceError('bad_evidence', `evidence: ${message}`, HINT);
}

/** Any fault found inside is a fault of the file. */
function within<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof SteleError) || cause.code === 'bad_evidence') throw cause;
    throw new EvidenceError('bad_evidence', `evidence: ${cause.message}`, cause.hint || HINT, { cause });
  }
}
