// Times from anchors, the slow way: straight from the words of spec/attestations.md "Time", over the
// leaves' JSON. Imports nothing that it judges.
import { createHash } from 'node:crypto';

/** By hand: sort, count, and try every time that somebody stated. */
export function referenceAnchorTimes(
  stamps: readonly (readonly [operator: string, seconds: number])[],
  faults: number,
): { lower: number; upper: number } | null {
  const operators = new Set(stamps.filter(([, seconds]) => seconds !== 0).map(([operator]) => operator));
  if (faults < 0 || operators.size < faults + 1) return null;
  const stated = stamps.filter(([, seconds]) => seconds !== 0);
  /** How many operators have a line for which this holds? */
  const count = (holds: (seconds: number) => boolean): number =>
    [...operators].filter((name) => stated.some(([operator, seconds]) => operator === name && holds(seconds)))
      .length;
  const candidates = stated.map(([, seconds]) => seconds).sort((a, b) => a - b);
  // At least f + 1 operators say that it existed by then: the earliest such time.
  const upper = candidates.find((time) => count((seconds) => seconds <= time) >= faults + 1);
  // At least f + 1 operators say that it was not before: the latest such time.
  const lower = candidates.reverse().find((time) => count((seconds) => seconds >= time) >= faults + 1);
  return upper === undefined || lower === undefined ? null : { lower, upper };
}

interface Statement {
  predicateType: string;
  predicate: { checkpoint?: string; recentAnchor?: { index: number; leafHash: string } };
}

/** [not before, not after] of every leaf, null where there is none. Ed25519 cosigners, one per operator. */
export function referenceTimeBounds(
  leaves: readonly Uint8Array[],
  faults: number,
): [number | null, number | null][] {
  const statements = leaves.map((leaf) => {
    const { payload } = JSON.parse(Buffer.from(leaf).toString('utf8')) as { payload: string };
    return JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as Statement;
  });
  const anchors = statements.flatMap(({ predicateType, predicate }, index) => {
    if (predicateType !== 'https://stele-log/anchor/v1' || predicate.checkpoint === undefined) return [];
    const [text = '', signatures = ''] = predicate.checkpoint.split('\n\n');
    const stamps = signatures
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
      .map(([, name = '', base64 = '']) => [name, Buffer.from(base64, 'base64')] as const)
      // 4 bytes of key ID, 8 of timestamp, 64 of signature: a cosignature. The log's own has no timestamp.
      .filter(([, bytes]) => bytes.length === 76)
      .map(([name, bytes]) => [name, Number(bytes.readBigUInt64BE(4))] as const);
    return [{ index, size: Number(text.split('\n')[1]), times: referenceAnchorTimes(stamps, faults) }];
  });
  return statements.map(({ predicate: { recentAnchor } }, index) => {
    const named = anchors.find(
      (anchor) =>
        anchor.index === recentAnchor?.index &&
        anchor.index < index &&
        leafHash(leaves[anchor.index]) === recentAnchor.leafHash,
    );
    const covering = anchors.find((anchor) => anchor.size > index);
    return [named?.times?.lower ?? null, covering?.times?.upper ?? null];
  });
}

function leafHash(leaf: Uint8Array = new Uint8Array(0)): string {
  return createHash('sha256').update(Uint8Array.of(0)).update(leaf).digest('hex');
}
