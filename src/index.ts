// The public API.
export type { Activation, ActivationName } from './activations.js';
export type { PredictionOutput } from './compile.js';
export type { CsvOptions } from './csv.js';
export {
  Dataset,
  type DatasetOptions,
  type SplitOptions,
  type StreamedSamples,
  type StreamOptions,
} from './dataset.js';
export * from './errors.js';
export { type MoonOptions, moons, type Points, type SpiralOptions, spirals, xor } from './generators.js';
export { Gpu, type GpuInfo, type GpuLoss, type GpuOptions } from './gpu/gpu.js';
export type { PlannedDispatch } from './gpu/plan.js';
export type { MemoryReport } from './gpu/pool.js';
export type { Profile, ProfiledDispatch } from './gpu/profile.js';
export { Tensor } from './gpu/tensor.js';
export { type DenseOptions, dense } from './layers/dense.js';
export type { Layer } from './layers/layer.js';
export type { Loss } from './losses/loss.js';
export { softmaxCrossEntropy } from './losses/softmax-cross-entropy.js';
export { accuracy } from './metrics/accuracy.js';
export type { Metric, Sums } from './metrics/metric.js';
export { Mlp, type PredictInputs, type PredictOptions } from './mlp.js';
export type { ModelOptions, ModelSpec, Normalization, Weight } from './model.js';
export type { Optimizer } from './optimizers/optimizer.js';
export { type SgdOptions, sgd } from './optimizers/sgd.js';
export type { Initializer } from './random.js';
export type { Statistics } from './statistics.js';
export {
  type EpochResult,
  type Evaluation,
  type FitOptions,
  type StepResult,
  Trainer,
  type TrainerOptions,
} from './trainer.js';
