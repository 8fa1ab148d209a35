// One random change to a JSON value: what a slip, a stranger or an attacker might make of it.
import type { Json } from '../../attestation/index.js';
import type { Random } from '../random.js';

const STRANGE: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  2 ** 53 - 1,
  65536,
  '',
  'x',
  'A',
  '0',
  '00',
  'a'.repeat(64),
  'A'.repeat(64),
  'a\n',
  '\u202e',
  [],
  [null],
  {},
  { unknown: 'withheld' },
  { unknown: 'because' },
  { unknown: 'withheld', also: 1 },
  { committed: {} },
];

/** The value with one place changed; the original stays as it was. */
export function mutations(value: Json, random: Random): Json {
  const copy = structuredClone<Json>(value);
  const places: [container: Record<string, Json> | Json[], key: string][] = [];
  const visit = (node: Json): void => {
    if (node === null || typeof node !== 'object') return;
    const container = node as Record<string, Json>;
    for (const key of Object.keys(container)) {
      places.push([container, key]);
      visit(container[key] ?? null);
    }
  };
  visit(copy);
  if (places.length === 0) return random.pick(STRANGE);
  const [container, key] = random.pick(places);
  const target = container as Record<string, Json>;
  const old = target[key] ?? null;
  switch (random.below(6)) {
    case 0:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else Reflect.deleteProperty(target, key);
      break;
    case 1:
      if (Array.isArray(container)) container.push(old);
      else target[`${key}x`] = old;
      break;
    case 2:
      if (typeof old === 'string' && old !== '') target[key] = flip(old, random);
      else if (typeof old === 'number') target[key] = old + random.below(3) - 1;
      else target[key] = random.pick(STRANGE);
      break;
    case 3: {
      const [other, otherKey] = random.pick(places);
      target[key] = structuredClone<Json>((other as Record<string, Json>)[otherKey] ?? null);
      break;
    }
    default:
      target[key] = random.pick(STRANGE);
  }
  return copy;
}

function flip(text: string, random: Random): string {
  const at = random.below(text.length);
  return (
    text.slice(0, at) +
    String.fromCharCode(random.pick([0x20, 0x30, 0x61, 0x5a, 0x2d, 0x0a, 0xe4])) +
    text.slice(at + 1)
  );
}
