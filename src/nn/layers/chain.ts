import { activationGradientOf } from '../../kernels/activation-gradient.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { PlacedLayer, RecordedLayer } from './layer.js';

/** Layers that have been recorded, as if they were one. */
export interface RecordedChain extends RecordedLayer {
  /** Each layer's; that of one which recorded nothing is its input. */
  readonly outputs: readonly Tensor[];
}

/** Records layers, each fed by the one before. @returns nothing if none recorded anything */
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
