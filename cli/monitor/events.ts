// What a monitor tells: one JSON object per event, on stdout one per line, to a webhook one per request.
import type { AlarmKind } from './alarms.js';

/** Names the shape of an event. docs/monitor.md describes it. */
export const EVENT_SCHEMA = 'https://stele-log/monitor/v1';

interface EventBase {
  readonly schema: typeof EVENT_SCHEMA;
  /** The same event has the same one, should it come twice. */
  readonly id: string;
  /** When it was found, by the monitor's clock: RFC 3339. */
  readonly time: string;
  /** The log's origin. */
  readonly log: string;
}

/** An alarm began or ended. */
export interface AlarmEvent extends EventBase {
  readonly event: 'raised' | 'cleared';
  readonly kind: AlarmKind;
  /** The witness or the keys it is about; empty for the log itself. */
  readonly about: string;
  /** Since when, RFC 3339, and how many seconds that was ago. */
  readonly since: string;
  readonly age: number;
  /** In words. Strangers' text may be in it. */
  readonly detail: string;
  /** Paths of files of evidence; present where there are any. */
  readonly evidence?: readonly string[];
}

/** An entry fits a filter. */
export interface MatchEvent extends EventBase {
  readonly event: 'match';
  /** The filter's name. */
  readonly filter: string;
  readonly index: number;
  /** Hex: RFC 6962 leaf hash. */
  readonly leafHash: string;
  /** Hex SHA-256 of the payload; these three are absent where the entry is no statement of ours. */
  readonly entry?: string;
  readonly type?: string;
  readonly participant?: string;
  readonly run?: string;
}

export type MonitorEvent = AlarmEvent | MatchEvent;

/** One line for people. */
export function eventInWords(event: MonitorEvent): string {
  if (event.event === 'match') {
    const what = event.type === undefined ? 'an entry' : `${event.type} by ${event.participant ?? ''}`;
    const run = event.run === undefined ? '' : `, run ${event.run}`;
    return `${event.log}: entry ${event.index} fits ${event.filter}: ${what}${run}`;
  }
  const about = event.about === '' ? '' : ` ${event.about}`;
  return `${event.log}: ${event.event} ${event.kind}${about}, since ${event.since} (${showAge(event.age)}): ${event.detail}`;
}

/** `3 d 4 h`, `2 h 5 min`, `7 min`, `12 s`. */
export function showAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(whole / unit));
  if (days !== undefined && days > 0) return `${days} d ${(hours ?? 0) % 24} h`;
  if (hours !== undefined && hours > 0) return `${hours} h ${(minutes ?? 0) % 60} min`;
  return minutes !== undefined && minutes > 0 ? `${minutes} min` : `${whole} s`;
}

/** RFC 3339 of milliseconds since 1970; the number itself where no date can be made of it. */
export function showInstant(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms after 1970` : date.toISOString().replace(/\.\d+Z$/, 'Z');
}
