import { assigned } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { recordChain } from '../nn/layers/chain.js';
import type { Layer, PlacedLayer } from '../nn/layers/layer.js';
import type { PlanBuilder } from '../plan/builder.js';
import type { Tensor } from '../plan/tensor.js';
import type { Model } from './model.js';
import { everyLayer, type ModelLayer } from './placement.js';

/** The output of a layer, as a kind of prediction. */
export interface LayerOutput {
  /** Name of the layer: `3`, or `3.0` inside layer 3. */
  readonly name: string;
  /** Records the layers up to this one. @param X (batch, inputs) @returns (batch, units) */
  record(plan: PlanBuilder, X: Tensor): Tensor;
}

/**
 * Finds the layer whose output `predict` is to return.
 * @param wanted its index in the model, or its name
 * @returns `values` for the last layer: those are its outputs
 * @throws {MlpError} `bad-option` if there is no such layer; the message lists all
 */
export function layerOutput(model: Model, wanted: unknown): LayerOutput | 'values' {
  const all = everyLayer(model.layers);
  const name = typeof wanted === 'string' || Number.isInteger(wanted) ? String(wanted) : undefined;
  const target = all.find((layer) => layer.name === name);
  if (target === undefined) {
    const given =
      typeof wanted === 'string' ? `predict: layer = ${JSON.stringify(wanted)}` : assigned('predict:', 'layer', wanted);
    const list = all.map((layer) => `${layer.name} (${layer.layer.spec.type})`);
    throw new MlpError('bad-option', `${given}; layer must be the number or the name of one of ${list.join(', ')}.`);
  }
  if (target === model.layers.at(-1)) return 'values';
  return { name: target.name, record: (plan, X) => recordUpTo(plan, X, model, target) };
}

/**
 * Records the layers of a model up to one of them, which may be inside another layer. The plan drops what the other one
 * records behind it.
 */
function recordUpTo(plan: PlanBuilder, X: Tensor, model: Model, target: ModelLayer): Tensor {
  let output: Tensor | undefined;
  const watched = (placed: PlacedLayer): PlacedLayer => {
    const { layer, context } = placed;
    const within = { ...placed, context: { ...context, layers: context.layers.map(watched) } };
    if (context.number !== target.number) return within;
    return { ...within, layer: watching(layer, (found) => (output = found)) };
  };
  const { length } = model.layers.filter(({ number }) => number <= target.number);
  recordChain(plan, X, model.placed('evaluate').slice(0, length).map(watched));
  if (output === undefined) {
    const { name, layer } = target;
    throw new MlpError(
      'bad-option',
      `predict: layer = "${name}" (${layer.spec.type}), which the layer that contains it does not record. Ask for the output of that one.`,
    );
  }
  return output;
}

/** The layer, which tells its output when it is recorded. A layer that records nothing passes its input on. */
function watching(layer: Layer, tell: (output: Tensor) => void): Layer {
  return {
    spec: layer.spec,
    outputs: (inputs) => layer.outputs(inputs),
    parameters: (inputs, where) => layer.parameters(inputs, where),
    record(plan, X, block, context) {
      const recorded = layer.record(plan, X, block, context);
      tell(recorded?.output ?? X);
      return recorded;
    },
  };
}
