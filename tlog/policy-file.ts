// The file a policy is written in: which logs one accepts, and which witnesses must have cosigned.
//
//   log <vkey> [<url>]
//   witness <name> <vkey> [<url>]
//   group <name> all|any|<k> <name>...
//   quorum <name>|none
//
// A file of octets in lines: names are compared as octets, never as text, so that the meaning does not
// depend on a version of Unicode. Comment lines are ignored but for one kind of ours, which other
// readers ignore: `# operator NAME WITNESS...` says that these witnesses are one operator's. Witnesses
// whose keys have the same key name are one operator's anyway. Operators matter to policy-faults.ts; a
// quorum is judged by witness lines alone, as the specification says.
// Source: C2SP tlog-policy.
import { parseDecimal } from './encoding.js';
import { TlogError, quote } from './errors.js';
import { assignOperators } from './policy-operators.js';
import type { OperatorComment } from './policy-operators.js';
import type { Policy, PolicyGroup, PolicyLog, PolicyWitness } from './policy.js';
import {
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  formatKeyId,
  isCosignatureType,
  keyIndex,
  parseVkey,
  samePublicKey,
} from './vkey.js';
import type { Vkey } from './vkey.js';

/** Largest policy file read, in bytes. */
export const MAX_POLICY_BYTES: number = 1024 * 1024;
/** Most logs, most witnesses and most groups read; C2SP tlog-policy recommends at least 32. */
export const MAX_POLICY_LINES = 256;

/**
 * Parses a policy file. At most MAX_POLICY_BYTES, and MAX_POLICY_LINES of each kind.
 * Throws TlogError "bad_policy", naming the line. C2SP tlog-policy "Policy file syntax and structure".
 */
export function parsePolicy(bytes: Uint8Array): Policy {
  if (bytes.length > MAX_POLICY_BYTES)
    throw bad(`expected at most ${MAX_POLICY_BYTES} bytes, found ${bytes.length}`);
  const parser = new PolicyParser();
  splitLines(bytes).forEach((line, i) => {
    try {
      parser.line(line);
    } catch (cause) {
      if (!(cause instanceof TlogError)) throw cause;
      throw new TlogError('bad_policy', `policy, line ${i + 1}: ${cause.message}`, cause.hint || HINT, {
        cause,
      });
    }
  });
  return parser.finish(bytes);
}

/**
 * Octets as a string, one string per sequence of octets: text where they are valid UTF-8; otherwise
 * ASCII as it is and every other octet b as the unpaired surrogate U+DC00 + b, which no UTF-8 yields.
 */
