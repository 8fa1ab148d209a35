import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  FileTileStore,
  FolderDisk,
  LevelTreeState,
  MemoryDisk,
  MemoryTreeState,
  newMemoryStateData,
} from '../../log-server/storage/index.js';
import { tileStoreContract, treeStateContract } from './contract.js';

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'stele-contract-'));
const drop = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

treeStateContract('level', async () => {
  const folder = await newFolder();
  const state = join(folder, 'state');
  return {
    open: () => LevelTreeState.create(state),
    reopen: async (open) => {
      await open.close();
      return LevelTreeState.open(state);
    },
    dispose: () => drop(folder),
  };
});

treeStateContract('memory', () => {
  const data = newMemoryStateData();
  const open = (): Promise<MemoryTreeState> => Promise.resolve(new MemoryTreeState(data));
  return Promise.resolve({ open, reopen: open, dispose: () => Promise.resolve() });
});

tileStoreContract('files', async () => {
  const folder = await newFolder();
  return { store: new FileTileStore(new FolderDisk(folder), 'public'), dispose: () => drop(folder) };
});

tileStoreContract('files in memory', () =>
  Promise.resolve({
    store: new FileTileStore(new MemoryDisk(), 'public'),
    dispose: () => Promise.resolve(),
  }),
);
