import type { Level as AnyLevel } from '../system/index.js';

/** How much an event matters. A witness shows its alarms elsewhere: in status.json, its metrics and its page. */
export type Level = Exclude<AnyLevel, 'alarm'>;

/** Takes one event. Fields never hold key material. */
export type Logger = (level: Level, event: string, fields?: Record<string, unknown>) => void;