export function octetText(octets: Uint8Array): string {
  try {
    return utf8.decode(octets);
  } catch {
    return Array.from(octets, (octet) => String.fromCharCode(octet < 0x80 ? octet : 0xdc00 + octet)).join('');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const HINT =
  'lines are: log <vkey> [<url>], witness <name> <vkey> [<url>], group <name> all|any|<k> <name>..., quorum <name>';

function bad(message: string): TlogError {
  return new TlogError('bad_policy', `policy: ${message}`, HINT);
}

/** Lines without their newlines, each of allowed octets only. */
function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  bytes.forEach((octet, i) => {
    // SPEC: "the allowed octet values are 0x09 (tab), 0x0A (newline), 0x20-0x7E, and 0x80-0xFF."
    if ((octet < 0x20 && octet !== 0x09 && octet !== 0x0a) || octet === 0x7f) {
      throw bad(
        `line ${lines.length + 1}: expected no control character but tab and newline, found octet ${octet}`,
      );
    }
    if (octet === 0x0a) {
      lines.push(bytes.subarray(start, i));
      start = i + 1;
    }
  });
  // SPEC: "each line is terminated by ASCII newline".
  if (start !== bytes.length)
    throw bad('expected a newline at the end of the last line; the file may have been cut');
  return lines;
}

/** The items of a line, which spaces and tabs separate, as strings (see octetText). */
function splitItems(line: Uint8Array): string[] {
  const items: string[] = [];
  let start = -1;
  for (let i = 0; i <= line.length; i++) {
    const octet = line[i] ?? 0x20;
    if (octet === 0x20 || octet === 0x09) {
      if (start >= 0) items.push(octetText(line.subarray(start, i)));
      start = -1;
    } else if (start < 0) {
      start = i;
    }
  }
  return items;
}

class PolicyParser {
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses: Omit<PolicyWitness, 'operator'>[] = [];
  readonly #groups: PolicyGroup[] = [];
  readonly #comments: OperatorComment[] = [];
  readonly #defined = new Set<string>();
  readonly #members = new Set<string>();
  readonly #keyIndexes = new Set<string>();
  #quorum: { readonly name: string | undefined } | undefined;

  line(octets: Uint8Array): void {
    const [keyword, ...items] = splitItems(octets);
    if (keyword === undefined) return;
    if (keyword.startsWith('#')) {
      this.#comment([keyword.slice(1), ...items]);
      return;
    }
    switch (keyword) {
      case 'log':
        this.#log(items);
        break;
      case 'witness':
        this.#witness(items);
        break;
      case 'group':
        this.#group(items);
        break;
      case 'quorum':
        this.#setQuorum(items);
        break;
      default:
        throw fault(`expected log, witness, group or quorum, found ${quote(keyword)}`);
    }
  }

  finish(text: Uint8Array): Policy {
    // SPEC: "A policy file must include exactly one quorum line."
    if (this.#quorum === undefined) throw bad('expected a quorum line, found none');
    const witnesses = assignOperators(this.#witnesses, this.#comments);
    const operators = [...new Set(witnesses.map(({ operator }) => operator))];
    return {
      logs: this.#logs,
      witnesses,
      groups: this.#groups,
      quorum: this.#quorum.name,
      operators,
      text: Uint8Array.from(text),
    };
  }

  #comment(words: readonly string[]): void {
    const [keyword, name, ...witnesses] = words[0] === '' ? words.slice(1) : words;
    if (keyword === 'operator' && name !== undefined) this.#comments.push({ name, witnesses });
  }

  #log(items: readonly string[]): void {
    const [key, url, ...rest] = items;
    if (key === undefined || rest.length > 0)
      throw fault(`expected log <vkey> [<url>], found ${items.length} items`);
    const vkey = this.#key(key);
    // SPEC: "Log and witness keys must use a signature type appropriate" to their function.
    if (vkey.type !== NOTE_ED25519 && vkey.type !== COSIGNATURE_MLDSA44) {
      throw fault(
        `expected a log's key of signature type 1 or 6, found ${vkey.type}`,
        'type 4 is for witnesses',
      );
    }
    // SPEC: "Duplicate logs, i.e., multiple log lines with the same public key, are not allowed."
    if (this.#logs.some((log) => samePublicKey(log.vkey, vkey))) throw duplicate('log', vkey);
    checkCount(this.#logs, 'logs');
    this.#logs.push(url === undefined ? { vkey } : { vkey, url });
  }

  #witness(items: readonly string[]): void {
    const [name, key, url, ...rest] = items;
    if (name === undefined || key === undefined || rest.length > 0) {
      throw fault(`expected witness <name> <vkey> [<url>], found ${items.length} items`);
    }
    const vkey = this.#key(key);
    if (!isCosignatureType(vkey.type)) {
      throw fault(
        `expected a witness's key of signature type 4 or 6, found ${vkey.type}`,
        'type 1 is for logs',
      );
    }
    // SPEC: "Duplicate witnesses, i.e., multiple witness lines with the same public key, are not allowed."
    if (this.#witnesses.some((witness) => samePublicKey(witness.vkey, vkey)))
      throw duplicate('witness', vkey);
    checkCount(this.#witnesses, 'witnesses');
    this.#define(name);
    this.#witnesses.push(url === undefined ? { name, vkey } : { name, vkey, url });
  }

  #group(items: readonly string[]): void {
    const [name, count, ...members] = items;
    // SPEC: "At least one member must be listed (i.e., n >= 1)."
    if (name === undefined || count === undefined || members.length === 0) {
      throw fault(`expected group <name> all|any|<k> <name>..., found ${items.length} items`);
    }
    for (const member of members) {
      // SPEC: "a group definition can only refer to names defined on preceding lines"; `none` "is invalid
      // as a group member".
      if (!this.#defined.has(member)) {
        throw fault(
          `expected members defined on earlier lines, found ${quote(member)}`,
          'define it above this line',
        );
      }
      // SPEC: "Each defined name can be listed as a group member at most once."
      if (this.#members.has(member))
        throw fault(`expected each name in one group only, found ${quote(member)} again`);
      this.#members.add(member);
    }
    const threshold =
      count === 'all' ? members.length : count === 'any' ? 1 : parseDecimal(count, 'threshold');
    // SPEC: "it is required that 1 <= k <= n."
    if (threshold < 1 || threshold > members.length) {
      throw fault(`expected a threshold of 1 to ${members.length}, found ${threshold}`);
    }
    checkCount(this.#groups, 'groups');
    this.#define(name);
    this.#groups.push({ name, threshold, members });
  }

  #setQuorum(items: readonly string[]): void {
    const [name, ...rest] = items;
    if (name === undefined || rest.length > 0)
      throw fault(`expected quorum <name>, found ${items.length} items`);
    if (this.#quorum !== undefined) throw fault('expected one quorum line, found a second');
    // SPEC: "the name must be properly defined on a line preceding the quorum definition."
    if (name !== 'none' && !this.#defined.has(name)) {
      throw fault(`expected none or a name defined on an earlier line, found ${quote(name)}`);
    }
    this.#quorum = { name: name === 'none' ? undefined : name };
  }

  #key(text: string): Vkey {
    const vkey = parseVkey(text);
    // Two keys of one name and ID cannot be told apart in a note.
    const index = keyIndex(vkey.name, vkey.keyId);
    if (this.#keyIndexes.has(index)) throw duplicate('key name and key ID', vkey);
    this.#keyIndexes.add(index);
    return vkey;
  }

  #define(name: string): void {
    // SPEC: "Witnesses and groups share a single namespace. The special name `none` is predefined".
    if (name === 'none') throw fault('expected a name other than none, which is predefined');
    if (this.#defined.has(name))
      throw fault(`expected each name to be defined once, found ${quote(name)} again`);
    this.#defined.add(name);
  }
}

function checkCount(lines: readonly unknown[], what: string): void {
  if (lines.length >= MAX_POLICY_LINES)
    throw fault(`expected at most ${MAX_POLICY_LINES} ${what}, found more`);
}

function duplicate(what: string, vkey: Vkey): TlogError {
  return fault(
    `expected each ${what} once, found ${vkey.name}+${formatKeyId(vkey.keyId)} again`,
    'remove the second line; the same public key under another name is the same key',
  );
}

function fault(message: string, hint = ''): TlogError {
  return new TlogError('bad_policy', message, hint);
}
