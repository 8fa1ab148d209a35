// The evidence that is kept: each file verified by our own keys first, and one for each set of keys and
// origin, since whoever signs two histories can make endless valid files. A witness can do so of endless
// origins, too: of those that are not watched here, all together count as one.
import { parseEvidence, verifyEvidence, type EvidenceKeys, type Verdict } from '../../evidence/index.js';
import { encodeHex, equalBytes, formatVkey, sha256, SteleError } from '../../tlog/index.js';
import type { GossipStore, KeptEvidence } from './ports.js';

/** What became of a file. */
export type Shelved =
  | { readonly kind: 'stored'; readonly kept: KeptEvidence }
  /** These keys are convicted for this origin already; the file kept is another, or the same. */
  | { readonly kind: 'known'; readonly kept: KeptEvidence }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string };

interface File {
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export class Shelf {
  readonly #store: GossipStore;
  #files: File[] = [];
  /** What the files prove by the keys configured now, by case. */
  #kept = new Map<string, KeptEvidence>();
  /** Log keys convicted, by origin. */
  #convicted = new Map<string, Set<string>>();
  /** Cases being written, so that two makers of one do not write two files. */
  readonly #writing = new Map<string, Promise<Shelved>>();

  constructor(store: GossipStore) {
    this.#store = store;
  }

  /** Reads what is kept. A file that was damaged proves nothing and is passed over. */
  async load(): Promise<void> {
    this.#files = (await this.#store.loadEvidence()).filter(
      (file) => encodeHex(sha256(file.bytes)) === file.sha256,
    );
  }

  /** Judges all files again, by these keys. Those of keys no longer configured convict nobody, and stay. */
  judge(keys: EvidenceKeys): void {
    this.#kept = new Map();
    this.#convicted = new Map();
    for (const file of this.#files) {
      const verdict = tryVerify(file.bytes, keys);
      if ('origin' in verdict) this.#enter(file.sha256, verdict, caseOf(verdict, keys));
    }
  }

  /** Verifies a file and keeps it, durably, unless its case is known. */
  async add(bytes: Uint8Array, keys: EvidenceKeys): Promise<Shelved> {
    const verdict = tryVerify(bytes, keys);
    if (!('origin' in verdict)) return verdict;
    const id = caseOf(verdict, keys);
    const known = this.#kept.get(id);
    if (known) return { kind: 'known', kept: known };
    const writing = this.#writing.get(id);
    if (writing) {
      const outcome = await writing;
      return outcome.kind === 'stored' ? { kind: 'known', kept: outcome.kept } : outcome;
    }
    const write = this.#write(Uint8Array.from(bytes), verdict, id);
    this.#writing.set(id, write);
    try {
      return await write;
    } finally {
      this.#writing.delete(id);
    }
  }

  async #write(bytes: Uint8Array, verdict: Verdict, id: string): Promise<Shelved> {
    const name = encodeHex(sha256(bytes));
    await this.#store.saveEvidence(name, bytes);
    if (!this.#files.some((file) => file.sha256 === name)) this.#files.push({ sha256: name, bytes });
    return { kind: 'stored', kept: this.#enter(name, verdict, id) };
  }

  #enter(name: string, verdict: Verdict, id: string): KeptEvidence {
    const before = this.#kept.get(id);
    if (before) return before;
    const { kind, role, origin } = verdict;
    const convicted = verdict.convicted.map((vkey) => formatVkey(vkey));
    const kept: KeptEvidence = { sha256: name, kind, role, origin, convicted };
    this.#kept.set(id, kept);
    if (role === 'log') {
      const keys = this.#convicted.get(origin) ?? new Set();
      this.#convicted.set(origin, new Set([...keys, ...convicted]));
    }
    return kept;
  }

  /** Log keys, as text, that signed two histories of this origin, or an impossible one. */
  convictedKeys(origin: string): ReadonlySet<string> {
    return this.#convicted.get(origin) ?? NONE;
  }

  /** Whether this witness key is convicted, for whichever log. */
  witnessConvicted(vkey: string): boolean {
    return [...this.#kept.values()].some(
      ({ role, convicted }) => role === 'witness' && convicted.includes(vkey),
    );
  }

  list(): readonly KeptEvidence[] {
    return [...this.#kept.values()];
  }

  file(name: string): Uint8Array | undefined {
    return this.#files.find((file) => file.sha256 === name)?.bytes;
  }

  /** Whether this very file is here. */
  has(bytes: Uint8Array): boolean {
    return this.#files.some((file) => equalBytes(file.bytes, bytes));
  }
}

const NONE: ReadonlySet<string> = new Set();

/** One case: whose keys, and for which log, if it is one that is watched here. */
function caseOf({ role, origin, convicted }: Verdict, { logs }: EvidenceKeys): string {
  const watched = logs.some((log) => (log.origin ?? log.vkey.name) === origin);
  return [role, watched ? origin : '', ...convicted.map((vkey) => formatVkey(vkey)).sort()].join('\n');
}

function tryVerify(bytes: Uint8Array, keys: EvidenceKeys): Verdict | Extract<Shelved, { kind: 'refused' }> {
  try {
    // A log's keys are told apart within its origin only: give the judge those of this one.
    const origin = parseEvidence(bytes).notes[0]?.checkpoint.origin;
    const logs = keys.logs.filter((log) => (log.origin ?? log.vkey.name) === origin);
    return verifyEvidence(bytes, { logs, witnesses: keys.witnesses });
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return { kind: 'refused', code: error.code, detail: error.message };
  }
}
