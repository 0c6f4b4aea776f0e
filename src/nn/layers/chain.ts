import { activationGradientOf } from '../../kernels/activation-gradient.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { PlacedLayer, RecordedLayer } from './layer.js';

/** A sequence of recorded layers, which can be used as one recorded layer. */
export interface RecordedChain extends RecordedLayer {
  /** The output of each layer. The output of a layer that recorded nothing is its input. */
  readonly outputs: readonly Tensor[];
}

/**
 * Records a sequence of layers, each with the output of the previous one as its input.
 * @returns undefined if no layer recorded anything
 */
export function recordChain(plan: PlanBuilder, X: Tensor, layers: readonly PlacedLayer[]): RecordedChain | undefined {
  const recorded: RecordedLayer[] = [];
  const outputs: Tensor[] = [];
  let output = X;
  for (const { layer, block, context } of layers) {
    const result = layer.record(plan, output, block, context);
    if (result !== undefined) recorded.push(result);
    output = result?.output ?? output;
    outputs.push(output);
  }
  if (recorded.length === 0) return undefined;
  return {
    output,
    outputs,
    activationGradient: activationGradientOf(recorded.at(-1)),
    backward(gradient, below) {
      let d = gradient;
      for (const [number, layer] of [...recorded.entries()].reverse()) {
        d = layer.backward(d, number === 0 ? below : activationGradientOf(recorded[number - 1]));
      }
      return d;
    },
  };
}
