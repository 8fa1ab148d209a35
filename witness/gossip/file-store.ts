// Where gossip remembers, in the witness's folder:
//
//   gossip/<origin hash>/state         see watched.ts
//   gossip/<origin hash>/state.damaged what was found in its place, once
//   gossip/<origin hash>/tile-0-x001-067.p-3   tiles, by their path
//   evidence/<sha256>.evidence         files of spec/evidence.md
import { readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, replaceFile, syncFolder } from '../../system/index.js';
import { encodeHex, parseTilePath, sha256, SteleError } from '../../tlog/index.js';
import { layout } from '../folder.js';
import type { Logger } from '../log.js';
import { originHash } from '../state-store.js';
import type { GossipStore } from './ports.js';

const EVIDENCE = /^([0-9a-f]{64})\.evidence$/;
const CHECKED = /^[^\n]*\nsha256 [0-9a-f]{64}\n$/;

/** The store in a witness's folder. Whoever holds the folder's lock may use it. */
export function fileStore(folder: string, log: Logger = () => undefined): GossipStore {
  const made = new Set<string>();
  const home = (origin: string): string => join(layout.gossip(folder), originHash(origin));
  const tileFile = (origin: string, path: string): string => join(home(origin), path.replaceAll('/', '-'));

  async function ensure(path: string): Promise<void> {
    if (made.has(path)) return;
    await makeFolder(path, 0o700);
    await syncFolder(folder);
    made.add(path);
  }

  return {
    async load(origin) {
      const file = join(home(origin), 'state');
      let bytes: Buffer | undefined;
      try {
        bytes = await readFile(file);
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        log('warn', 'gossip-state-unreadable', { origin, code: codeOf(error) });
      }
      if (bytes && isWhole(bytes)) return bytes;
      // It can be read again from peers and logs: honest logs are cosigned meanwhile.
      await rename(file, `${file}.damaged`).catch(() => undefined);
      log('warn', 'gossip-state-set-aside', { origin, file: `${file}.damaged` });
      return undefined;
    },
    async save(origin, state) {
      await ensure(home(origin));
      await replaceFile(join(home(origin), 'state'), state);
    },
    async listTiles(origin) {
      const names = await list(home(origin));
      return names.flatMap((name) => {
        try {
          const path = name.replaceAll('-', '/');
          parseTilePath(path);
          return [path];
        } catch (error) {
          if (error instanceof SteleError) return [];
          throw error;
        }
      });
    },
    async getTile(origin, path) {
      try {
        return await readFile(tileFile(origin, path));
      } catch {
        return undefined;
      }
    },
    async putTile(origin, path, bytes) {
      await ensure(home(origin));
      await replaceFile(tileFile(origin, path), bytes);
    },
    async removeTile(origin, path) {
      await unlink(tileFile(origin, path)).catch(() => undefined);
    },
    async loadEvidence() {
      const files: { sha256: string; bytes: Uint8Array }[] = [];
      for (const name of await list(layout.evidence(folder))) {
        const hash = EVIDENCE.exec(name)?.[1];
        if (hash === undefined) continue;
        const bytes = await readFile(join(layout.evidence(folder), name)).catch(() => undefined);
        if (bytes && encodeHex(sha256(bytes)) === hash) files.push({ sha256: hash, bytes });
        // It stays where it is: somebody may be able to mend it.
        else log('error', 'evidence-damaged', { file: name });
      }
      return files;
    },
    async saveEvidence(hash, bytes) {
      await ensure(layout.evidence(folder));
      await replaceFile(join(layout.evidence(folder), `${hash}.evidence`), bytes);
    },
  };
}

/** Whether this is a line and its checksum; what is in the line is the engine's business. */
function isWhole(bytes: Buffer): boolean {
  const text = bytes.toString('utf8');
  if (!CHECKED.test(text)) return false;
  const end = bytes.indexOf(10) + 1;
  return text.slice(text.indexOf('\n') + 1) === `sha256 ${encodeHex(sha256(bytes.subarray(0, end)))}\n`;
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
