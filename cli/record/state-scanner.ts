// JSON (RFC 8259) read as it comes, in memory that does not grow with it: judges the whole of a text and keeps
// the few values of it that are asked for. A trainer's state has a line of history for each step logged, so that of
// a run of months is more than JSON.parse should be given beside everything else. Beyond the RFC it takes NaN,
// Infinity and -Infinity, which Python writes. Of a key that comes twice the last counts, as for JSON.parse.

/** Most levels of lists and objects in one another. Python's own reader gives up below 1000. */
const MAX_DEPTH = 500;
/** Longest key or number kept, in bytes: a wanted key is shorter though all of it were escapes. */
const MAX_KEPT = 256;

/** What is asked of an object. */
export interface Wanted {
  /** Its fields of which the number is kept, as it is written. */
  readonly numbers: readonly string[];
  /** Its field with a list of objects, and the key that is looked for in them. */
  readonly list: string;
  readonly inList: string;
}

/** What a whole text told. */
export interface Scanned {
  /** By field: not there for what is no number, or a very long one. */
  readonly numbers: ReadonlyMap<string, string>;
  readonly inList: boolean;
}

/** Thrown for what may be sound and is more than is read; the message says of what. */
export class StateLimitError extends Error {}

const [QUOTE, BACKSLASH, COMMA, COLON, MINUS] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const WORDS: ReadonlyMap<number, string> = new Map(
  ['true', 'false', 'null', 'NaN', 'Infinity'].map((word) => [word.charCodeAt(0), word]),
);

type NumberState = 'minus' | 'zero' | 'whole' | 'point' | 'fraction' | 'exponent' | 'sign' | 'power';

/** What a text may go on with. */
type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or end' | 'nothing more';

