import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import { type Activation, resolveActivation } from './activations.js';
import { TINY_BYTES } from './software/sizes.js';

/** The most bytes of workgroup memory: WebGPU's default limit. */
const MOST_BYTES = 16384;
/** The most layers: the shader has as many overrides for sizes. */
const MOST_LAYERS = 8;
/** The most multiply-adds of a step; more would take one workgroup too long. */
export const MOST_MULTIPLY_ADDS = 32768;
/** The most rows that a workgroup predicts at a time. */
export const PREDICTED_AT_ONCE = 16;

/** A network of dense layers that fits in workgroup memory, and its batch size. Made by `tinyNet`. */
export interface TinyNet {
  /** The number of inputs, then the units of each layer. */
  readonly sizes: readonly number[];
  /** The activation of every layer except the last one, which is linear. */
  readonly activation: Activation;
  /** Rows of a step. */
  readonly batch: number;
}

/**
 * Makes the network that `trainTiny` and `predictTiny` run, or returns the reason why the separate kernels of a plan
 * are the better choice: the network is too large, or not all layers are dense with a bias and the same activation, the
 * last one linear.
 * @param inputs number of inputs
 * @param layers specs of the layers
 * @param batch rows of a step
 * @param software true for a software adapter, which gets smaller networks
 * @throws {MlpError} `unknown-activation` or `bad-activation` if an activation is not valid
 * @example
 * const net = tinyNet(2, [{ type: 'dense', units: 3, activation: 'linear', bias: true }], 16, gpu.info.software);
 */
export function tinyNet(
  inputs: number,
  layers: readonly {
    /** `'dense'`. */
    readonly type: string;
    /** Number of the layer's outputs. */
    readonly units: number;
    readonly [option: string]: unknown;
  }[],
  batch: number,
  software: boolean,
): TinyNet | string {
  const last = layers.length - 1;
  if (last >= MOST_LAYERS) return `${last + 1} layers are more than ${MOST_LAYERS}`;
  const activation = last > 0 ? (layers[0]?.activation as Activation) : 'linear';
  for (const [number, { type, bias, activation: own }] of layers.entries()) {
    if (type !== 'dense' || bias !== true) return `layer ${number} is not dense with a bias`;
    const { index, alpha } = resolveActivation(own as Activation);
    const wanted = resolveActivation(number < last ? activation : 'linear');
    if (index !== wanted.index || alpha !== wanted.alpha)
      return `layer ${number}'s activation is not ${number < last ? "layer 0's" : 'linear'}`;
  }
  const net = { sizes: [inputs, ...layers.map(({ units }) => units)], activation, batch };
  const { bytes, multiplyAdds } = measure(net);
  const most = software ? TINY_BYTES : MOST_BYTES;
  if (bytes > most) return `${bytes} bytes of workgroup memory are more than ${most}`;
  return multiplyAdds > MOST_MULTIPLY_ADDS
    ? `${multiplyAdds} multiply-adds a step are more than ${MOST_MULTIPLY_ADDS}`
    : net;
}

/** True if a network of this size can be tiny: a step has at least a multiply-add for each parameter and row. */
export function mayBeTiny(parameterCount: number, batch: number): boolean {
  return parameterCount * batch <= MOST_MULTIPLY_ADDS;
}

/** The sizes of a tiny network. */
interface Measures {
  /** Elements of the flat tensor of parameters. */
  readonly parameters: number;
  /** The override VALUES: elements of the inputs and of each layer's outputs. */
  readonly values: number;
  /** The override GRADIENTS: elements of the gradients of the layers' outputs. */
  readonly gradients: number;
  /** Multiply-adds of a forward pass. */
  readonly forward: number;
  /** Multiply-adds of a step. */
  readonly multiplyAdds: number;
  /** Bytes of workgroup memory. */
  readonly bytes: number;
}

/** Computes the sizes of a tiny network. */
export function measure({ sizes, batch }: TinyNet): Measures {
  const [inputs = 1, firstUnits = 1] = sizes;
  let parameters = 0;
  let values = inputs * batch;
  let forward = 0;
  for (const [layer, units] of sizes.slice(1).entries()) {
    const below = sizes[layer] ?? 1;
    parameters += Math.ceil(((below + 1) * units) / PARAMETER_BLOCK) * PARAMETER_BLOCK;
    values += (units + 1) * batch; // a feature of ones for each layer's bias
    forward += below * units * batch;
  }
  const gradients = values - (inputs + 1) * batch;
  // dW and dX take as many multiply-adds each as the forward pass; the first layer has no dX.
  const multiplyAdds = 3 * forward - inputs * firstUnits * batch;
  return { parameters, values, gradients, forward, multiplyAdds, bytes: 4 * (values + gradients) };
}
