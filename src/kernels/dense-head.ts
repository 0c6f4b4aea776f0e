import shader from '../../shaders/fused/dense-head.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, type Program, program, type StepValues } from '../plan/dispatch.js';
import { type Tensor, unaligned } from '../plan/tensor.js';
import type { ActivationGradient } from './activation-gradient.js';
import { resolveActivation } from './activations.js';
import type { RowSource } from './gather-rows.js';
import type { LossOutputs } from './softmax-cross-entropy.js';
import { onHardware, onSoftware } from './software/adapter.js';
import { type HeadSize, serialHeads } from './software/sizes.js';

/** The most classes that the kernel computes; for more, a separate matmul is faster. */
export const MOST_CLASSES = 64;

/** The results of `denseHead`: the outputs of the loss, and the gradients for the backward pass. */
export type HeadOutputs = Omit<LossOutputs, 'gradient'> &
  (
    | {
        /** Default: none, so that only the loss is computed. */
        readonly gradient?: undefined;
        /** Default: none. */
        readonly dX?: undefined;
      }
    | {
        /** (batch, classes), overwritten: ∂(mean loss)/∂logits. */
        readonly gradient: Tensor;
        /** (batch, inputs), overwritten: ∂(mean loss)/∂Y, times f′ with an activation gradient. Default: none. */
        readonly dX?: Tensor | undefined;
      }
  );

/**
 * Describes one dispatch for the end of a classifier: logits = Y·W + b, the softmax-cross-entropy of each row and its
 * sums, and, if `outputs` asks for them, the gradient of the logits and dX = (gradient·Wᵀ) ⊙ f′. It computes the same
 * as `matmul`, `softmaxCrossEntropyRows` and a `matmul` with an activation gradient, and reads the labels from the data
 * set without `gatherRows`.
 * Kernel: `shaders/fused/dense-head.wgsl`.
 *
 * The kernel binds ten storage buffers, more than WebGPU's default limit, so that some adapters cannot run it. A
 * software adapter prefers no program for more than 16 classes: the separate kernels are then faster.
 * @param Y (batch, inputs): the outputs of the layer below
 * @param parameters (inputs, classes): W; or (inputs + 1, classes): W, and b in the last row
 * @param source row r of the batch has the labels of sample `order[step.first + r]`; labels are (samples, 1) class
 * indices as u32, or (samples, classes) probabilities as f32
 * @param outputs tensors that the kernel writes
 * @param step `first` is the first row of the batch in `order`, `rows` the number of valid rows, `index` the number of
 * the step; `PER_STEP` in a recorded plan, which sets them at each replay
 * @param activationGradient the activation of the layer below and its argument, (batch, inputs). Default: none, f′ = 1.
 * @throws {ShapeError} if the shapes do not fit together, or there are more than 64 classes
 * @throws {MlpError} `unknown-activation` or `bad-activation` if the activation of `activationGradient` is not valid
 * @example
 * gpu.run([denseHead(Y, W, { labels, order }, { losses, totals, status }, step)]);
 */
export function denseHead(
  Y: Tensor,
  parameters: Tensor,
  source: Pick<RowSource, 'labels' | 'order'>,
  outputs: HeadOutputs,
  step: StepValues | typeof PER_STEP,
  activationGradient?: ActivationGradient,
): Dispatch {
  const { labels, order } = source;
  const { gradient, dX } = outputs;
  const [rows = 1, inputs = 1] = Y.shape;
  const [stored = 1, classes = 1] = parameters.shape;
  const [samples = 1] = labels.shape;
  const indices = labels.dtype === 'u32';
  const bias = stored === inputs + 1;
  const pairs = outputs.totals.length === 4 * rows;
  if (classes > MOST_CLASSES) {
    throw new ShapeError(`denseHead: there are ${classes} classes, but it computes at most ${MOST_CLASSES}.`);
  }
  const shapes: Readonly<Record<string, readonly [Tensor | Tensor<'u32'> | undefined, ...number[]]>> = {
    Y: [Y, rows, inputs],
    parameters: [parameters, inputs + (bias ? 1 : 0), classes],
    labels: [labels, samples, indices ? 1 : classes],
    losses: [outputs.losses, rows, 1],
    totals: [outputs.totals, pairs ? 4 : 2, rows],
    gradient: [gradient, rows, classes],
    dX: [dX, rows, inputs],
    activationGradient: [activationGradient?.at, rows, inputs],
  };
  for (const [name, [tensor, ...expected]] of Object.entries(shapes)) {
    if (tensor !== undefined && tensor.shape.join() !== expected.join()) {
      throw new ShapeError(
        `denseHead: ${name} is ${formatShape(tensor.shape)}, but must be ${formatShape(expected)}: Y is ${formatShape(Y.shape)}, parameters are ${formatShape(parameters.shape)} and labels ${formatShape(labels.shape)}.`,
      );
    }
  }
  const { index, alpha } = resolveActivation(activationGradient?.activation ?? 'linear');
  const start = activationGradient && unaligned(activationGradient.at);
  const quads = Math.ceil(classes / 4);
  // A GPU has registers for three groups.
  const sliced: HeadSize = { GROUPS: quads <= 3 ? quads : 2, SLICES: 64, BLOCKS: 1 };
  const form = (variant: string, size: HeadSize, prefers: Program['prefers']): Program => {
    const overrides = {
      PROBABILITIES: !indices,
      BIAS: bias,
      BACKWARD: gradient !== undefined,
      BELOW: dX !== undefined,
      ACTIVATION_GRADIENT: activationGradient !== undefined,
      PAIRS: pairs,
      ACTIVATION: index,
      ALPHA: alpha,
      ...size,
      CHUNKS: Math.ceil(quads / size.GROUPS),
    };
    return program<typeof shader, string>(shader, overrides, [Math.ceil(rows / (4 * size.BLOCKS))], {
      variant,
      suits: ({ limits }) => limits.maxStorageBuffersPerShaderStage >= 10,
      prefers,
    });
  };
  return dispatch(shader, {
    label: `dense-head ${rows}×${classes}×${inputs}`,
    programs: [
      ...serialHeads(quads).map((size) => form('dense-head-serial', size, onSoftware)),
      form('dense-head', sliced, onHardware),
    ],
    uniforms: { dims: { rows, classes, inputs, kept_offset: start?.offset ?? 0 }, step },
    buffers: { ...outputs, Y, parameters, kept: start?.base, labels, order, gradient, dX },
    flops: 2 * rows * classes * (dX === undefined ? inputs + 4 : 2 * inputs + 4),
  });
}
