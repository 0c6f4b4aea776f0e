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

/** The results of a run of steps. */
export interface TinyOutputs {
  /** (3, batch): of each row of the batch the losses and the hits, which are added to, and its last loss. */
  readonly results: Tensor;
  /** (1 + layers): the first step whose loss, or whose parameters of a layer, are not finite. Start it at 0xffffffff. */
  readonly status: Tensor<'u32'>;
}

/** `velocity` has as many elements as there are parameters, read and written; without momentum there is none. */
export type TinyOptimizer = Omit<SgdHyperparameters, 'watch'> & { readonly velocity?: Tensor | undefined };

/**
 * Describes consecutive steps of training in one dispatch; `shaders/fused/train-tiny.wgsl` tells how.
 * @param source labels are (samples, 1) class indices as u32, or (samples, outputs) probabilities as f32
 * @param parameters all layers' in one flat tensor, each layer's from a multiple of `PARAMETER_BLOCK` elements on; read and written
 * @param optimizer `undefined` for an evaluation, which changes nothing but `outputs`
 * @param step all rows of the run, and the number of its first step; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
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
 * Describes the last layer's outputs for rows of a source.
 * @param logits (rows, outputs), overwritten
 * @param step where the rows begin, and how many there are; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
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
  const { parameters: count, values, gradients, forward, multiplyAdds } = measure(net);
  const [inputs = 1] = sizes;
  const classes = sizes.at(-1) ?? 1;
  const layers = sizes.length - 1;
  const words = labels.shape[1] ?? 1;
  const what = status === undefined ? 'predict' : training ? 'train' : 'evaluate';
  const label = `${what}-tiny ${sizes.join('-')} batch ${batch}`;
  const velocity = velocityOf(label, optimizer?.velocity, momentum);
  const expected: readonly (readonly [name: string, found: number | undefined, expected: number])[] = [
    ['columns of data', data.shape[1], inputs],
    ['numbers of normalization', normalization.length, 2 * inputs],
    ['numbers of parameters', parameters.length, count],
    ['numbers of velocity', velocity?.length ?? count, count],
    ['columns of labels', words, status === undefined ? words : labels.dtype === 'u32' ? 1 : classes],
    ['columns of results', results.shape[1], status === undefined ? classes : batch],
    ['rows of results', status === undefined ? 3 : results.shape[0], 3],
    // An evaluation notes losses alone.
    ['numbers of status', training ? status?.length : layers + 1, layers + 1],
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
    // Of one batch; how many there are is known to the step alone.
    flops: 2 * (training ? multiplyAdds : forward),
  });
  return { ...described, run: true };
}
