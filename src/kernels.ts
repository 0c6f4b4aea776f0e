/// <reference lib="esnext.disposable" preserve="true" />
// The kernels alone: pure functions that describe a kernel call as a Dispatch, which `gpu.run` compiles and queues.

export * from './base/errors.js';
export type { Numbers } from './base/values.js';
export { Gpu, type GpuInfo, type GpuOptions } from './gpu/gpu.js';
export type { ActivationGradient, Gate } from './kernels/activation-gradient.js';
export type { Activation } from './kernels/activations.js';
export { type AdagradHyperparameters, adagradUpdate } from './kernels/adagrad.js';
export { type AdamHyperparameters, adamCorrections, adamUpdate } from './kernels/adam.js';
export { type AddOptions, add } from './kernels/add.js';
export {
  type BatchNormOptions,
  batchNormRows,
  batchNormRowsBackward,
  batchNormRunningBackward,
  type NormGradients,
} from './kernels/batch-norm.js';
export { batchShare } from './kernels/batch-share.js';
export { biasActivation, biasActivationBackward } from './kernels/bias-activation.js';
export { type ClassCountsForm, classCounts } from './kernels/class-counts.js';
export { columnStatistics } from './kernels/column-statistics.js';
export { columnSum } from './kernels/column-sum.js';
export { denseHead, type HeadOutputs } from './kernels/dense-head.js';
export { type DropoutStream, dropElements } from './kernels/dropout.js';
export { type ElementwiseLoss, elementwiseLossRows } from './kernels/elementwise-loss.js';
export { columnExtremes } from './kernels/extremes.js';
export {
  gatherRows,
  type LabelledDispatch,
  type Labels,
  type LabelTensor,
  type RowSource,
} from './kernels/gather-rows.js';
export { euclideanNorm, gradientNorm } from './kernels/gradient-norm.js';
export { histogram } from './kernels/histogram.js';
export { layerNormParameters, layerNormRows, layerNormRowsBackward } from './kernels/layer-norm.js';
export {
  type LearnedActivation,
  learnedActivation,
  learnedActivationBackward,
} from './kernels/learned-activation.js';
export { matmul, splitMatmul } from './kernels/matmul/any-adapter.js';
export type { MatmulDispatch, MatmulOptions } from './kernels/matmul/matmul.js';
export { maxout, maxoutBackward } from './kernels/maxout.js';
export { type RmspropHyperparameters, rmspropUpdate } from './kernels/rmsprop.js';
export { runningAverage } from './kernels/running-average.js';
export { type ScoreCountsForm, scoreCounts } from './kernels/score-counts.js';
export { type SgdHyperparameters, sgdUpdate } from './kernels/sgd.js';
export { type Plane, shiftParameters } from './kernels/shift-parameters.js';
export { type SoftmaxForm, softmax } from './kernels/softmax.js';
export { type CrossEntropyForm, type LossOutputs, softmaxCrossEntropyRows } from './kernels/softmax-cross-entropy.js';
export { weightUpdate } from './kernels/software/weight-update.js';
export {
  predictTiny,
  type TinyNet,
  type TinyOptimizer,
  type TinyOutputs,
  tinyNet,
  trainTiny,
} from './kernels/train-tiny.js';
export { transpose } from './kernels/transpose.js';
export { valueSums } from './kernels/value-sums.js';
export type { PlanBuilder } from './plan/builder.js';
export {
  type AdapterTraits,
  type Dispatch,
  dispatch,
  linearGrid,
  PER_STEP,
  type Program,
  program,
  type StepValues,
} from './plan/dispatch.js';
export { type Access, defineShader, type Shader, type ShaderDeclaration, type Word } from './plan/shader.js';
export { Tensor, unaligned } from './plan/tensor.js';
