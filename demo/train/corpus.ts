// The text the example model learns: true sentences about Merkle trees, made by a seed. It is data
// that anybody can make again from this file, so a run's declared data digest can be checked.
import { Random } from './exact.js';

/** Every character the text can hold; a token is its position here. The first one pads. */
export const ALPHABET = '\n 0123456789abcdefghijklmnopqrstuvwxyz.,:';

/** Hashes in the inclusion proof of leaf `index` in a tree of `size` leaves (RFC 6962 §2.1.1). */
export function proofLength(index: number, size: number): number {
  if (size === 1) return 0;
  let left = 1;
  while (left * 2 < size) left *= 2;
  return 1 + (index < left ? proofLength(index, left) : proofLength(index - left, size - left));
}

/** Perfect subtrees that cover a tree of `size` leaves: the ones in its binary form. */
function peaks(size: number): number {
  return size === 0 ? 0 : (size % 2) + peaks(Math.floor(size / 2));
}

const PLURALS: Record<string, string> = {
  entry: 'entries',
  hash: 'hashes',
  leaf: 'leaves',
  'perfect subtree': 'perfect subtrees',
};

function plural(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : (PLURALS[noun] ?? noun)}`;
}

function sentence(random: Random): string {
  const size = 1 + random.below(64);
  const index = random.below(size);
  switch (random.below(4)) {
    case 0:
      return `in a tree of ${plural(size, 'leaf')}, the proof of leaf ${index} has ${plural(proofLength(index, size), 'hash')}.\n`;
    case 1:
      return `a tree of ${plural(size, 'leaf')} is covered by ${plural(peaks(size), 'perfect subtree')}.\n`;
    case 2:
      return `the log grew from ${plural(index, 'entry')} to ${plural(size, 'entry')}: ${plural(size - index, 'entry')} more.\n`;
    default:
      return `the witness saw size ${index}, then size ${size}, and cosigned.\n`;
  }
}

/** `count` sentences, each on a line. */
export function makeCorpus(seed: number, count: number): string {
  const random = new Random(seed);
  let text = '';
  for (let i = 0; i < count; i++) text += sentence(random);
  return text;
}

/** The text as tokens. Throws RangeError on a character outside the alphabet. */
export function tokenize(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const token = ALPHABET.indexOf(character);
    if (token < 0) throw new RangeError(`the alphabet has no ${JSON.stringify(character)}`);
    return token;
  });
}
