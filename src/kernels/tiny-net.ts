import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import { type Activation, resolveActivation } from './activations.js';
import { TINY_BYTES } from './software/sizes.js';

/** Bytes of workgroup memory: WebGPU's default limit. */
const MOST_BYTES = 16384;
/** As many as the shader has sizes for. */
const MOST_LAYERS = 8;
/** Multiply-adds of a step: with more, one workgroup has too much to do. */
export const MOST_MULTIPLY_ADDS = 32768;
/** Rows of a prediction that a workgroup takes at a time. */
export const PREDICTED_AT_ONCE = 16;

/** A network of dense layers that fits workgroup memory, and the rows of a step. `tinyNet` makes one. */
export interface TinyNet {
  /** Inputs, then the units of each layer. */
  readonly sizes: readonly number[];
  /** Of every layer but the last, which is linear. */
  readonly activation: Activation;
  readonly batch: number;
}

/**
 * The network as the kernel takes it, or the reason why the plan's kernels are the better choice.
 * @param layers as their specs say
 * @param software true for a software adapter
 */
export function tinyNet(
  inputs: number,
  layers: readonly { readonly type: string; readonly units: number; readonly [option: string]: unknown }[],
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

/** True if a network of so many parameters may be one: each counts at least once a row among the multiply-adds of a step. */
export function mayBeTiny(parameterCount: number, batch: number): boolean {
  return parameterCount * batch <= MOST_MULTIPLY_ADDS;
}

/** Elements that the shader has to know of, and multiply-adds: of a forward pass, and of a step. */
interface Measures {
  readonly parameters: number;
  readonly values: number;
  readonly gradients: number;
  readonly forward: number;
  readonly multiplyAdds: number;
  /** Of workgroup memory. */
  readonly bytes: number;
}

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
  // dW and dX are as much each; the first layer has no dX.
  const multiplyAdds = 3 * forward - inputs * firstUnits * batch;
  return { parameters, values, gradients, forward, multiplyAdds, bytes: 4 * (values + gradients) };
}
