import type { Bounded } from '../reference/bounded.js';
import { type LayerGradient, lossAndGradients, type ReferenceBatch, type ReferenceLayer } from '../reference/mlp.js';

/** A step of an optimizer for one parameter. @param state that of the step before, none on the first */
export type Rule<State> = (
  parameters: Bounded,
  gradient: Bounded,
  state: State | undefined,
  index: number,
) => State & { readonly parameters: Bounded };

/** The adjustment of all gradients before the step. */
export type Adjust = (
  layers: readonly ReferenceLayer[],
  gradients: readonly LayerGradient[],
) => readonly LayerGradient[];

/** The layers after a step for each batch. @param ofBiases the rule of biases, if they have another */
export function trainBy<State>(
  start: readonly ReferenceLayer[],
  batches: readonly ReferenceBatch[],
  rule: Rule<State>,
  adjust: Adjust = (_layers, gradients) => gradients,
  ofBiases: Rule<State> = rule,
): readonly ReferenceLayer[] {
  let layers = start;
  const states = start.map((): { W?: State; b?: State } => ({}));
  for (const [index, batch] of batches.entries()) {
    const gradients = adjust(layers, lossAndGradients(layers, batch).gradients);
    layers = layers.map((layer, l) => {
      const [gradient, state] = [gradients[l], states[l]];
      if (gradient === undefined || state === undefined) throw new RangeError(`Layer ${l} has no gradient.`);
      const W = rule(layer.W, gradient.W, state.W, index);
      const b = ofBiases(layer.b, gradient.b, state.b, index);
      states[l] = { W, b };
      return { ...layer, W: W.parameters, b: b.parameters };
    });
  }
  return layers;
}
