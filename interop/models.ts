/**
 * Models identified by our recorder's threads, by the rest of the command line, and by the Python package
 * model-signing, OpenSSF's reference implementation: `node dist/interop/models.js PYTHON`, after
 * `interop/run models` has made that Python's environment.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { identifyFolder } from '../cli/model-digest.js';
import { DigestPool } from '../cli/record/digest-pool.js';

const ASK = `
import sys
from model_signing import hashing
from model_signing._signing.signing import Payload
for folder in sys.argv[1:]:
    print(Payload(hashing.Config().hash(folder)).statement.pb.subject[0].digest["sha256"])
`;

/** Files by path: their text, or how many bytes of nothing. */
const MODELS: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
  'a checkpoint': {
    'model-00001-of-00002.safetensors': 'one',
    'model-00002-of-00002.safetensors': 'two',
    'optimizer.pt': 'moments',
    'trainer_state.json': '{"global_step": 5}',
  },
  'names that sort in other ways': {
    'a/b': '1',
    'a-b': '2',
    'a.b': '3',
    'a/b.c/d': '4',
    'a b': '5',
    Z: '6',
    Zé: '7',
    '😀': '8',
    '\uffff': '9',
  },
  'files that are left out': {
    'w.bin': 'w',
    '.git/x': 'g',
    '.gitignore': 'i',
    '.gitattributes': 'a',
    'sub/.git/y': 's',
    '.hidden': 'h',
  },
  'an empty file and a large one': { 'empty.bin': '', 'large.bin': 1_000_000_000 },
};

const [python = ''] = process.argv.slice(2);
const root = mkdtempSync(join(tmpdir(), 'stele-models-'));
const pool = new DigestPool(2);
try {
  const folders = Object.entries(MODELS).map(([, files], i) => {
    const folder = join(root, String(i));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), typeof content === 'string' ? content : '');
      if (typeof content === 'number') truncateSync(join(folder, path), content);
    }
    return folder;
  });
  const theirs = execFileSync(python, ['-c', ASK, ...folders], { encoding: 'utf8' })
    .trim()
    .split('\n');
  for (const [i, about] of Object.keys(MODELS).entries()) {
    const ours = (await identifyFolder(folders[i] ?? '', pool)).folder?.root;
    console.log(
      ours === theirs[i]
        ? `ok model-signing and ours agree on ${about} (${ours ?? ''})`
        : `FAIL ${about}: model-signing finds ${theirs[i] ?? 'nothing'}, ours ${ours ?? 'nothing'}`,
    );
  }
} finally {
  await pool.close();
  rmSync(root, { recursive: true });
}