/** One text: give it the pieces in their order, then ask for the end. */
export class StateScanner {
  readonly #wanted: Wanted;
  readonly #numbers = new Map<string, string>();
  #inList = false;
  #expected: Expected = 'value';
  /** The token that is being read. A piece may end anywhere. */
  #token: 'none' | 'string' | 'escape' | 'hex' | 'word' | 'number' = 'none';
  /** Of each level that is open, whether it is an object. */
  readonly #objects: boolean[] = [];
  /** The beginning of the string or number that is being read. */
  readonly #kept: Buffer = Buffer.alloc(MAX_KEPT);
  #length = 0;
  #isKey = false;
  /** Hexadecimal digits that an escape lacks. */
  #hex = 0;
  /** What a word lacks. */
  #rest = '';
  #number: NumberState = 'zero';
  /** The outermost object's field that is being read. */
  #field = '';

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  /** Throws SyntaxError for what no JSON begins with, StateLimitError for what nests too deep. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) at = this.#step(piece, at);
  }

  /** What the text told. Throws SyntaxError if there is more to come. */
  end(): Scanned {
    if (this.#token === 'number') this.#endNumber();
    if (this.#token !== 'none' || this.#expected !== 'nothing more') throw new SyntaxError('half a text');
    return { numbers: this.#numbers, inList: this.#inList };
  }

  /** Reads from a place; gives the place after what it read. */
  #step(piece: Uint8Array, at: number): number {
    const byte = piece[at] ?? 0;
    switch (this.#token) {
      case 'string':
        return this.#string(piece, at);
      case 'number':
        return this.#inNumber(piece, at);
      case 'escape':
        if (this.#isKey) this.#keep(byte);
        this.#hex = byte === 0x75 ? 4 : 0;
        if (this.#hex === 0 && !'"\\/bfnrt'.includes(String.fromCharCode(byte))) throw unexpected(byte);
        this.#token = this.#hex > 0 ? 'hex' : 'string';
        return at + 1;
      case 'hex':
        if (this.#isKey) this.#keep(byte);
        if (!isDigit(byte) && !((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)) throw unexpected(byte);
        if (--this.#hex === 0) this.#token = 'string';
        return at + 1;
      case 'word':
        if (byte !== this.#rest.charCodeAt(0)) throw unexpected(byte);
        this.#rest = this.#rest.slice(1);
        if (this.#rest === '') this.#endValue();
        return at + 1;
      case 'none':
        if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) this.#begin(byte);
        return at + 1;
    }
  }

  /** A byte outside of strings, numbers and words. */
  #begin(byte: number): void {
    const expected = this.#expected;
    if (expected === 'colon' && byte === COLON) this.#expected = 'value';
    else if (expected === 'comma or end' && byte === COMMA)
      this.#expected = this.#objects.at(-1) === true ? 'key' : 'value';
    else if (byte === CLOSE_LIST && (expected === 'comma or end' || expected === 'value or ]'))
      this.#close(false, byte);
    else if (byte === CLOSE_OBJECT && (expected === 'comma or end' || expected === 'key or }'))
      this.#close(true, byte);
    else if (byte === QUOTE && (expected === 'key' || expected === 'key or }')) this.#beginString(true);
    else if (expected === 'value' || expected === 'value or ]') this.#beginValue(byte);
    else throw unexpected(byte);
  }

  #beginValue(byte: number): void {
    const word = WORDS.get(byte);
    if (byte === QUOTE) this.#beginString(false);
    else if (byte === OPEN_LIST) this.#open(false);
    else if (byte === OPEN_OBJECT) this.#open(true);
    else if (byte === MINUS || isDigit(byte)) {
      this.#length = 0;
      this.#keep(byte);
      this.#token = 'number';
      this.#number = byte === MINUS ? 'minus' : byte === 0x30 ? 'zero' : 'whole';
    } else if (word !== undefined) this.#beginWord(word);
    else throw unexpected(byte);
  }

  #beginString(isKey: boolean): void {
    this.#isKey = isKey;
    this.#length = 0;
    this.#token = 'string';
  }

  /** A word whose first letter has been read. */
  #beginWord(word: string): void {
    this.#token = 'word';
    this.#rest = word.slice(1);
  }

  #open(isObject: boolean): void {
    if (this.#objects.length === MAX_DEPTH) throw new StateLimitError(`lists and objects ${MAX_DEPTH} deep`);
    this.#objects.push(isObject);
    this.#expected = isObject ? 'key or }' : 'value or ]';
  }

  #close(isObject: boolean, byte: number): void {
    if (this.#objects.pop() !== isObject) throw unexpected(byte);
    this.#endValue();
  }

  #endValue(): void {
    this.#token = 'none';
    this.#expected = this.#objects.length === 0 ? 'nothing more' : 'comma or end';
  }

  #string(piece: Uint8Array, from: number): number {
    let at = from;
    let byte = piece[at] ?? 0;
    while (byte !== QUOTE && byte !== BACKSLASH && at < piece.length) {
      if (byte < 0x20) throw unexpected(byte);
      byte = piece[++at] ?? 0;
    }
    if (this.#isKey) this.#keepAll(piece, from, at);
    if (at === piece.length) return at;
    if (byte === BACKSLASH) {
      this.#keep(byte);
      this.#token = 'escape';
    } else if (this.#isKey) this.#endKey();
    else this.#endValue();
    return at + 1;
  }

  #endKey(): void {
    this.#token = 'none';
    this.#expected = 'colon';
    const depth = this.#objects.length;
    if (depth !== 1 && depth !== 3) return;
    const raw = this.#length > MAX_KEPT ? '' : this.#kept.toString('utf8', 0, this.#length);
    const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
    const { inList, list } = this.#wanted;
    if (depth === 1) {
      this.#field = key;
      this.#numbers.delete(key);
      if (key === list) this.#inList = false;
    } else if (this.#objects[0] === true && this.#objects[1] === false && this.#field === list) {
      this.#inList ||= key === inList;
    }
  }

  #inNumber(piece: Uint8Array, from: number): number {
    let at = from;
    for (; at < piece.length; at++) {
      const byte = piece[at] ?? 0;
      if (this.#number === 'minus' && byte === 0x49) {
        this.#beginWord('Infinity');
        return at + 1;
      }
      const next = afterInNumber(this.#number, byte);
      if (next === undefined) break;
      this.#number = next;
    }
    this.#keepAll(piece, from, at);
    if (at < piece.length) this.#endNumber();
    return at;
  }

  #endNumber(): void {
    if (!['zero', 'whole', 'fraction', 'power'].includes(this.#number))
      throw new SyntaxError('half a number');
    if (this.#objects.length === 1 && this.#objects[0] === true && this.#length <= MAX_KEPT)
      if (this.#wanted.numbers.includes(this.#field))
        this.#numbers.set(this.#field, this.#kept.toString('latin1', 0, this.#length));
    this.#endValue();
  }

  #keep(byte: number): void {
    if (this.#length < MAX_KEPT) this.#kept[this.#length] = byte;
    this.#length++;
  }

  #keepAll(piece: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to && this.#length <= MAX_KEPT; at++) this.#keep(piece[at] ?? 0);
  }
}

/** RFC 8259 §6: where in a number a byte leads, undefined where the number ends before it. */
function afterInNumber(state: NumberState, byte: number): NumberState | undefined {
  const digit = isDigit(byte);
  const exponent = byte === 0x65 || byte === 0x45;
  switch (state) {
    case 'minus':
      return byte === 0x30 ? 'zero' : digit ? 'whole' : undefined;
    case 'zero':
    case 'whole':
      if (digit && state === 'whole') return 'whole';
      return byte === 0x2e ? 'point' : exponent ? 'exponent' : undefined;
    case 'point':
    case 'fraction':
      if (digit) return 'fraction';
      return exponent && state === 'fraction' ? 'exponent' : undefined;
    case 'exponent':
      if (byte === 0x2b || byte === MINUS) return 'sign';
      return digit ? 'power' : undefined;
    case 'sign':
    case 'power':
      return digit ? 'power' : undefined;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function unexpected(byte: number): SyntaxError {
  return new SyntaxError(`unexpected byte ${byte}`);
}
