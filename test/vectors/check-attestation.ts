// What the fast code makes of each vector about envelopes, statements and the ledger.
import {
  MemoryStore,
  Replay,
  admit,
  canonicalJson,
  encodeLedgerLine,
  entryId,
  formatEnvelope,
  ledgerDigest,
  openCommitment,
  parseCanonicalJson,
  parseEnvelope,
  parseJson,
  parseStatement,
  prepareEntry,
  timesFromTimestamps,
  verifyEnvelopeSignature,
} from '../../attestation/index.js';
import { CompactRange, encodeHex, encodeUtf8, leafHash } from '../../tlog/index.js';
import type { Checker } from './check-tree.js';
import { unhex, type Vector } from './vector.js';

const text = (vector: Vector, field: string): string => String(vector[field]);
const same = (found: unknown, expected: unknown): string =>
  JSON.stringify(found) === JSON.stringify(expected) ? 'ok' : 'mismatch';

function checkJson(vector: Vector): string {
  const canonical = canonicalJson(parseJson(unhex(text(vector, 'input'))));
  parseCanonicalJson(canonical);
  return same(encodeHex(canonical), vector['canonical']);
}

function checkEnvelope(vector: Vector): string {
  const envelope = parseEnvelope(encodeUtf8(text(vector, 'envelope')));
  if (
    vector['publicKey'] !== undefined &&
    !verifyEnvelopeSignature(envelope, unhex(text(vector, 'publicKey')))
  )
    return 'bad_signature';
  return same(
    [encodeHex(leafHash(formatEnvelope(envelope))), encodeHex(entryId(envelope))],
    [vector['leafHash'], vector['id']],
  );
}

function checkDisclosure(vector: Vector): string {
  const opened = openCommitment(text(vector, 'disclosure'), vector['committed'] as Record<string, string>);
  return same([opened.field, opened.value], [vector['field'], vector['value']]);
}

function checkTimes(vector: Vector): string {
  const times = timesFromTimestamps(vector['timestamps'] as [string, number][], Number(vector['faults']));
  return times === undefined
    ? 'no-time'
    : same([times.lower, times.upper], [vector['lower'], vector['upper']]);
}

// The cases of ledger.json follow one another: what is admitted is logged, what is refused is not.
let store = new MemoryStore();
let leaves: Uint8Array[] = [];
let ids = new Map<string, number>();

async function checkLedger(vector: Vector): Promise<string> {
  if (vector.desc.startsWith('as entry 0:') || vector.desc.startsWith('entry 0:')) {
    store = new MemoryStore();
    leaves = [];
    ids = new Map();
  }
  const leaf = encodeUtf8(text(vector, 'leaf'));
  const entry = prepareEntry(leaf);
  const answer = await admit(store, leaves.length, entry, {
    origin: 'log.example/vectors',
    treeRoot: (size) => {
      const range = new CompactRange();
      for (const each of leaves.slice(0, size)) range.append(leafHash(each));
      return Promise.resolve(range.root());
    },
    lookup: (id) => Promise.resolve(ids.get(encodeHex(id))),
  });
  if (!answer.ok) return answer.code;
  store.apply(answer.changes);
  ids.set(encodeHex(entry.id), leaves.length);
  leaves.push(leaf);
  const replayed = new Replay();
  for (const each of leaves) await replayed.push(each);
  const ledger = await replayed.ledger();
  const findings = ledger.findings.filter(({ entries }) => entries.includes(leaves.length - 1));
  return same(
    [encodeLedgerLine(await ledgerDigest(store)), encodeLedgerLine(ledger), findings.map(({ code }) => code)],
    [vector['line'], vector['line'], (vector['findings'] as { code: string }[]).map(({ code }) => code)],
  );
}

export const attestationCheckers: Readonly<Record<string, Checker>> = {
  'canonical-json.json': checkJson,
  'envelopes.json': checkEnvelope,
  'disclosures.json': checkDisclosure,
  'statements.json': (vector) => {
    const parsed = parseStatement(encodeUtf8(text(vector, 'statement')));
    return parsed.known ? 'ok' : 'unknown_type';
  },
  'time-bounds.json': checkTimes,
  'ledger.json': checkLedger,
};
