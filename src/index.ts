// The public API.
export type { Activation, ActivationName, Sharing } from './activations.js';
export type { Clip } from './adjust.js';
export type { CheckGradientsOptions, GradientCheck, GradientChecks } from './check-gradients.js';
export type { CsvOptions } from './csv.js';
export {
  Dataset,
  type DatasetOptions,
  type SplitOptions,
  type StreamedSamples,
  type StreamOptions,
} from './dataset.js';
export type {
  DiagnoseOptions,
  Diagnosis,
  Histogram,
  LayerDiagnosis,
  LossSurface,
  LossSurfaceOptions,
} from './diagnostics.js';
export type { EarlyStoppingOptions } from './early-stopping.js';
export * from './errors.js';
export type { Evaluation } from './evaluation.js';
export type { EpochResult, FitOptions, History, StepResult } from './fit-options.js';
export { type MoonOptions, moons, type Points, type SpiralOptions, spirals, xor } from './generators.js';
export { Gpu, type GpuInfo, type GpuLoss, type GpuOptions } from './gpu/gpu.js';
export type { PlannedDispatch } from './gpu/plan.js';
export type { MemoryReport } from './gpu/pool.js';
export type { Profile, ProfiledDispatch } from './gpu/profile.js';
export { Tensor } from './gpu/tensor.js';
export type { Initializer } from './initializers.js';
export type { Penalties } from './kernels/update.js';
export { type BatchNormLayerOptions, batchNorm } from './layers/batch-norm.js';
export { type DenseOptions, dense, type Maxout } from './layers/dense.js';
export { dropout } from './layers/dropout.js';
export type {
  Layer,
  LayerContext,
  ParameterBlock,
  ParameterSpec,
  PlacedLayer,
  Purpose,
  RecordedLayer,
} from './layers/layer.js';
export { type LayerNormOptions, layerNorm } from './layers/layer-norm.js';
export { type ResidualOptions, residual } from './layers/residual.js';
export type { Link } from './link.js';
export { type BinaryCrossEntropyOptions, binaryCrossEntropy } from './losses/binary-cross-entropy.js';
export { type HuberOptions, huber } from './losses/huber.js';
export type { Loss } from './losses/loss.js';
export { meanAbsoluteError } from './losses/mean-absolute-error.js';
export { meanSquaredError } from './losses/mean-squared-error.js';
export { type SoftmaxCrossEntropyOptions, softmaxCrossEntropy } from './losses/softmax-cross-entropy.js';
export { accuracy } from './metrics/accuracy.js';
export { classificationError } from './metrics/classification-error.js';
export { confusionMatrix } from './metrics/confusion-matrix.js';
export { f1 } from './metrics/f1.js';
export { mae } from './metrics/mae.js';
export type { Metric, Sums, Tally, Task } from './metrics/metric.js';
export { precision } from './metrics/precision.js';
export { r2 } from './metrics/r2.js';
export { recall } from './metrics/recall.js';
export { topK } from './metrics/top-k.js';
export { type LoadOptions, Mlp, type SaveOptions } from './mlp.js';
export type { ModelOptions, ModelSpec, Normalization, Weight } from './model.js';
export type { LayerMakers } from './model-file.js';
export { type AdagradOptions, adagrad } from './optimizers/adagrad.js';
export { type AdamOptions, adam, adamw } from './optimizers/adam.js';
export type { Optimizer } from './optimizers/optimizer.js';
export { type RmspropOptions, rmsprop } from './optimizers/rmsprop.js';
export { type SgdOptions, sgd } from './optimizers/sgd.js';
export type { PredictInputs, PredictionOutput, PredictOptions } from './prediction.js';
export { constant } from './schedules/constant.js';
export { type CosineOptions, cosine } from './schedules/cosine.js';
export { exponentialDecay } from './schedules/exponential-decay.js';
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './schedules/reduce-on-plateau.js';
export type { Position, Schedule, ScheduleState } from './schedules/schedule.js';
export { type StepDecayOptions, stepDecay } from './schedules/step-decay.js';
export { type WarmUpOptions, warmUp } from './schedules/warm-up.js';
export type { Statistics } from './statistics.js';
export { Trainer } from './trainer.js';
export type { TrainerOptions } from './training.js';
