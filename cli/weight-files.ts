// Which of a folder's files hold the weights of its model, by their names alone, as spec/bundle.md has it.
const WEIGHT_FILE = /\.(safetensors|gguf|onnx|h5|npz|pt|pth|bin|distcp|msgpack|ckpt)$/;
/**
 * What trainers save beside the weights under the same endings: a file, or a folder of FSDP's shards such as
 * `optimizer_0/`. `opt_state` is Flax's.
 */
const NOT_WEIGHTS = /^(optimizer|scheduler|scaler|rng_state|training_args|opt_state)/;
/** Where Accelerate's data loaders were. */
const LOADER_STATE = /(^sampler|dl_state_dict)(_[0-9]+)?\.bin$/;
/** DeepSpeed's, one for each rank. */
const OPTIMIZER_SHARD = /_optim_states\.pt$/;
/** DeepSpeed's ZeRO 3: one for each rank, of a model whose parameters are divided among the ranks. */
const DIVIDED_SHARD = /^(bf16_)?zero_pp_rank_[0-9]+_mp_rank_[0-9]+_model_states\.pt$/;
/** Files that hold a model and nothing else; of other endings those that are named so. */
const WHOLE_MODEL = /\.(safetensors|gguf|onnx|h5|msgpack)$|model|^consolidated/;
/** Folders at the top that a trainer keeps earlier weights in. */
const CHECKPOINT = /^((tmp-)?checkpoint-.*|last-checkpoint)$/;

/** Whether a file's path says that it holds weights of the model itself, wherever it lies. */
export function isWeightFile(path: string): boolean {
  const parts = path.split('/');
  const name = parts.at(-1) ?? '';
  return (
    WEIGHT_FILE.test(name) &&
    !OPTIMIZER_SHARD.test(name) &&
    !LOADER_STATE.test(name) &&
    !parts.some((part) => NOT_WEIGHTS.test(part))
  );
}

/**
 * Of the files of a folder, by their paths, those that the model's weights are in, and weight files that are none of
 * them. A model at the top is the model: what lies in folders below is an earlier or another one, or the same in shards.
 */
export function chooseWeights(paths: readonly string[]): { weights: Set<string>; passedOver: string[] } {
  // ZeRO 3 leaves the parameters, in 32 bits, in the optimizer's files alone; its model's files hold their shapes, and buffers.
  const divided = new Set(paths.filter((path) => DIVIDED_SHARD.test(baseOf(path))).map(folderOf));
  const found = paths.filter(
    (path) => isWeightFile(path) || (OPTIMIZER_SHARD.test(path) && divided.has(folderOf(path))),
  );
  const atTop = found.filter((path) => !path.includes('/'));
  const weights = new Set(atTop.some((path) => WHOLE_MODEL.test(path)) ? atTop : found);
  return { weights, passedOver: found.filter((path) => !weights.has(path)) };
}

/** Names in a list that somebody reads. */
const NAMED = 3;

/** Some of a list of names, for somebody to read. */
export function someOf(names: readonly string[]): string {
  return names.slice(0, NAMED).join(', ') + (names.length > NAMED ? `, … (${names.length} in all)` : '');
}

/** What there is to say of weight files that are none of the weights; undefined where there are none. */
export function sayPassedOver(passedOver: readonly string[]): string | undefined {
  if (passedOver.length === 0) return undefined;
  return `the weights are the files at its top; those in folders below (${someOf(passedOver)}) are not among them.`;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * Whether what has this name at the top of a trainer's folder is a checkpoint's folder, or a link to one: `checkpoint-N`,
 * `tmp-checkpoint-N` of one that was never finished, `checkpoint-best`, `last-checkpoint`.
 */
export function isCheckpoint(name: string, kind: 'folder' | 'file' | 'other'): boolean {
  return CHECKPOINT.test(name) && (kind === 'folder' || (kind === 'other' && !isWeightFile(name)));
}
