import { assertMethod, assertOption, sizeOf } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { Random } from '../base/random.js';
import type { Sliced } from '../base/slices.js';
import { drawingCost, initialValues } from '../nn/initial-values.js';
import { checkInitializer } from '../nn/initializers.js';
import type { Layer, ParameterSpec } from '../nn/layers/layer.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';

/**
 * The flat tensors of a model: `parameters` has all parameters that training changes, `frozen` those of frozen layers,
 * `buffers` all others, such as running statistics.
 */
export type FlatKind = 'parameters' | 'frozen' | 'buffers';

/** A parameter and its range in a flat tensor. */
export interface PlacedParameter extends ParameterSpec {
  /** The layer's name and the parameter's, such as `3.0.weight`. */
  readonly fullName: string;
  /** True if training changes it. */
  readonly trained: boolean;
  /** The flat tensor that it is in. */
  readonly kind: FlatKind;
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
  /** False if the layer is frozen, by itself or by a layer around it. */
  readonly trainable: boolean;
  /** Its ranges in the flat tensors. */
  readonly ranges: Readonly<Record<FlatKind, Range>>;
  readonly parameters: readonly PlacedParameter[];
  /** The layers inside it. */
  readonly layers: readonly ModelLayer[];
}

/** The contents of the flat tensors. */
export type FlatValues = Readonly<Record<FlatKind, Float32Array<ArrayBuffer>>>;

const FLAT_KINDS = ['parameters', 'frozen', 'buffers'] as const;

/** Rounds up to whole parameter blocks. */
const aligned = (elements: number): number => Math.ceil(elements / PARAMETER_BLOCK) * PARAMETER_BLOCK;

/** The elements at which the next layer's parameters begin, and its number. */
type Cursor = Record<FlatKind | 'number', number>;

/** Checks layers, and assigns them sizes and ranges. @throws {ShapeError|MlpError} naming the layer that is wrong */
export function placeLayers(
  inputs: number,
  layers: readonly Layer[],
  prefix = '',
  next: Cursor = { parameters: 0, frozen: 0, buffers: 0, number: 0 },
  within = true,
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
    const { trainable: own = true } = layer;
    assertOption(
      `Mlp.create: layer ${name} (${layer.spec.type}) has`,
      { trainable: own },
      'true or false',
      'bad-layer',
    );
    const trainable = within && own;
    const place = { layer, name, number: next.number, inputs: width, trainable };
    next.number += 1;
    const starts = { ...next };
    const parameters = layer.parameters(width, `Mlp.create: layer ${name}`).map((wanted): PlacedParameter => {
      const { shape, initializer } = wanted;
      const kind = wanted.trained === false ? 'buffers' : trainable ? 'parameters' : 'frozen';
      const length = sizeOf(shape);
      if (typeof initializer !== 'number') {
        checkInitializer(`Mlp.create: ${name}.${wanted.name} has initializer`, initializer, shape.length > 1);
      }
      next[kind] += length;
      const trained = kind === 'parameters';
      return { ...wanted, trained, kind, fullName: `${name}.${wanted.name}`, start: next[kind] - length, length };
    });
    const range = (kind: FlatKind): Range => ({
      start: starts[kind],
      length: next[kind] - starts[kind],
    });
    const ranges = { parameters: range('parameters'), frozen: range('frozen'), buffers: range('buffers') };
    for (const kind of FLAT_KINDS) next[kind] = aligned(next[kind]);
    const inner = placeLayers(width, layer.layers ?? [], `${name}.`, next, trainable);
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
export function flatLength(layers: readonly ModelLayer[], kind: FlatKind): number {
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

/** Zeros for each flat tensor. */
export function flatValues(layers: readonly ModelLayer[]): FlatValues {
  const zeros = (kind: FlatKind): Float32Array<ArrayBuffer> => new Float32Array(flatLength(layers, kind));
  return { parameters: zeros('parameters'), frozen: zeros('frozen'), buffers: zeros('buffers') };
}

/** Cost of `initialParameters`. */
export function initialCost(layers: readonly ModelLayer[]): number {
  const all = everyLayer(layers).flatMap(({ parameters }) => parameters);
  return all.reduce((sum, { initializer, shape: [fanIn = 1, columns = 1], pieces = 1 }) => {
    const own = typeof initializer === 'number' ? 0 : pieces * drawingCost(initializer, fanIn, columns / pieces);
    return sum + own;
  }, 0);
}

/** Draws the initial values of all parameters. A parameter with several pieces is drawn piece by piece. */
export function* initialParameters(layers: readonly ModelLayer[], seed: number): Sliced<FlatValues> {
  const flat = flatValues(layers);
  const random = new Random(seed);
  const all = everyLayer(layers).flatMap((layer) => layer.parameters);
  for (const { initializer, shape, start, length, kind, pieces = 1 } of all) {
    const flatTensor = flat[kind];
    if (typeof initializer === 'number') {
      flatTensor.fill(initializer, start, start + length);
      continue;
    }
    const [fanIn = 1, columns = 1] = shape;
    for (let piece = 0; piece < pieces; piece++) {
      const drawn = yield* initialValues(initializer, fanIn, columns / pieces, random);
      if (pieces === 1) flatTensor.set(drawn, start);
      else for (const [i, value] of drawn.entries()) flatTensor[start + i * pieces + piece] = value;
    }
  }
  return flat;
}
