/**
 * Models identified by our recorder's threads, by the rest of the command line, and by the Python package
 * model-signing, OpenSSF's reference implementation: `node dist/interop/models.js PYTHON`, after
 * `interop/run models` has made that Python's environment.
 *
 * Of each folder: all its files; its weights, as a folder that holds nothing else; and its weights once more, as the
 * whole folder with the rest on the list of paths that model-signing is to ignore.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { identifyFolder, identifyModel, type ModelIdentity } from '../cli/model-digest.js';
import { DigestPool } from '../cli/record/digest-pool.js';

/** Answers on standard output, a line of JSON a question: root, files, and the digest of their list with names. */
const ASK = `
import hashlib, json, sys
from model_signing import hashing
from model_signing._signing.signing import Payload
for folder, ignored in json.load(sys.stdin):
    config = hashing.Config()
    if ignored:
        config.set_ignored_paths(paths=ignored)
    statement = Payload(config.hash(folder)).statement.pb
    resources = statement.predicate["resources"]
    named = [[each["name"], each["algorithm"], each["digest"]] for each in resources]
    text = json.dumps(named, separators=(",", ":"), ensure_ascii=False)
    print(json.dumps({
        "root": statement.subject[0].digest["sha256"],
        "manifestDigest": hashlib.sha256(text.encode()).hexdigest(),
        "files": len(named),
    }))
`;

interface Model {
  /** Files by path: their text, or how many bytes of nothing. What lies in them does not matter, only that it differs. */
  readonly weights: Readonly<Record<string, string | number>>;
  readonly rest?: Readonly<Record<string, string>>;
}

const MODELS: Readonly<Record<string, Model>> = {
  'a single file of weights': {
    weights: { 'model.safetensors': 'one' },
    rest: {
      'config.json': '{}',
      'generation_config.json': '{"a": 1}',
      'optimizer.pt': 'moments',
      'rng_state.pth': 'dice',
      'scheduler.pt': 'rate',
      'tokenizer.json': '{"b": 2}',
      'trainer_state.json': '{"global_step": 5}',
      'training_args.bin': 'words',
    },
  },
  'shards and their index': {
    weights: {
      'model-00001-of-00002.safetensors': 'one',
      'model-00002-of-00002.safetensors': 'two',
    },
    rest: {
      'model.safetensors.index.json': '{"weight_map": {}}',
      'optimizer.pt': 'moments',
      'rng_state_0.pth': 'a die',
      'rng_state_1.pth': 'another',
      'trainer_state.json': '{"global_step": 5}',
    },
  },
  'a model of several, each in its folder': {
    weights: {
      'text_encoder/model.safetensors': 'words',
      'unet/diffusion_pytorch_model.safetensors': 'noise',
      'vae/diffusion_pytorch_model.bin': 'picture',
    },
    rest: {
      'model_index.json': '{}',
      'scheduler/scheduler_config.json': '{"c": 3}',
      'text_encoder/config.json': '{"d": 4}',
      'unet/config.json': '{"e": 5}',
      'unet/optimizer.bin': 'moments',
    },
  },
  "FSDP's shards": {
    weights: {
      'pytorch_model_fsdp_0/__0_0.distcp': 'one',
      'pytorch_model_fsdp_0/__1_0.distcp': 'two',
    },
    rest: {
      'optimizer_0/.metadata': 'm',
      'pytorch_model_fsdp_0/.metadata': 'which tensor lies where',
      'optimizer_0/__0_0.distcp': 'moments',
      'trainer_state.json': '{"global_step": 5}',
    },
  },
  "DeepSpeed's, gathered at the top": {
    weights: { 'model.safetensors': 'gathered' },
    rest: {
      'global_step5/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt': 'moments',
      'global_step5/mp_rank_00_model_states.pt': 'one',
      latest: 'global_step5',
      'zero_to_fp32.py': 'pass',
    },
  },
  "DeepSpeed's ZeRO 3, divided among ranks": {
    weights: {
      'global_step5/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt': 'one',
      'global_step5/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt': 'two',
      'global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt': 'shapes',
      'global_step5/zero_pp_rank_1_mp_rank_00_model_states.pt': 'more shapes',
    },
    rest: { 'config.json': '{}', latest: 'global_step5', 'rng_state_0.pth': 'a die' },
  },
  'names that sort in other ways': {
    weights: {
      'a/b.bin': '1',
      'a-b.bin': '2',
      'a.b.bin': '3',
      'a/b.c/d.bin': '4',
      'a b.bin': '5',
      'Z.bin': '6',
      'Zé.bin': '7',
      '😀.bin': '8',
      '\uffff.bin': '9',
    },
    rest: {
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
  },
  'files that are left out': {
    weights: { 'w.bin': 'w' },
    rest: {
      '.git/x': 'g',
      '.gitignore': 'i',
      '.gitattributes': 'a',
      'sub/.git/y': 's',
      '.hidden': 'h',
    },
  },
  'an empty file and a large one': { weights: { 'empty.bin': '', 'large.bin': 1_000_000_000 } },
};

const [python = ''] = process.argv.slice(2);
const root = mkdtempSync(join(tmpdir(), 'stele-models-'));
const pool = new DigestPool(2);

function write(folder: string, files: Readonly<Record<string, string | number>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === 'string' ? content : '');
    if (typeof content === 'number') truncateSync(join(folder, path), content);
  }
}

try {
  const questions: [folder: string, ignored: string[]][] = [];
  const ours: { what: string; found: ModelIdentity | undefined }[] = [];
  for (const [i, [about, { weights, rest = {} }]] of Object.entries(MODELS).entries()) {
    const whole = join(root, String(i));
    const alone = join(root, `${i}-weights`);
    write(whole, { ...weights, ...rest });
    write(alone, weights);
    questions.push([whole, []], [alone, []], [whole, Object.keys(rest)]);
    const found = await identifyFolder(whole, pool);
    // What attest and verify do: in one thread.
    const { weights: again } = await identifyModel(whole);
    ours.push(
      { what: about, found: found.folder },
      { what: `${about}: weights, in a folder of their own`, found: found.weights },
      { what: `${about}: weights, the rest ignored`, found: again },
    );
  }
  const theirs = execFileSync(python, ['-c', ASK], { encoding: 'utf8', input: JSON.stringify(questions) })
    .trim()
    .split('\n')
    .map((line) => JSON.stringify(JSON.parse(line)));
  for (const [i, { what, found }] of ours.entries()) {
    const text = JSON.stringify(found);
    console.log(
      text === theirs[i]
        ? `ok model-signing and ours agree on ${what} (${found?.root ?? ''})`
        : `FAIL ${what}: model-signing finds ${theirs[i] ?? 'nothing'}, ours ${found === undefined ? 'nothing' : text}`,
    );
  }
} finally {
  await pool.close();
  rmSync(root, { recursive: true });
}
