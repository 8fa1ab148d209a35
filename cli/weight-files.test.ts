import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseWeights, isCheckpoint, isWeightFile, sayPassedOver } from './weight-files.js';

test('weight files are told from what trainers save beside them', () => {
  for (const name of [
    'model.safetensors',
    'pytorch_model-00001-of-00002.bin',
    'x/model.gguf',
    'a.onnx',
    'flax_model.msgpack',
    'sd-v1-4.ckpt',
    'global_step5/mp_rank_00_model_states.pt',
    'pytorch_model_fsdp_0/__0_0.distcp',
  ]) {
    assert.ok(isWeightFile(name), name);
  }
  for (const name of [
    'optimizer.pt',
    'checkpoint/optimizer.bin',
    'rng_state_0.pth',
    'config.json',
    'training_args.bin',
    'scheduler.pt',
    'sampler.bin',
    'sampler_1.bin',
    'dl_state_dict.bin',
    'odm_dl_state_dict_1.bin',
    'opt_state.msgpack',
    'global_step5/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt',
    'optimizer_0/__0_0.distcp',
  ]) {
    assert.ok(!isWeightFile(name), name);
  }
});

test('which of the weight files are the weights, by what lies beside them', () => {
  const cases: Record<
    string,
    { readonly taken: string[]; readonly passedOver?: string[]; readonly not?: string[] }
  > = {
    'ZeRO 3, not gathered: the optimizer has the parameters': {
      taken: [
        'global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt',
        'global_step5/zero_pp_rank_1_mp_rank_00_model_states.pt',
        'global_step5/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt',
        'global_step5/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt',
      ],
      not: ['rng_state_0.pth', 'scheduler.pt', 'training_args.bin', 'latest', 'zero_to_fp32.py'],
    },
    'ZeRO 3, gathered': {
      taken: ['model.safetensors'],
      passedOver: [
        'global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt',
        'global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt',
      ],
    },
    'ZeRO 2, as the Trainer saves it': {
      taken: ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
      passedOver: ['global_step5/mp_rank_00_model_states.pt'],
      not: ['global_step5/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt'],
    },
    'ZeRO 2 alone: the whole model is in one file': {
      taken: ['global_step5/mp_rank_00_model_states.pt'],
      not: ['global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt'],
    },
    'shards of FSDP, and a file at the top of which nothing says that it is a model': {
      taken: ['pytorch_model_fsdp_0/__0_0.distcp', 'pytorch_model_fsdp_0/__1_0.distcp', 'user_content.pt'],
      not: ['optimizer_0/__0_0.distcp'],
    },
    'parts of a pipeline': { taken: ['unet/model.safetensors', 'vae/model.safetensors'] },
    'an adapter, and the model that it was merged into': {
      taken: ['adapter_model.safetensors'],
      passedOver: ['merged/model.safetensors'],
    },
    'nothing that is known': { taken: [], not: ['ocdbt.process_0/d/00', 'manifest.ocdbt'] },
  };
  for (const [what, { taken, passedOver = [], not = [] }] of Object.entries(cases)) {
    const { weights, passedOver: found } = chooseWeights([...not, ...passedOver, ...taken]);
    assert.deepEqual([...weights].sort(), taken.toSorted(), what);
    assert.deepEqual(found, passedOver, what);
  }
});

test('checkpoints are told by their folders, and a file is none', () => {
  for (const name of ['checkpoint-1000', 'tmp-checkpoint-1000', 'checkpoint-best', 'last-checkpoint']) {
    assert.ok(isCheckpoint(name, 'folder') && isCheckpoint(name, 'other'), name);
    assert.ok(!isCheckpoint(name, 'file'), name);
  }
  for (const name of ['checkpoints', 'best', 'global_step1000'])
    assert.ok(!isCheckpoint(name, 'folder'), name);
  assert.ok(!isCheckpoint('checkpoint-5.pt', 'other'), 'a link to weights is no folder');
});

test('of many files that are passed over some are named', () => {
  assert.equal(sayPassedOver([]), undefined);
  assert.match(
    sayPassedOver(['a/1.pt', 'b/2.pt', 'c/3.pt', 'd/4.pt']) ?? '',
    /a\/1\.pt, b\/2\.pt, c\/3\.pt, … \(4 in all\)/,
  );
});
