/// <reference lib="esnext.disposable" preserve="true" />
// The public API in reading order. `kernels.ts` is the other entry: the kernels alone.

// Device and data: the GPU, tensors on it, and data sets with what makes them.

export type { ByteSource } from './base/bytes.js';
export type { Numbers } from './base/values.js';
export type { CsvOptions } from './data/csv.js';
export {
  Dataset,
  type DatasetOptions,
  type SplitOptions,
  type StreamedSamples,
  type StreamOptions,
} from './data/dataset.js';
export type { EncodedColumn, Encoder, Missing } from './data/encoder.js';
export type { ColumnId, TableOptions } from './data/labelled-table.js';
export type { ClassLabels, ClassOptions } from './data/labels.js';
export type { Inputs, Targets } from './data/minibatch.js';
export type { TableRow } from './data/rows.js';
export type { Statistics } from './data/statistics.js';
export { type MoonOptions, moons, type Points, type SpiralOptions, spirals, xor } from './data/toy.js';
export { Gpu, type GpuInfo, type GpuLoss, type GpuOptions } from './gpu/gpu.js';
export type { Profile, ProfiledDispatch } from './gpu/profile.js';
export type { Device, DeviceInfo } from './plan/device.js';
export type { DeviceBuffer, DeviceMemory, MemoryReport } from './plan/memory.js';
export { Tensor } from './plan/tensor.js';

// Model: predicts, is saved and loaded. Its trainer, with options and results.

export { type LoadOptions, Mlp, type SaveOptions } from './mlp.js';
export type { LayerMakers } from './model/file.js';
export type { ModelOptions, ModelSpec, Weight } from './model/model.js';
export type { Normalization } from './model/normalization.js';
export type { PredictInputs, PredictionOutput, PredictOptions } from './model/predict.js';
export type { Link } from './nn/output.js';
export type { PlannedDispatch } from './plan/plan.js';
export type { Clip } from './train/clip.js';
export { crossValidate } from './train/cross-validate.js';
export type { EarlyStoppingOptions } from './train/early-stopping.js';
export type { Ema } from './train/ema.js';
export type { CrossValidation, CrossValidationOptions, FoldOptions, FoldResult } from './train/folds.js';
export type { CheckGradientsOptions, GradientCheck, GradientChecks } from './train/inspect/check-gradients.js';
export type { DiagnoseOptions, Diagnosis, Histogram, LayerDiagnosis } from './train/inspect/diagnose.js';
export type { LossSurface, LossSurfaceOptions } from './train/inspect/loss-surface.js';
export type {
  EpochResult,
  EvaluateOptions,
  Evaluation,
  FitOptions,
  History,
  StepResult,
  TrainerOptions,
} from './train/options.js';
export { Trainer } from './train/trainer.js';

// Layers: their activations and initial values, and the interfaces of a layer of your own.

export type { Activation, ActivationName, Sharing } from './kernels/activations.js';
export type { Initializer } from './nn/initializers.js';
export { activation } from './nn/layers/activation.js';
export { type BatchNormLayerOptions, batchNorm } from './nn/layers/batch-norm.js';
export { type DenseOptions, dense, type Maxout } from './nn/layers/dense.js';
export { dropout } from './nn/layers/dropout.js';
export type {
  Layer,
  LayerContext,
  LayerKernels,
  ParameterBlock,
  ParameterSpec,
  PlacedLayer,
  Purpose,
  RecordedLayer,
} from './nn/layers/layer.js';
export { type LayerNormOptions, layerNorm } from './nn/layers/layer-norm.js';
export { type ResidualOptions, residual } from './nn/layers/residual.js';
export type { TrainableOptions } from './nn/layers/trainable.js';

// Losses: functions of a model's last outputs and the labels.

export { type BinaryCrossEntropyOptions, binaryCrossEntropy } from './nn/losses/binary-cross-entropy.js';
export { type HuberOptions, huber } from './nn/losses/huber.js';
export { logCosh } from './nn/losses/log-cosh.js';
export type { Loss } from './nn/losses/loss.js';
export { meanAbsoluteError } from './nn/losses/mean-absolute-error.js';
export { meanSquaredError } from './nn/losses/mean-squared-error.js';
export { type SoftmaxCrossEntropyOptions, softmaxCrossEntropy } from './nn/losses/softmax-cross-entropy.js';

// Optimizers: PyTorch's update rules, and regularization.

export type { Penalties, Regularization } from './kernels/update.js';
export { type AdagradOptions, adagrad } from './nn/optimizers/adagrad.js';
export { type AdamOptions, adam, adamw } from './nn/optimizers/adam.js';
export type { Optimizer } from './nn/optimizers/optimizer.js';
export { type RmspropOptions, rmsprop } from './nn/optimizers/rmsprop.js';
export { type SgdOptions, sgd } from './nn/optimizers/sgd.js';
export type { WeightDecay } from './nn/optimizers/weight-decay.js';

// Schedules: the learning rate from step to step.

export { constant } from './nn/schedules/constant.js';
export { type CosineOptions, cosine } from './nn/schedules/cosine.js';
export { exponentialDecay } from './nn/schedules/exponential-decay.js';
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './nn/schedules/reduce-on-plateau.js';
export type { Position, Schedule, ScheduleState } from './nn/schedules/schedule.js';
export { type StepDecayOptions, stepDecay } from './nn/schedules/step-decay.js';
export { type WarmUpOptions, warmUp } from './nn/schedules/warm-up.js';

// Metrics: numbers reported beside the loss.

export { accuracy } from './nn/metrics/accuracy.js';
export { type AucOptions, auc } from './nn/metrics/auc.js';
export { classificationError } from './nn/metrics/classification-error.js';
export type { Average, AverageOptions } from './nn/metrics/confusion.js';
export { confusionMatrix } from './nn/metrics/confusion-matrix.js';
export { f1 } from './nn/metrics/f1.js';
export { mae } from './nn/metrics/mae.js';
export type { Accumulator, Metric, Sums, Tally, Task } from './nn/metrics/metric.js';
export { precision } from './nn/metrics/precision.js';
export { r2 } from './nn/metrics/r2.js';
export { recall } from './nn/metrics/recall.js';
export { topK } from './nn/metrics/top-k.js';

// Errors: all extend MlpError and have a `code`.

export * from './base/errors.js';
