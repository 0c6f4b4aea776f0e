// The kernels alone: pure functions from tensors to a Dispatch, which `gpu.run` compiles and queues.
export type { Activation } from './activations.js';
export * from './errors.js';
export type { Dispatch, StepValues } from './gpu/dispatch.js';
export { Gpu, type GpuInfo, type GpuOptions } from './gpu/gpu.js';
export { Tensor } from './gpu/tensor.js';
export { type AdagradHyperparameters, adagradUpdate } from './kernels/adagrad.js';
export { type AdamHyperparameters, adamCorrections, adamUpdate } from './kernels/adam.js';
export { biasActivation, biasActivationBackward } from './kernels/bias-activation.js';
export { type ClassCountsForm, classCounts } from './kernels/class-counts.js';
export { columnSum } from './kernels/column-sum.js';
export { denseHead, type HeadOutputs } from './kernels/dense-head.js';
export { type ElementwiseLoss, elementwiseLossRows } from './kernels/elementwise-loss.js';
export {
  gatherRows,
  type LabelledDispatch,
  type Labels,
  type LabelTensor,
  type RowSource,
} from './kernels/gather-rows.js';
export { gradientNorm, normSums } from './kernels/gradient-norm.js';
export {
  type LearnedActivation,
  learnedActivation,
  learnedActivationBackward,
} from './kernels/learned-activation.js';
export { type Gate, type MatmulOptions, matmul } from './kernels/matmul.js';
export { maxout, maxoutBackward } from './kernels/maxout.js';
export { type RmspropHyperparameters, rmspropRows, rmspropUpdate } from './kernels/rmsprop.js';
export { type SgdHyperparameters, sgdUpdate } from './kernels/sgd.js';
export { type SoftmaxForm, softmax } from './kernels/softmax.js';
export { type CrossEntropyForm, type LossOutputs, softmaxCrossEntropyRows } from './kernels/softmax-cross-entropy.js';
export {
  predictTiny,
  type TinyNet,
  type TinyOptimizer,
  type TinyOutputs,
  tinyNet,
  trainTiny,
} from './kernels/train-tiny.js';
export { valueSums } from './kernels/value-sums.js';
