import { assertMethod, assertOption, sizeOf } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { checkInitializer, initialValues } from '../nn/initializers.js';
import type { Layer, ParameterSpec } from '../nn/layers/layer.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';

/** A parameter and its place in the flat tensor of all of its kind: the trained ones, or the others. */
export interface PlacedParameter extends ParameterSpec {
  readonly fullName: string;
  readonly trained: boolean;
  readonly start: number;
  readonly length: number;
}

/** A part of a flat tensor. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/** A layer and its places in the flat tensors. */
export interface ModelLayer {
  readonly layer: Layer;
  /** `3`, or `3.0` for the first layer in layer 3. */
  readonly name: string;
  /** Among all layers, those in other layers too. */
  readonly number: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Its places in either flat tensor. */
  readonly ranges: Readonly<Record<'parameters' | 'buffers', Range>>;
  readonly parameters: readonly PlacedParameter[];
  readonly layers: readonly ModelLayer[];
}

/** The contents of the two flat tensors. */
export interface FlatValues {
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly buffers: Float32Array<ArrayBuffer>;
}

const aligned = (elements: number): number => Math.ceil(elements / PARAMETER_BLOCK) * PARAMETER_BLOCK;

/** The places at which the next layer begins. */
interface Cursor {
  parameters: number;
  buffers: number;
  number: number;
}

/** @throws {ShapeError|MlpError} that names the layer which cannot be */
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
        `Mlp.create: layer ${name} has activation "softmax", which only the last layer can have. Use "relu" or another there.`,
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

/** The layers, and those in them, in the order of their numbers. */
export function everyLayer(layers: readonly ModelLayer[]): readonly ModelLayer[] {
  return layers.flatMap((layer) => [layer, ...everyLayer(layer.layers)]);
}

/** Elements of a flat tensor: whole blocks, and never none, be there no parameters at all. */
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
