import type { PlanBuilder } from '../gpu/plan.js';
import type { Tensor } from '../gpu/tensor.js';
import type { PlacedLayer, RecordedLayer } from './layer.js';

/** Records layers, each fed by the one before; what comes of it is as of one layer, or nothing if none recorded any. */
export function recordChain(plan: PlanBuilder, X: Tensor, layers: readonly PlacedLayer[]): RecordedLayer | undefined {
  const recorded: RecordedLayer[] = [];
  let output = X;
  for (const { layer, block, context } of layers) {
    const result = layer.record(plan, output, block, context);
    if (result === undefined) continue;
    recorded.push(result);
    output = result.output;
  }
  if (recorded.length === 0) return undefined;
  return {
    output,
    gate: recorded.at(-1)?.gate,
    backward(gradient, below) {
      let d = gradient;
      for (const [number, layer] of [...recorded.entries()].reverse()) {
        d = layer.backward(d, number === 0 ? below : recorded[number - 1]?.gate);
      }
      return d;
    },
  };
}
