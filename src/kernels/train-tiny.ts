import shader from '../../shaders/fused/train-tiny.wgsl';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import { resolveActivation } from './activations.js';
import type { RowSource } from './gather-rows.js';
import { type SgdHyperparameters, velocityOf } from './sgd.js';
import { onSoftware } from './software/adapter.js';
import { SUBGROUP_THREADS } from './software/sizes.js';
import { measure, type TinyNet } from './tiny-net.js';

export { type TinyNet, tinyNet } from './tiny-net.js';

/** The tensors that `trainTiny` writes. */
export interface TinyOutputs {
  /**
   * (3, batch), for each row of the batch: the sum of its losses and the number of its hits, both added to, and its
   * loss in the last step. (5, batch) has the low parts of both sums before the last loss, as in `LossOutputs.totals`.
   */
  readonly results: Tensor;
  /**
   * (1 + layers): status[0] becomes the number of the first step whose loss is not finite, status[1 + layer] of the
   * first step after which a parameter of the layer is not finite. Start it at 0xffffffff.
   */
  readonly status: Tensor<'u32'>;
}

/** The optimizer of `trainTiny`: stochastic gradient descent, with the hyperparameters of `sgdUpdate`. */
export type TinyOptimizer = Omit<SgdHyperparameters, 'watch' | 'decayOn'> & {
  /** As many elements as the parameters, read and written. Required with momentum. Default: none. */
  readonly velocity?: Tensor | undefined;
};

/**
 * Describes one dispatch that trains a small network for consecutive steps, batch by batch, with softmax-cross-entropy
 * and stochastic gradient descent.
 * Kernel: `shaders/fused/train-tiny.wgsl`.
 * @param source labels are (samples, 1) class indices as u32, or (samples, outputs) probabilities as f32
 * @param parameters W, then bias of each layer, one flat tensor; each layer begins at the next multiple of 64 elements;
 * read and written
 * @param optimizer `undefined` for an evaluation, which writes only `outputs`
 * @param step `first` and `rows` are the rows of all steps together, `index` is the number of the first step;
 * `PER_STEP` in a recorded plan, which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together, or momentum has no velocity
 * @example
 * gpu.run([trainTiny(net, source, parameters, { results, status }, {}, step)]);
 */
export function trainTiny(
  net: TinyNet,
  source: RowSource,
  parameters: Tensor,
  outputs: TinyOutputs,
  optimizer: TinyOptimizer | undefined,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  return describe(net, source, parameters, outputs, optimizer, step);
}

/**
 * Describes a dispatch that computes the outputs of a small network's last layer for rows of a data set.
 * @param parameters as for `trainTiny`, read only
 * @param logits (rows, outputs), overwritten
 * @param step `first` is the first row in the data set's order, `rows` the number of rows; `PER_STEP` in a recorded
 * plan, which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([predictTiny(net, source, parameters, logits, step)]);
 */
export function predictTiny(
  net: TinyNet,
  source: RowSource,
  parameters: Tensor,
  logits: Tensor,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  return describe(net, source, parameters, { results: logits, status: undefined }, undefined, step);
}

/** Describes training; or an evaluation, without an optimizer; or a prediction, without `status`. */
function describe(
  net: TinyNet,
  { data, labels, order, normalization }: RowSource,
  parameters: Tensor,
  { results, status }: Pick<TinyOutputs, 'results'> & { readonly status: Tensor<'u32'> | undefined },
  optimizer: TinyOptimizer | undefined,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const { sizes, batch, activation } = net;
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = optimizer ?? {};
  const training = optimizer !== undefined;
  const pairs = status !== undefined && results.shape[0] === 5;
  const { parameters: count, values, gradients, forward, multiplyAdds } = measure(net);
  const [inputs = 1] = sizes;
  const classes = sizes.at(-1) ?? 1;
  const layers = sizes.length - 1;
  const words = labels.shape[1] ?? 1;
  const mode = status === undefined ? 'predict' : training ? 'train' : 'evaluate';
  const label = `${mode}-tiny ${sizes.join('-')} batch ${batch}`;
  const velocity = velocityOf(label, optimizer?.velocity, momentum);
  const expected: readonly (readonly [name: string, found: number | undefined, expected: number])[] = [
    ['columns of data', data.shape[1], inputs],
    ['elements of normalization', normalization.length, 2 * inputs],
    ['elements of parameters', parameters.length, count],
    ['elements of velocity', velocity?.length ?? count, count],
    ['columns of labels', words, status === undefined ? words : labels.dtype === 'u32' ? 1 : classes],
    ['columns of results', results.shape[1], status === undefined ? classes : batch],
    ['rows of results', status === undefined ? 3 : results.shape[0], pairs ? 5 : 3],
    // An evaluation writes only status[0].
    ['words of status', training ? status?.length : layers + 1, layers + 1],
  ];
  for (const [name, found, wanted] of expected) {
    if (found !== wanted) throw new ShapeError(`${label}: there are ${found} ${name}; there must be ${wanted}.`);
  }
  const { index, alpha, from } = resolveActivation(activation);
  const overrides = {
    LOSS: status !== undefined,
    UPDATE: training,
    MOMENTUM: velocity !== undefined,
    NESTEROV: nesterov,
    PROBABILITIES: labels.dtype === 'f32',
    BYTES: data.dtype === 'u8',
    PAIRS: pairs,
    ACTIVATION: index,
    ALPHA: alpha,
    FROM_Z: from === 'z',
    BATCH: batch,
    VALUES: values,
    GRADIENTS: gradients,
    LAYERS: layers,
    ...Object.fromEntries(sizes.map((size, number) => [`SIZE_${number}`, size])),
  };
  const grid = [status === undefined ? Math.ceil(results.length / classes / batch) : 1] as const;
  const described = dispatch(shader, {
    label,
    programs: [
      program(shader, { ...overrides, THREADS: SUBGROUP_THREADS }, grid, { prefers: onSoftware }),
      program(shader, overrides, grid),
    ],
    uniforms: {
      hyper: { momentum, dampening, weight_decay: weightDecay },
      step,
    },
    buffers: { data, labels, order, normalization, parameters, velocity, results, status },
    // For one batch: the number of batches is known only when the step runs.
    flops: 2 * (training ? multiplyAdds : forward),
  });
  return { ...described, run: true };
}
