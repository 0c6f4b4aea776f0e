import { assertMethod, assertOption, sizeOf } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { checkInitializer, initialValues } from '../nn/initializers.js';
import type { Layer, ParameterSpec } from '../nn/layers/layer.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';

/** A parameter and its range in a flat tensor: `values` holds all trained parameters of the model, `states` all others. */
export interface PlacedParameter extends ParameterSpec {
  /** The layer's name and the parameter's, such as `3.0.weight`. */
  readonly fullName: string;
  readonly trained: boolean;
  /** Its first element in the flat tensor. */
  readonly start: number;
  readonly length: number;
}

/** A range of a flat tensor, in elements. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/** A layer, its sizes and its ranges in the flat tensors. */
export interface ModelLayer {
  readonly layer: Layer;
  /** Index in the model: `3`, or `3.0` for the first layer inside layer 3. */
  readonly name: string;
  /** Index among all layers, including those inside other layers. */
  readonly number: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Its ranges in the flat tensors of trained and of other parameters. */
  readonly ranges: Readonly<Record<'parameters' | 'buffers', Range>>;
  readonly parameters: readonly PlacedParameter[];
  /** The layers inside it. */
  readonly layers: readonly ModelLayer[];
}

/** The contents of the two flat tensors. */
export interface FlatValues {
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly buffers: Float32Array<ArrayBuffer>;
}

/** Rounds up to whole parameter blocks. */
const aligned = (elements: number): number => Math.ceil(elements / PARAMETER_BLOCK) * PARAMETER_BLOCK;

/** The elements at which the next layer's parameters begin, and its number. */
interface Cursor {
  parameters: number;
  buffers: number;
  number: number;
}

/** Checks layers, and assigns them sizes and ranges. @throws {ShapeError|MlpError} naming the layer that is wrong */
export function placeLayers(
  inputs: number,
  layers: readonly Layer[],
  prefix = '',
  next: Cursor = { parameters: 0, buffers: 0, number: 0 },
): ModelLayer[] {
  let width = inputs;
  return layers.map((layer, index): ModelLayer => {
    const name = `${prefix}${index}`;
    assertMethod(`Mlp.create: layer ${name}`, layer, 'record', 'dense(10)', 'bad-layer');
    if (layer.spec.activation === 'softmax' && (prefix !== '' || index < layers.length - 1)) {
      throw new MlpError(
        'bad-activation',
        `Mlp.create: layer ${name} has activation "softmax", which only the last layer can have. Use "relu" or another here.`,
      );
    }
    const place = { layer, name, number: next.number, inputs: width };
    next.number += 1;
    const starts = { ...next };
    const parameters = layer.parameters(width, `Mlp.create: layer ${name}`).map((wanted): PlacedParameter => {
      const { trained = true, shape, initializer } = wanted;
      const kind = trained ? 'parameters' : 'buffers';
      const length = sizeOf(shape);
      if (typeof initializer !== 'number') {
        checkInitializer(`Mlp.create: ${name}.${wanted.name} has initializer`, initializer, shape.length > 1);
      }
      next[kind] += length;
      return { ...wanted, trained, fullName: `${name}.${wanted.name}`, start: next[kind] - length, length };
    });
    const range = (kind: 'parameters' | 'buffers'): Range => ({
      start: starts[kind],
      length: next[kind] - starts[kind],
    });
    const ranges = { parameters: range('parameters'), buffers: range('buffers') };
    next.parameters = aligned(next.parameters);
    next.buffers = aligned(next.buffers);
    const inner = placeLayers(width, layer.layers ?? [], `${name}.`, next);
    const outputs = layer.outputs(width);
    assertOption(`Mlp.create: layer ${name} (${layer.spec.type}) has`, { outputs }, 'a positive integer', 'shape');
    width = outputs;
    return { ...place, outputs, ranges, parameters, layers: inner };
  });
}

/** All layers, including those inside other layers, in the order of their numbers. */
export function everyLayer(layers: readonly ModelLayer[]): readonly ModelLayer[] {
  return layers.flatMap((layer) => [layer, ...everyLayer(layer.layers)]);
}

/** Elements of a flat tensor: whole parameter blocks, and at least one, even without any parameters. */
export function flatLength(layers: readonly ModelLayer[], kind: 'parameters' | 'buffers'): number {
  return Math.max(
    PARAMETER_BLOCK,
    ...everyLayer(layers).map(
      ({
        ranges: {
          [kind]: { start, length },
        },
      }) => aligned(start + length),
    ),
  );
}

/** Draws the initial values of all parameters. A parameter with several pieces is drawn piece by piece. */
export function initialParameters(layers: readonly ModelLayer[], seed: number): FlatValues {
  const parameters = new Float32Array(flatLength(layers, 'parameters'));
  const buffers = new Float32Array(flatLength(layers, 'buffers'));
  const random = new Random(seed);
  const all = everyLayer(layers).flatMap((layer) => layer.parameters);
  for (const { initializer, shape, start, length, trained, pieces = 1 } of all) {
    const flatTensor = trained ? parameters : buffers;
    if (typeof initializer === 'number') {
      flatTensor.fill(initializer, start, start + length);
      continue;
    }
    const [fanIn = 1, columns = 1] = shape;
    for (let piece = 0; piece < pieces; piece++) {
      const drawn = initialValues(initializer, fanIn, columns / pieces, random);
      if (pieces === 1) flatTensor.set(drawn, start);
      else for (const [i, value] of drawn.entries()) flatTensor[start + i * pieces + piece] = value;
    }
  }
  return { parameters, buffers };
}
