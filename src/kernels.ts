// The kernels alone: pure functions from tensors to a Dispatch, which `gpu.run` compiles and queues.
export type { Activation } from './activations.js';
export * from './errors.js';
export type { Dispatch, StepValues } from './gpu/dispatch.js';
export { Gpu, type GpuInfo, type GpuOptions } from './gpu/gpu.js';
export { Tensor } from './gpu/tensor.js';
export { biasActivation, biasActivationBackward } from './kernels/bias-activation.js';
export { columnStatistics, slicesOf } from './kernels/column-statistics.js';
export { columnSum } from './kernels/column-sum.js';
export { denseHead, type HeadOutputs } from './kernels/dense-head.js';
export { gatherRows, type RowSource } from './kernels/gather-rows.js';
export { type Gate, type MatmulOptions, matmul } from './kernels/matmul.js';
export { type SgdHyperparameters, sgdUpdate } from './kernels/sgd.js';
export { softmax } from './kernels/softmax.js';
export { type LossOutputs, softmaxCrossEntropyRows } from './kernels/softmax-cross-entropy.js';
export {
  predictTiny,
  type TinyNet,
  type TinyOptimizer,
  type TinyOutputs,
  tinyNet,
  trainTiny,
} from './kernels/train-tiny.js';
