// JSON with one meaning, and then with one spelling.
//
// parseJson reads what I-JSON (RFC 7493) allows and less: valid UTF-8 without a byte order mark, no key
// twice in an object, no unpaired surrogate, numbers that are integers of at most 2^53 - 1 either side
// of zero, nesting of at most MAX_DEPTH. JSON.parse keeps the last of two equal keys and rounds large
// numbers, so two readers of one signed text could disagree about what it says.
//
// canonicalJson writes RFC 8785: no white space, keys sorted by UTF-16 code units, one spelling of every
// string and number. parseCanonicalJson accepts that spelling only.
import canonicalize from 'canonicalize';
import { TlogError, decodeUtf8, encodeUtf8, quote } from '../tlog/index.js';
import { AttestationError } from './errors.js';

/** What JSON can say here. Numbers are safe integers. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Arrays and objects inside one another, at most. */
export const MAX_DEPTH = 32;

const HINT = 'write UTF-8 JSON with each key once per object, integers below 2^53 and decimals as strings';

/**
 * RFC 8785 bytes of a value. Properties that are undefined are left out. Throws AttestationError
 * "bad_json" for what no JSON text of ours can say: fractions, unsafe integers, unpaired surrogates,
 * functions, nesting deeper than MAX_DEPTH.
 */
export function canonicalJson(value: unknown): Uint8Array {
  return encodeUtf8(canonicalText(value));
}

/** As canonicalJson, before encoding. */
function canonicalText(value: unknown): string {
  if (checkWritable(value, 1)) {
    const text = JSON.stringify(value);
    // Only a control character or an unpaired surrogate is written so.
    if (!text.includes('\\u')) return text;
  }
  try {
    // checkWritable has excluded every value for which this is undefined.
    return canonicalize(value) ?? '';
  } catch (cause) {
    throw bad(`expected text that has a UTF-8 form, found an unpaired surrogate`, { cause });
  }
}

/** Parses strict JSON in any spelling. Throws AttestationError "bad_json". */
export function parseJson(bytes: Uint8Array): Json {
  return new Parser(textOf(bytes)).document();
}

/**
 * Parses strict JSON that is its own canonical form (RFC 8785). Throws AttestationError "bad_json", or
 * "not_canonical" where only the spelling is wrong.
 */
export function parseCanonicalJson(bytes: Uint8Array): Json {
  const text = textOf(bytes);
  return readAtOnce(text) ?? readCanonical(text);
}

/** As parseCanonicalJson, character by character: what says what is wrong, and what readAtOnce must agree with. */
export function readCanonical(text: string): Json {
  return new Parser(text, true).document();
}

/**
 * The value of a text that is sure to be canonical, by the platform's own parser, in a third of the time: written again
 * it is the same text, its keys ascend and its numbers are safe integers. Undefined where that is not so or not that
 * simple: text with an escape, and keys that are numbers, of which a platform keeps another order.
 */
export function readAtOnce(text: string): Json | undefined {
  if (text.includes('\\')) return undefined;
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  // Of two equal keys one is lost, of white space and of other spellings of numbers all: the text is then another.
  return isPlain(value, 0) && JSON.stringify(value) === text ? value : undefined;
}

function isPlain(value: Json, depth: number): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth === MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) if (!isPlain(item, depth + 1)) return false;
    return true;
  }
  const object = value as Readonly<Record<string, Json>>;
  let last = '';
  for (const key of Object.keys(object)) {
    // Comparing strings compares UTF-16 code units. An empty key can only be the first.
    if (key < last || !isPlain(object[key] ?? null, depth + 1)) return false;
    last = key;
  }
  return true;
}

function textOf(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decodeUtf8(bytes, 'JSON');
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw bad('expected valid UTF-8, found other bytes', { cause });
  }
  if (text.startsWith('\ufeff')) throw bad('expected no byte order mark, found one');
  return text;
}

function bad(message: string, options?: ErrorOptions): AttestationError {
  return new AttestationError('bad_json', `JSON: ${message}`, HINT, options);
}

/** Throws for what cannot be written; answers whether keys ascend as they stand, so that the platform's JSON is RFC 8785's. */
function checkWritable(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true;
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return true;
    throw bad(`expected integers of at most 2^53 - 1, found ${value}`);
  }
  if (depth > MAX_DEPTH) throw bad(`expected nesting of at most ${MAX_DEPTH}, found more`);
  let ascend = true;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) ascend = checkWritable(item, depth + 1) && ascend;
    return ascend;
  }
  if (typeof value === 'object') {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null)
      throw bad('expected plain objects, found an instance of a class');
    const object = value as Readonly<Record<string, unknown>>;
    let last = '';
    for (const key of Object.keys(object)) {
      if (key < last) ascend = false;
      last = key;
      if (object[key] !== undefined) ascend = checkWritable(object[key], depth + 1) && ascend;
    }
    return ascend;
  }
  throw bad(`expected JSON values, found ${typeof value}`);
}

