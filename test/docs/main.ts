// npm run docs: writes docs/config.md, docs/metrics.md and spec/http/*.openapi.json again. Tests fail if that changes anything.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDoc } from './config.js';
import { metricsDoc } from './metrics.js';
import { OPENAPI_FILE, openapiDoc } from './openapi.js';
import { WITNESS_OPENAPI_FILE, witnessOpenapiDoc } from './openapi-witness.js';

writeFileSync(fileURLToPath(new URL('../../../docs/config.md', import.meta.url)), await configDoc());
writeFileSync(fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url)), metricsDoc());
writeFileSync(OPENAPI_FILE, openapiDoc());
writeFileSync(WITNESS_OPENAPI_FILE, witnessOpenapiDoc());
