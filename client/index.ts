/** Reads logs and talks to witnesses; believes nothing it has not verified. Runs in a browser. */
export * from './errors.js';
export {
  exchange,
  joinUrl,
  retryAfterOf,
  systemTimer,
  type Answer,
  type ExchangeOptions,
  type Fetch,
  type Timer,
} from './http.js';
export * from './source.js';
export { VerifiedTiles, type TileCache, type VerifiedBundle } from './verified-tiles.js';
export * from './log-reader.js';
export * from './check-log.js';
export * from './witness-client.js';
export { look, readClaim, type Look, type WitnessClaim } from './witness-status.js';