// All but the quote, the backslash and what lies below the space.
const PLAIN = /[ !#-[\]-\uffff]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * RFC 8259 by recursive descent, its depth bounded. With `canonical` only RFC 8785 spelling passes: no
 * white space (§3.2.1), keys in ascending order (§3.2.3), strings escaped as ECMAScript does (§3.2.2.2).
 * Numbers have one spelling already.
 */
class Parser {
  readonly #text: string;
  readonly #canonical: boolean;
  #at = 0;

  constructor(text: string, canonical = false) {
    this.#text = text;
    this.#canonical = canonical;
  }

  document(): Json {
    this.#space();
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw this.#found('the end');
    return value;
  }

  #value(depth: number): Json {
    const next = this.#text[this.#at];
    if (next === '"') return this.#string();
    if (next === '{' || next === '[') {
      if (depth >= MAX_DEPTH) throw bad(`expected nesting of at most ${MAX_DEPTH}, found more`);
      this.#at++;
      return next === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #object(depth: number): Json {
    const object: Record<string, Json> = {};
    let last: string | undefined;
    this.#space();
    if (this.#take('}')) return object;
    for (;;) {
      if (this.#text[this.#at] !== '"') throw this.#found('a key in quotes');
      const key = this.#string();
      if (Object.hasOwn(object, key))
        throw bad(`expected each key once in an object, found ${quote(key)} twice`);
      // Comparing strings compares UTF-16 code units.
      if (this.#canonical && last !== undefined && key < last)
        throw this.#spelling(`the key ${quote(key)} before ${quote(last)}`);
      last = key;
      this.#space();
      if (!this.#take(':')) throw this.#found('a colon');
      this.#space();
      const value = this.#value(depth);
      // An assignment to __proto__ would change the prototype instead of adding the key.
      if (key === '__proto__')
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
      else object[key] = value;
      this.#space();
      if (this.#take('}')) return object;
      if (!this.#take(',')) throw this.#found('a comma or the end of the object');
      this.#space();
    }
  }

  #array(depth: number): Json {
    const array: Json[] = [];
    this.#space();
    if (this.#take(']')) return array;
    for (;;) {
      array.push(this.#value(depth));
      this.#space();
      if (this.#take(']')) return array;
      if (!this.#take(',')) throw this.#found('a comma or the end of the array');
      this.#space();
    }
  }

  #string(): string {
    const start = this.#at;
    this.#at++;
    let value = this.#match(PLAIN);
    if (this.#take('"')) return value;
    for (;;) {
      if (!this.#take('\\')) throw this.#found('a closing quote');
      const letter = this.#text[this.#at++] ?? '';
      if (letter === 'u') {
        const hex = this.#text.slice(this.#at, this.#at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#found('four hexadecimal digits');
        value += String.fromCharCode(parseInt(hex, 16));
        this.#at += 4;
      } else {
        const escaped = ESCAPES[letter];
        if (escaped === undefined) throw this.#found('an escape that RFC 8259 knows');
        value += escaped;
      }
      value += this.#match(PLAIN);
      if (this.#take('"')) break;
    }
    // The bytes were valid UTF-8, so only an escape can have brought one in.
    if (/\p{Surrogate}/u.test(value)) throw bad('expected paired surrogates, found an unpaired one');
    if (this.#canonical && JSON.stringify(value) !== this.#text.slice(start, this.#at))
      throw this.#spelling('the shortest escapes');
    return value;
  }

  #number(): number {
    const digits = this.#match(NUMBER);
    if (digits === '') throw this.#found('a value');
    const value = Number(digits);
    // SPEC (spec/attestations.md, "JSON"): a fraction, an exponent and -0 have other spellings or none.
    if (/[.eE]/.test(this.#text[this.#at] ?? '') || !Number.isSafeInteger(value) || digits === '-0')
      throw bad(`expected integers of at most 2^53 - 1, found ${quote(digits)} at character ${this.#at}`);
    return value;
  }

  #space(): void {
    const code = this.#text.charCodeAt(this.#at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    if (this.#canonical) throw this.#spelling('no white space');
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #spelling(expected: string): AttestationError {
    return new AttestationError(
      'not_canonical',
      `JSON: expected ${expected} at character ${this.#at}`,
      'sign the RFC 8785 form: keys sorted by UTF-16 code units, no white space, shortest escapes',
    );
  }

  #found(expected: string): AttestationError {
    const found = this.#at < this.#text.length ? quote(this.#text.slice(this.#at, this.#at + 8)) : 'the end';
    return bad(`expected ${expected} at character ${this.#at}, found ${found}`);
  }
}
