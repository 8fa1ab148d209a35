import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { comparePaths, digestModel, identifyFolder, identifyModel, identifyWeights } from './model-digest.js';
import { isWeightFile } from './weight-files.js';

async function withFolder(
  files: Record<string, string>,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'stele-model-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const FILES = {
  'a/b': 'one',
  'a-b': 'two',
  'a.b': 'three',
  'empty.bin': '',
  'model.safetensors': 'w',
  'optimizer.safetensors': 'o',
  '.git/x': 'g',
  '.gitignore': 'i',
  'sub/.git/y': 's',
  Zé: 'z',
  '😀': '😀',
  '\uffff': 'e',
};

// The roots were computed by the Python package model-signing 1.1.1 over the same files.
test('the root is the one that the reference implementation of OpenSSF Model Signing computes', async () => {
  await withFolder(FILES, async (folder) => {
    assert.deepEqual(await digestModel(folder), {
      root: '7f1c64d10c3b1489a71a124723f8bc05538dbcab302596eb7686a72e7a85004d',
      manifestDigest: '5d36e18f502d7f01b0e0b70fa5aefb15ebd1fdd17e32354c6bcd5a2a288027ed',
      files: 10,
    });
    const weights = await digestModel(folder, isWeightFile);
    assert.equal(weights.root, 'd573781ad1f7f8c1fd7236f51650de52f22e63b269b89b1d265223f13f3ccef2');
    assert.equal(weights.files, 2);
  });
});

test('two folders whose files only swapped names have one root and two manifest digests', async () => {
  await withFolder({ 'a/model.bin': 'x', 'b/other.bin': 'x' }, async (folder) => {
    const one = await digestModel(join(folder, 'a'));
    const other = await digestModel(join(folder, 'b'));
    assert.equal(one.root, other.root);
    assert.notEqual(one.manifestDigest, other.manifestDigest);
  });
});

test('a folder without files, a missing one and a symbolic link are refused', async () => {
  await withFolder({ 'model.bin': 'x' }, async (folder) => {
    await assert.rejects(
      digestModel(folder, () => false),
      { code: 'bad_model' },
    );
    await assert.rejects(digestModel(join(folder, 'none')), { code: 'bad_model' });
    symlinkSync('model.bin', join(folder, 'link'));
    await assert.rejects(digestModel(folder), { code: 'bad_model' });
  });
});

test('where there are links the recorder identifies the weights, unless one of them is a link', async () => {
  await withFolder({ 'model.bin': 'x', 'config.json': '{}', 'checkpoint-1/a': 'y' }, async (folder) => {
    const weights = await digestModel(folder, (path) => path === 'model.bin');
    // What leads up to a model is no part of it, wherever it lies.
    symlinkSync('checkpoint-1', join(folder, 'checkpoint-2'));
    assert.equal((await identifyModel(folder)).folder.files, 2);
    symlinkSync('checkpoint-1', join(folder, 'latest'));
    assert.deepEqual(await identifyFolder(folder), {
      weights,
      folder: undefined,
      others: ['latest'],
      passedOver: [],
    });
    assert.deepEqual((await identifyWeights(folder)).weights, weights);
    await assert.rejects(identifyModel(folder), { code: 'bad_model' });
    symlinkSync('model.bin', join(folder, 'other.bin'));
    assert.equal((await identifyFolder(folder)).weights, undefined);
    await assert.rejects(identifyWeights(folder), { code: 'bad_model' });
  });
});

test('a model is what lies at the top: neither checkpoints beside it nor copies below make another of it', async () => {
  const release = { 'model.safetensors': 'the model', 'config.json': '{}' };
  const beside = {
    'tmp-checkpoint-1000/model.safetensors': 'half a model',
    'checkpoint-best/model.safetensors': 'an earlier one',
    'last-checkpoint/model.safetensors': 'the last but one',
    'checkpoint-10/trainer_state.json': '{}',
  };
  await withFolder(release, async (released) => {
    const { weights, folder: all } = await identifyModel(released);
    assert.deepEqual([weights.files, all.files], [1, 2]);
    await withFolder({ ...release, ...beside }, async (folder) => {
      assert.deepEqual(await identifyModel(folder), { weights, folder: all, passedOver: [] });
    });
    const below = {
      'merged/model.safetensors': 'another one',
      'global_step5/mp_rank_00_model_states.pt': 'w',
    };
    await withFolder({ ...release, ...beside, ...below }, async (folder) => {
      const found = await identifyModel(folder);
      assert.deepEqual([found.weights, found.folder.files], [weights, 4]);
      assert.deepEqual(found.passedOver.toSorted(), Object.keys(below).toSorted());
      // A copy that is a link is none of the weights, so they can be told.
      symlinkSync('../model.safetensors', join(folder, 'merged', 'other.safetensors'));
      assert.deepEqual((await identifyWeights(folder)).weights, weights);
    });
  });
});

test('the weights of ZeRO 3 are other weights where another shard of its optimizer lies there', async () => {
  const shard = 'global_step5/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt';
  const files = { 'global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt': 'shapes', [shard]: 'parameters' };
  await withFolder(files, async (folder) => {
    const { weights } = await identifyWeights(folder);
    assert.equal(weights.files, 2);
    writeFileSync(join(folder, shard), 'other parameters');
    assert.notEqual((await identifyWeights(folder)).weights.root, weights.root);
  });
});

test('paths sort part by part and by code points', () => {
  assert.deepEqual(['a-b', 'b', 'a/c', 'a', '😀', '\uffff'].sort(comparePaths), [
    'a',
    'a/c',
    'a-b',
    'b',
    '\uffff',
    '😀',
  ]);
});

test(
  'a name that is not UTF-8 is refused, and read as no other name',
  { skip: process.platform !== 'linux' },
  async () => {
    await withFolder({ 'w\ufffd.safetensors': 'of that name' }, async (folder) => {
      const name = Buffer.concat([
        Buffer.from(join(folder, 'w')),
        Buffer.from([0xff]),
        Buffer.from('.safetensors'),
      ]);
      writeFileSync(name, 'never read');
      for (const identify of [digestModel, identifyModel, identifyFolder])
        await assert.rejects(identify(folder), { code: 'bad_model', message: /found w\\xff\.safetensors$/ });
    });
  },
);
