/**
 * Our log server answering when an entry is sequenced, committed and readable but not yet signed: for comparison with
 * Tessera's conformance server, which promises no more. `stele-log` answers when an entry is published and has no
 * such mode: an index that is in no published tree is a promise that nobody can check. Takes stele-log's
 * `serve -f FOLDER --admission none -l HOST:PORT`, in this order.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { admitAnything } from '../log-server/admission.js';
import { FILES, readPolicyFile } from '../log-server/folder.js';
import { poolSigner } from '../log-server/head-signer.js';
import { readLogKeys, vkeysOf } from '../log-server/log-keys.js';
import { runLog } from '../log-server/running.js';
import { openLogStorage } from '../log-server/storage/index.js';
import { systemClock } from '../system/index.js';
import { parsePolicy } from '../tlog/index.js';

const [, , folder = '', , , , listen = ''] = process.argv.slice(2);
const [host = '', port = ''] = listen.split(':');
const keys = await readLogKeys(folder);
const storage = await openLogStorage({
  folder: join(folder, FILES.data),
  keyFolder: folder,
  origin: keys[0].name,
  logKeys: vkeysOf(keys),
});
const log = await runLog(
  {
    storage,
    signer: poolSigner(keys),
    policy: parsePolicy(await readPolicyFile(folder)),
    admission: admitAnything,
    // An index is all that is answered, so nothing is said of a tree.
    covered: () => Promise.resolve({ size: 0, rootHash: new Uint8Array(32), note: new Uint8Array(0) }),
  },
  { folder, admission: 'none', listen: { host, port: Number(port) }, clock: systemClock },
);
await Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name)));
await log.close();
