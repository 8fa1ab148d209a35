// A log with a charter, grown without a server: every entry is signed, admitted and committed as the server
// does it, through the same storage, so that a million of them take minutes.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  PAYLOAD_TYPE,
  admit,
  buildRunIntent,
  buildRunProgress,
  canonicalJson,
  formatEnvelope,
  keyId,
  pae,
  prepareEntry,
} from '../../attestation/index.js';
import type { PreparedEntry } from '../../attestation/index.js';
import { FILES, initLog, startLog } from '../../log-server/index.js';
import { readPolicyFile } from '../../log-server/folder.js';
import { readLogKeys, signHead, vkeysOf } from '../../log-server/log-keys.js';
import type { LogKeys } from '../../log-server/log-keys.js';
import { openLogStorage } from '../../log-server/storage/index.js';
import type { LogStorage } from '../../log-server/storage/index.js';
import { participant } from '../../log-server/testing/participant.js';
import { readKeyFile, systemClock } from '../../system/index.js';
import {
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  leafHash,
  publicKeyFromSeed,
  sha256,
  signEd25519,
} from '../../tlog/index.js';

const ORIGIN = 'log.example/large';
/** Who signs all entries of the runs. */
const LAB = 'large-lab';
/** As log-server/testing/participant.ts makes it. */
const LAB_SEED = sha256(encodeUtf8(`${LAB} signing`));
const LAB_KEY = publicKeyFromSeed(LAB_SEED);
const LAB_KEY_HEX = encodeHex(LAB_KEY);
const LAB_ID = keyId(LAB_KEY);
/** Entries of one run: an intent, then windows. */
const RUN_ENTRIES = 100;
const SPECIFICATION = encodeHex(sha256(encodeUtf8('specification')));
const UNKNOWN = { unknown: 'not-recorded' } as const;

/** Entries in one commit, as many as the server takes. */
const BATCH = 4096;

interface AnchorRef {
  readonly index: number;
  readonly leafHash: string;
}

/** What a laboratory with many runs says, one statement after the other; each run is a chain. */
export class Statements {
  readonly #prefix: string;
  readonly #anchor: AnchorRef;
  #count = 0;
  #previous = '';

  constructor(prefix: string, anchor: AnchorRef) {
    this.#prefix = prefix;
    this.#anchor = anchor;
  }

  next(): PreparedEntry {
    const window = (this.#count % RUN_ENTRIES) - 1;
    const run = `${this.#prefix}-${Math.floor(this.#count++ / RUN_ENTRIES)}`;
    const common = { participant: LAB, signer: LAB_ID, issuedAt: 1, recentAnchor: this.#anchor, run };
    const statement =
      window < 0
        ? buildRunIntent(SPECIFICATION, {
            ...common,
            plannedFlopBand: UNKNOWN,
            plannedFlop: UNKNOWN,
            plannedStart: UNKNOWN,
            code: UNKNOWN,
            dataOrder: UNKNOWN,
            seed: UNKNOWN,
            hyperparameters: UNKNOWN,
            facilities: UNKNOWN,
            parents: UNKNOWN,
          })
        : buildRunProgress(SPECIFICATION, {
            ...common,
            previous: this.#previous,
            window,
            retrospective: false,
            start: UNKNOWN,
            end: UNKNOWN,
            firstStep: window * 100,
            lastStep: (window + 1) * 100,
            chipSeconds: UNKNOWN,
            flopToDate: UNKNOWN,
            checkpoints: UNKNOWN,
            transcript: UNKNOWN,
          });
    const payload = canonicalJson(statement);
    const signature = signEd25519(pae(PAYLOAD_TYPE, payload), LAB_SEED);
    const entry = prepareEntry({ payload, payloadType: PAYLOAD_TYPE, keyid: LAB_ID, signature });
    this.#previous = encodeHex(entry.id);
    return entry;
  }
}

/** Makes a log of four entries in an empty folder: its charter, its first anchor, a laboratory, an anchor of the server's. */
export async function makeLog(folder: string): Promise<void> {
  await initLog({
    folder,
    origin: ORIGIN,
    admission: 'charter',
    policy: encodeUtf8('quorum none\n'),
    clock: systemClock,
  });
  const log = await startLog({
    folder,
    listen: { host: '127.0.0.1', port: 0 },
    admission: 'charter',
    clock: systemClock,
  });
  try {
    for (let tries = 0; !log.readiness().ready; tries++) {
      if (tries > 3000) throw new Error(`the new log is not ready: ${log.readiness().message}`);
      await sleep(20);
    }
    const operator = readKeyFile(join(folder, FILES.operatorKey));
    await log.submit(participant(ORIGIN, operator, LAB, await anchorOf(log.storage)));
  } finally {
    await log.close();
  }
}

/** The first anchor, which every statement of the laboratory names. */
export async function anchorOf(storage: Pick<LogStorage, 'readEntry'>): Promise<AnchorRef> {
  return { index: 1, leafHash: encodeHex(leafHash(await storage.readEntry(1))) };
}

/** Adds entries until the log has `size`, signs and publishes that tree. The log must be stopped. */
export async function growLog(
  folder: string,
  size: number,
  onProgress: (size: number) => void,
): Promise<void> {
  const keys = await readLogKeys(folder);
  const storage = await openLogStorage({
    folder: join(folder, FILES.data),
    keyFolder: folder,
    origin: ORIGIN,
    logKeys: vkeysOf(keys),
  });
  try {
    const prefix = `run-${storage.size}`;
    const statements = new Statements(prefix, await anchorOf(storage));
    // What was written lately. Of a run nothing is asked once its last window is two commits old.
    let held = new Map<string, Uint8Array | null>();
    let before = held;
    const common = new Map<string, Uint8Array | undefined>();
    const store = {
      get: async (key: string) => {
        const known = held.get(key) ?? before.get(key);
        if (known !== undefined || key.includes(`/${prefix}-`)) return known ?? undefined;
        if (!common.has(key)) common.set(key, await storage.ledger.get(key));
        return common.get(key);
      },
    };
    while (storage.size < size) {
      const oldSize = storage.size;
      const entries: Uint8Array[] = [];
      const ids: [Uint8Array, number][] = [];
      const ledger = new Map<string, Uint8Array | null>();
      for (let index = oldSize; index < Math.min(oldSize + BATCH, size); index++) {
        const entry = statements.next();
        const answer = await admit(store, index, entry, {
          origin: ORIGIN,
          treeRoot: (at) => storage.rootAt(at),
          // It has just been signed.
          signatureVerified: LAB_KEY_HEX,
        });
        if (!answer.ok) throw new Error(`entry ${index}: ${answer.message}`);
        for (const [key, value] of answer.changes) {
          ledger.set(key, value);
          held.set(key, value);
        }
        entries.push(formatEnvelope(entry.envelope));
        ids.push([entry.id, index]);
      }
      await storage.commit({ oldSize, entries, ids, ledger });
      await storage.makeReadable();
      before = held;
      held = new Map([...ledger].filter(([key]) => !key.includes('/')));
      onProgress(storage.size);
    }
    await publish(storage, keys, await readPolicyFile(folder));
  } finally {
    await storage.close();
  }
}

async function publish(storage: LogStorage, keys: LogKeys, policy: Uint8Array): Promise<void> {
  const { size } = storage;
  const text = formatCheckpoint({ origin: ORIGIN, size, rootHash: storage.rootHash(), extensions: [] });
  const note = signHead(text, keys);
  await storage.writeSigned(note);
  await storage.writePublished(note, policy);
}
