/** A tree head this log has signed: the note is durable in its own file before anybody sees it. */
export interface SignedHead {
  readonly size: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** The signed note with the log's own signature lines and no others. */
  readonly note: Uint8Array;
}

/** What `/checkpoint` serves. */
export interface PublishedHead {
  readonly size: number;
  readonly rootHash: Uint8Array;
  /** The signed note with the log's lines and the cosignatures merged so far. */
  readonly note: Uint8Array;
}

/** One verified cosignature line of a key that the log's policy names. */
export interface CosignatureLine {
  /** The vkey as the policy has it: one line is kept per key, the newest. */
  readonly vkey: string;
  /** The policy's name for the witness. */
  readonly witness: string;
  /** The signature line, newline included. */
  readonly line: string;
}

/** A head for which cosignatures are being collected, or were. */
export class Collection {
  readonly head: SignedHead;
  readonly #lines = new Map<string, CosignatureLine>();

  constructor(head: SignedHead, known: readonly CosignatureLine[] = []) {
    this.head = head;
    this.add(known);
  }

  /** Lines replace earlier ones of the same key. */
  add(lines: readonly CosignatureLine[]): void {
    for (const line of lines) this.#lines.set(line.vkey, line);
  }

  /** The policy's names of all witnesses that have cosigned. */
  get witnesses(): ReadonlySet<string> {
    return new Set([...this.#lines.values()].map((line) => line.witness));
  }

  /** The head's note with every line that is there so far. */
  merged(): Uint8Array {
    const tail = new TextEncoder().encode([...this.#lines.values()].map((line) => line.line).join(''));
    const note = new Uint8Array(this.head.note.length + tail.length);
    note.set(this.head.note);
    note.set(tail, this.head.note.length);
    return note;
  }
}
