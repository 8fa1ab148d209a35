/**
 * Chooses a media type by an `Accept` header (RFC 9110 §12.5.1): the highest quality wins, and among
 * equals the order of `offered`. What is malformed in the header is skipped. With no header, or none
 * that matches, the first offered type is chosen: an answer in an unwanted form is worth more to a
 * submitter than none.
 */
export function chooseType<T extends string>(accept: string | undefined, offered: readonly [T, ...T[]]): T {
  if (accept === undefined) return offered[0];
  const ranges = accept
    .slice(0, 1024)
    .split(',')
    .flatMap((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      const quality = q === undefined ? 1 : Number(q.slice(2));
      return Number.isFinite(quality) && quality >= 0 && quality <= 1 ? [{ type, quality }] : [];
    });
  let best: { type: T; quality: number } = { type: offered[0], quality: 0 };
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > best.quality) best = { type, quality };
  }
  return best.type;
}

/** The quality of the most specific range that matches, 0 if none does. */
function qualityOf(type: string, ranges: readonly { type: string; quality: number }[]): number {
  const family = `${type.slice(0, type.indexOf('/'))}/*`;
  for (const pattern of [type, family, '*/*']) {
    const range = ranges.find((each) => each.type === pattern);
    if (range !== undefined) return range.quality;
  }
  return 0;
}

/** Whether `Accept-Encoding` (RFC 9110 §12.5.3) admits gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  return header.split(',').some((coding) => {
    const [name = '', ...parameters] = coding.split(';').map((part) => part.trim().toLowerCase());
    return (
      (name === 'gzip' || name === '*') && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
    );
  });
}
