import type { Vkey } from '../../tlog/index.js';
import { timeBy } from './head.js';
import type { Alarm, KeptEvidence, LogStatus } from './ports.js';
import type { Watched } from './watched.js';

/** What an operator may know of one log. */
export function logStatus(
  w: Watched,
  ownKeys: readonly Vkey[],
  evidence: readonly KeptEvidence[],
): LogStatus {
  const { own, base, open, log, noTiles } = w;
  const alarms: Alarm[] = [
    // Those looked into for the first time are not open yet.
    ...open
      .all()
      .filter(({ detail }) => detail !== '')
      .map(({ since, detail }): Alarm => ({ kind: 'unproven', since, detail })),
    ...[...w.alarms.values()].map(({ kind, since, detail }): Alarm => ({ kind, since, detail })),
    ...[...w.seen].flatMap(([name, { wentBack, size }]): Alarm[] =>
      wentBack === undefined
        ? []
        : [
            {
              kind: 'went-back',
              since: wentBack,
              detail: `${name} shows less than size ${size}, which it signed`,
            },
          ],
    ),
    ...(noTiles ? [noTiles] : []),
  ];
  const largestKnown = base?.size ?? 0;
  return {
    origin: log.origin,
    size: own?.size ?? 0,
    rootHash: own?.rootHash,
    timestamp: own ? timeBy(own, ownKeys) : 0,
    largestKnown,
    lag: Math.max(0, largestKnown - (own?.size ?? 0)),
    alarms: alarms.sort((a, b) => a.since - b.since),
    dropped: open.dropped,
    evidence: evidence.filter(({ origin }) => origin === log.origin),
    peers: [...w.seen].map(([name, { size, timestamp }]) => ({ name, size, timestamp })),
  };
}
