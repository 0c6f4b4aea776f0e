import shader from '../../shaders/weight-update.wgsl';
import { text } from '../check.js';
import { ShapeError } from '../errors.js';
import { type Dispatch, dispatch, type PER_STEP, type Program, program, type StepValues } from '../gpu/dispatch.js';
import { bytesPerElement, type DType, type Storage, Tensor } from '../gpu/tensor.js';
import type { GatheredRows } from './gather-rows.js';
import { WORTH_COMPILING } from './matmul-variants.js';
import type { SgdHyperparameters } from './sgd.js';

/** A dense layer as far as its gradient and its place among the parameters go. */
export interface UpdatedLayer {
  /** (batch, inputs): the layer's input. The first layer's may be rows of a data set that nobody has gathered. */
  readonly A: Tensor | Omit<GatheredRows, 'step'>;
  /** (batch, units): the gradient of the layer's pre-activation. */
  readonly dZ: Tensor;
  /** Where its (inputs, units) weights begin among the parameters; biases, if it has any, follow them. */
  readonly start: number;
  readonly bias: boolean;
  /** Its number in the model, for `status`; its place in the list unless told otherwise. */
  readonly number?: number;
}

/** The names of its tiles. */
export type WeightUpdateVariant = 'weight-update-8x8' | 'weight-update-16x16' | 'weight-update-32x16';

/** Layers that the shader's table has room for. */
export const MOST_LAYERS: number = shader.uniforms.layers.count;
/** WebGPU's default maxComputeWorkgroupsPerDimension. */
const MOST_WORKGROUPS = 65535;

/**
 * Describes all layers' gradients and the update of their parameters, for CPU adapters with subgroups;
 * `shaders/weight-update.wgsl` tells how. The same as `matmul` of Aᵀ and dZ with a row of ones, and `sgdUpdate`.
 * It is fastest for layers that all have their A in one buffer and their dZ in one: of others each workgroup runs an
 * iteration too many.
 * @param layers at most MOST_LAYERS. Those whose operands are not where the first one's are have theirs in at most two
 * buffers, of which one has the first one's dZ
 * @param parameters of all layers, read and written
 * @param velocity as many elements, read and written; zeros before the first step
 * @param status word 1 + n becomes the smallest step that left a parameter of layer n not finite
 * @param step the batch, the learning rate and the number of the step; a plan fills it in at each replay
 * @throws {ShapeError} if shapes or buffers do not fit together
 */
export function weightUpdate(
  layers: readonly UpdatedLayer[],
  parameters: Tensor,
  velocity: Tensor,
  hyper: Omit<SgdHyperparameters, 'watch'>,
  status: Tensor<'u32'>,
  step: StepValues | typeof PER_STEP,
): Dispatch {
  const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = hyper;
  const [first] = layers;
  if (first === undefined || layers.length > MOST_LAYERS) {
    throw new ShapeError(`weightUpdate: there are ${layers.length} layers; it takes 1 to ${MOST_LAYERS}.`);
  }
  const [K = 1] = first.dZ.shape;
  const sizes = layers.map((layer, place) => sizeOf(layer, place, K, parameters, status));
  if (velocity.length !== parameters.length) {
    throw new ShapeError(
      `weightUpdate: there are ${parameters.length} parameters and ${velocity.length} velocities; they must be as many.`,
    );
  }
  const gathered = 'source' in first.A ? first.A : undefined;
  const data = stored(first.A);
  const even = first.dZ.storage;
  const far = layers.filter(({ A, dZ }, place) => {
    return place > 0 && (gathered !== undefined || stored(A).storage !== data.storage || dZ.storage !== even);
  });
  const storages = new Set(far.flatMap(({ A, dZ }) => [stored(A).storage, dZ.storage]));
  storages.delete(even);
  const [odd, ...others] = storages;
  if (others.length > 0) {
    throw new ShapeError(
      `weightUpdate: "${data.label}" and "${even.label}" have the operands of the first layer, but not those of ${far.length} others. These may be in "${even.label}" and one more buffer, but are in ${[...storages].map(({ label }) => `"${label}"`).join(', ')}.`,
    );
  }
  const isOdd = ({ storage }: Pick<Tensor, 'storage'>): boolean => storage !== even;
  const sources = layers.map((layer) =>
    far.includes(layer) ? 1 + (isOdd(stored(layer.A)) ? 1 : 0) + (isOdd(layer.dZ) ? 2 : 0) : 0,
  );
  const bytes = data.dtype === 'u8';
  const [scale, shift] = gathered?.source.common ?? [1, 0];
  const overrides = {
    GATHERED: gathered !== undefined,
    BYTES: bytes,
    ALIGNED: bytes && (sizes[0]?.M ?? 1) % 4 === 0 && data.start % 4 === 0,
    BOTH_EVEN: sources.includes(1),
    A_ODD: sources.includes(2),
    DZ_ODD: sources.includes(3),
    BOTH_ODD: sources.includes(4),
    K_TAIL: K % 4 !== 0,
    NESTEROV: nesterov,
  };
  const elements = sizes.reduce((sum, { M, N }) => sum + M * N, 0);
  const one = (variant: WeightUpdateVariant, rows: number, columns: number, later?: Program): Program =>
    program(shader, { ...overrides, LARGE: columns > 8, TALL: rows > 16 }, grid(sizes, 2 * rows, 2 * columns), {
      variant,
      suits: ({ features }) => features.has('subgroups'),
      prefers: ({ software }) => software,
      later,
    });
  const large = one('weight-update-16x16', 16, 16);
  const small = one('weight-update-8x8', 8, 8, elements * K < WORTH_COMPILING ? undefined : large);
  const names = sizes.map(({ M, N }, place) => `${M + (layers[place]?.bias ? 1 : 0)}×${N}`);
  return dispatch(shader, {
    label: `weight-update ${names.join(' ')} ×${K}`,
    programs: [small, large, one('weight-update-32x16', 32, 16)],
    uniforms: {
      // Without momentum there is no velocity to dampen, as in PyTorch.
      dims: {
        layers: layers.length,
        K,
        scale,
        shift,
        momentum,
        dampening: momentum === 0 ? 0 : dampening,
        weight_decay: weightDecay,
      },
      layers: layers.map((layer, place) => ({
        M: sizes[place]?.M ?? 0,
        N: sizes[place]?.N ?? 0,
        A: stored(layer.A).start,
        dZ: layer.dZ.start,
        parameters: layer.start,
        bias: layer.bias ? 1 : 0,
        source: sources[place] ?? 0,
        status: 1 + (layer.number ?? place),
      })),
      step,
    },
    buffers: {
      data: whole(data.storage, data.dtype),
      order: gathered?.source.order,
      even: whole(even, 'f32'),
      odd: odd && whole(odd, 'f32'),
      parameters,
      velocity,
      status,
    },
    flops: 2 * elements * K + 6 * parameters.length,
  });
}

/** The tensor that a layer's input is read from. */
const stored = (A: UpdatedLayer['A']): Tensor | Tensor<'u8'> => ('source' in A ? A.source.data : A);

/** All of a buffer: a layer's place in it is a number in the table. */
function whole<T extends DType>(storage: Storage, dtype: T): Tensor<T> {
  return new Tensor(storage, 0, [Math.floor(storage.byteLength / bytesPerElement(dtype))], dtype);
}

/** Inputs and units, if everything fits. */
function sizeOf(
  { A, dZ, start, bias, number }: UpdatedLayer,
  place: number,
  K: number,
  parameters: Tensor,
  status: Tensor<'u32'>,
): { readonly M: number; readonly N: number } {
  const gathered = 'source' in A;
  const [rows, M = 0] = gathered ? [A.batch, A.source.data.shape[1]] : A.shape;
  const [batch, N = 0] = dZ.shape;
  const name = number ?? place;
  const end = start + (M + (bias ? 1 : 0)) * N;
  if (rows !== K || batch !== K || dZ.shape.length !== 2 || M === 0 || (gathered && place > 0)) {
    throw new ShapeError(
      `weightUpdate: of layer ${name} A is ${text([rows ?? 0, M])}${gathered ? ' of a data set' : ''} and dZ is ${text(dZ.shape)}; they are (batch, inputs) and (batch, units), batch = ${K}, and only the first layer's A may be rows of a data set.`,
    );
  }
  if (end > parameters.length || name + 2 > status.length) {
    throw new ShapeError(
      `weightUpdate: layer ${name} has parameters up to ${end} and word ${name + 1} of status, but there are ${parameters.length} parameters and ${status.length} words.`,
    );
  }
  return { M, N };
}

/** Workgroups that compute `rows` × `columns` elements of a layer's dW each: in x as far as a dimension goes, then in y. */
function grid(
  sizes: readonly { readonly M: number; readonly N: number }[],
  rows: number,
  columns: number,
): readonly [number, number] {
  const workgroups = sizes.reduce((sum, { M, N }) => sum + Math.ceil(M / rows) * Math.ceil(N / columns), 0);
  const y = Math.ceil(workgroups / MOST_WORKGROUPS);
  return [Math.ceil(workgroups / y), y];
}
