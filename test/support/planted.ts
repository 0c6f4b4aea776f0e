import { activationFormulas } from '../../shaders/activations.js';
import { Random } from '../../src/base/random.js';
import {
  activation,
  batchNorm,
  binaryCrossEntropy,
  type Clip,
  dense,
  dropout,
  type Gpu,
  type GradientChecks,
  huber,
  type Layer,
  type Loss,
  layerNorm,
  logCosh,
  type Maxout,
  Mlp,
  meanAbsoluteError,
  meanSquaredError,
  residual,
  type SoftmaxCrossEntropyOptions,
  sgd,
  softmaxCrossEntropy,
  type Tensor,
} from '../../src/index.js';
import type { Activation, ActivationName } from '../../src/kernels/activations.js';
import { matmul, splitMatmul } from '../../src/kernels/matmul/any-adapter.js';
import type { MatmulOptions } from '../../src/kernels/matmul/matmul.js';
import type { MatmulVariant } from '../../src/kernels/matmul/variants.js';
import { representativeActivations } from './activations.js';
import type { Plant } from './plant.js';

/** A network and a loss whose gradients are checked. */
export interface CheckedNetwork {
  readonly layers: () => readonly Layer[];
  readonly loss: () => Loss;
  /** True if each sample has a weight. */
  readonly weighted?: boolean;
}

/** An error in a kernel's backward half, and the parameters for which `checkGradients` reports it. */
export interface PlantedError extends Plant {
  /** The file in shaders/ that has the text. */
  readonly shader: string;
  readonly what: string;
  /** One of `networks`. */
  readonly network: string;
  /** The parameters whose gradients the error makes wrong, and no others. */
  readonly found: readonly string[];
}

const INPUTS = 3;
const OUTPUTS = 3;
const ROWS = 5;

/** A dense layer without activation whose gradients are computed by a variant of matmul, or in parts of which there is one. */
function denseBy(units: number, variant: MatmulVariant | 'parts'): Layer {
  return {
    spec: { type: 'denseBy', units, variant },
    outputs: () => units,
    parameters: (inputs) => [
      { name: 'weight', shape: [inputs, units], initializer: 'heNormal' },
      { name: 'bias', shape: [units], initializer: 'zeros' },
    ],
    record(plan, X, { values, gradients }) {
      const [batch = 1, inputs = 1] = X.shape;
      const W = values.view(0, [inputs, units], 'W');
      const Y = plan.tensor('Y', [batch, units]);
      plan.add(matmul(X, W, Y, { bias: values.view(inputs * units, [units], 'b') }));
      const add = (A: Tensor, B: Tensor, C: Tensor, options: MatmulOptions): void => {
        if (variant !== 'parts') plan.add(matmul(A, B, C, { ...options, variant }));
        else for (const half of splitMatmul(A, B, C, plan.tensor('partials', [1, ...C.shape]), options)) plan.add(half);
      };
      return {
        output: Y,
        backward(dY, below) {
          const dX = plan.tensor('dX', X.shape);
          const dW = gradients?.view(0, [inputs + 1, units], 'dW');
          if (dW !== undefined) add(X, dY, dW, { transposeA: true, onesRow: true });
          add(dY, W, dX, { transposeB: true, activationGradient: below });
          return dX;
        },
      };
    },
  };
}

/** One variant of each shader of matmul: the rest differ in their tiles. */
export const variants: readonly MatmulVariant[] = ['matmul-quad-8x8', 'matmul-gemv-serial', 'matmul-4x4-32x32-split'];

/**
 * The activations whose gradient other kernels multiply by; linear has no derivative to multiply by. The parity of
 * trainings has the derivative of every activation.
 */
const derivatives = representativeActivations.filter((name) => name !== 'linear');

const ending = (activation: Activation | Maxout): CheckedNetwork => ({
  layers: () => [dense(5, activation), dense(OUTPUTS)],
  loss: meanSquaredError,
});
const between = (...layers: readonly (() => Layer)[]): CheckedNetwork => ({
  layers: () => [dense(6, 'tanh'), ...layers.map((make) => make()), dense(OUTPUTS)],
  loss: meanSquaredError,
});
const learnt = (loss: () => Loss, weighted = false): CheckedNetwork => ({
  layers: () => [dense(OUTPUTS)],
  loss,
  weighted,
});
const crossEntropy = (options: SoftmaxCrossEntropyOptions, weighted = false): CheckedNetwork =>
  learnt(() => softmaxCrossEntropy(options), weighted);

/** Every layer, every loss and every trainable activation, in networks just large enough to show an error. */
export const networks: Readonly<Record<string, CheckedNetwork>> = {
  softmaxCrossEntropy: crossEntropy({}),
  'softmaxCrossEntropy, smoothed': crossEntropy({ labelSmoothing: 0.3 }),
  'softmaxCrossEntropy, classes weighted': crossEntropy({ classWeights: [1, 3, 0.5] }),
  'softmaxCrossEntropy, samples weighted': crossEntropy({}, true),
  binaryCrossEntropy: learnt(binaryCrossEntropy),
  'binaryCrossEntropy, ones weighted': learnt(() => binaryCrossEntropy({ positiveWeight: 4 })),
  meanSquaredError: learnt(meanSquaredError),
  'meanSquaredError, samples weighted': learnt(meanSquaredError, true),
  meanAbsoluteError: learnt(meanAbsoluteError),
  huber: learnt(() => huber({ delta: 0.5 })),
  logCosh: learnt(logCosh),
  'an activation at the end': { layers: () => [dense(OUTPUTS, 'tanh')], loss: meanSquaredError },
  'prelu of a layer': ending('prelu'),
  'prelu of units': ending({ type: 'prelu', per: 'unit' }),
  'swish learned': ending({ type: 'swish', learned: true }),
  maxout: ending({ type: 'maxout', pieces: 3 }),
  activation: between(() => activation('softplus')),
  'activation from z, and learned': between(
    () => activation('gelu'),
    () => activation({ type: 'prelu', per: 'unit' }),
  ),
  frozen: between(
    () => dense(6, 'tanh', { trainable: false }),
    () => batchNorm({ trainable: false }),
  ),
  dropout: between(() => dropout(0.4)),
  batchNorm: between(batchNorm),
  layerNorm: between(layerNorm),
  residual: between(() => residual([dense(4, 'tanh'), dense(6, 'softplus')])),
  'matmul-parts, multiplied by f′': {
    layers: () => [dense(5, 'tanh'), denseBy(OUTPUTS, 'parts')],
    loss: meanSquaredError,
  },
  'matmul-gemv, multiplied by f′': {
    layers: () => [dense(5, 'tanh'), denseBy(OUTPUTS, 'matmul-gemv')],
    loss: meanSquaredError,
  },
  ...Object.fromEntries(derivatives.map((name) => [name, ending(name)])),
  ...Object.fromEntries(
    variants.map((variant) => [
      variant,
      // The only matmul above the norm's parameters is the one whose dX is checked.
      { layers: () => [layerNorm(), denseBy(OUTPUTS, variant)], loss: meanSquaredError },
    ]),
  ),
};

const dense0 = ['0.weight', '0.bias'];

/** One part of a row of the table of activations, as `activationsWgsl` prints it. */
function derivative(name: ActivationName): Omit<PlantedError, 'network' | 'found'> {
  const [, slope] = activationFormulas[name].wgsl;
  // A program contains only the case of the switch that it takes.
  const text = `return ${slope};`;
  const wrong = `return 0.8 * (${slope});`;
  return { shader: 'activations', what: `the derivative of ${name}`, text, wrong };
}

/** A factor of 0.8 in the sum of an invocation, where a matmul computes gradients. */
function product(variant: MatmulVariant): PlantedError {
  const backward = 'select(1.0, 0.8, TRANSPOSE_A || TRANSPOSE_B)';
  const [shader, text, wrong] = variant.startsWith('matmul-quad')
    ? ['quad-tiles', 'b0[0] = four_k_of_B(columns, k);', `b0[0] = ${backward} * four_k_of_B(columns, k);`]
    : variant.startsWith('matmul-gemv')
      ? ['matmul-gemv', 'let b = block_B(n, k);', `let b = ${backward} * block_B(n, k);`]
      : ['matmul-tiled', 'let a = tiles[at_A];', `let a = ${backward} * tiles[at_A];`];
  const found = ['0.weight', '0.bias', '1.weight', '1.bias'];
  // If tiles are read directly from storage, the row of ones has a sum of its own.
  const ones = shader === 'quad-tiles';
  return {
    shader,
    what: `${variant}: both products`,
    text,
    wrong,
    network: variant,
    found: ones ? found.slice(0, 3) : found,
  };
}

/**
 * An error in every kernel that computes gradients, and in every part of a shader that only gradients use. The errors
 * of a group are planted together, since no network meets more than one of them and a new device takes longer than a
 * check.
 */
export const plantedErrors: readonly (readonly PlantedError[])[] = [
  derivatives.map((name) => ({ ...derivative(name), network: name, found: dense0 })),
  variants.map(product),
  [
    {
      shader: 'row-loss',
      what: 'the label weighs too little',
      text: '* mass - t) / f32(rows)',
      wrong: '* mass - 0.9 * t) / f32(rows)',
      network: 'softmaxCrossEntropy',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'binary cross-entropy: σ(a) − 0.9·y',
      text: '- positive * sigmoid(-a));',
      wrong: '- 0.9 * positive * sigmoid(-a));',
      network: 'binaryCrossEntropy',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'squared error: the factor 2',
      text: '2.0 * error',
      wrong: 'error',
      network: 'meanSquaredError',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'absolute error: the sign',
      text: 'sign(error)',
      wrong: '1.0',
      network: 'meanAbsoluteError',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'Huber: no clamp',
      text: '0.5 * inside), inside);',
      wrong: '0.5 * inside), error);',
      network: 'huber',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'log cosh: the slope of a square',
      text: 'stable_tanh(error));',
      wrong: 'error);',
      network: 'logCosh',
      found: dense0,
    },
  ],
  [
    {
      shader: 'row-loss',
      what: 'the label is not smoothed',
      text: '* mass - t) / f32(rows)',
      wrong: '* mass - label_at(label, index, k)) / f32(rows)',
      network: 'softmaxCrossEntropy, smoothed',
      found: dense0,
    },
    {
      shader: 'softmax-cross-entropy',
      what: 'the weights of samples are left out',
      text: 'scale = weight;',
      wrong: 'scale = 1.0;',
      network: 'softmaxCrossEntropy, samples weighted',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'binary cross-entropy: ones count as zeros do',
      text: '- positive * sigmoid(-a));',
      wrong: '- y * sigmoid(-a));',
      network: 'binaryCrossEntropy, ones weighted',
      found: dense0,
    },
    {
      shader: 'elementwise-loss',
      what: 'the weights of samples are left out',
      text: 'let share = weight /',
      wrong: 'let share = 1.0 /',
      network: 'meanSquaredError, samples weighted',
      found: dense0,
    },
    {
      shader: 'bias-activation',
      what: 'the derivative of the last activation is left out',
      text: '* activate_derivative(at[dims.at_offset + i])',
      wrong: '',
      network: 'an activation at the end',
      found: dense0,
    },
    {
      shader: 'batch-norm-backward',
      what: 'dX by running statistics',
      text: 'i, scale * dY[i])',
      wrong: 'i, 0.8 * dY[i])',
      network: 'frozen',
      found: dense0,
    },
    {
      shader: 'batch-norm-backward',
      what: 'dweight',
      text: 'gradients[column] = products;',
      wrong: 'gradients[column] = sum;',
      network: 'batchNorm',
      found: ['1.weight'],
    },
  ],
  [
    {
      shader: 'row-loss',
      what: 'the sum of weighted targets is taken for 1',
      text: '/ sum * mass - t)',
      wrong: '/ sum - t)',
      network: 'softmaxCrossEntropy, classes weighted',
      found: dense0,
    },
    {
      shader: 'matmul-epilogue',
      what: 'the derivative of the activation below is left out',
      text: 'y = z * vec4f(',
      wrong: 'y = z + 0.0 * vec4f(',
      network: 'tanh',
      found: dense0,
    },
  ],
  [
    {
      shader: 'softmax-cross-entropy',
      what: 'divided by the number of rows, not by what their classes weigh',
      text: '= scale * value; }',
      wrong: '= value; }',
      network: 'softmaxCrossEntropy, classes weighted',
      found: dense0,
    },
    {
      shader: 'quad-tiles',
      what: 'db without the first row',
      text: 'for (var k = 0u; k < dims.K; k++) { sums += one',
      wrong: 'for (var k = 1u; k < dims.K; k++) { sums += one',
      network: 'tanh',
      found: ['0.bias', '1.bias'],
    },
    {
      shader: 'matmul-tiled',
      what: 'the row of ones is a row of zeros',
      text: 'select(elements[0], vec4f(1), ones)',
      wrong: 'select(elements[0], vec4f(0), ones)',
      network: 'matmul-4x4-32x32-split',
      found: ['1.bias'],
    },
    {
      shader: 'matmul-parts',
      what: 'parts that weigh too little',
      text: 'sums += four_B(',
      wrong: 'sums += 0.8 * four_B(',
      network: 'matmul-parts, multiplied by f′',
      found: ['0.weight', '0.bias', '1.weight', '1.bias'],
    },
  ],
  [
    {
      shader: 'matmul-blocks',
      what: 'a transposed B is read as if it were not',
      text: 'elements = transpose(loaded);',
      wrong: '',
      network: 'matmul-gemv, multiplied by f′',
      found: dense0,
    },
    {
      shader: 'learned-activation',
      what: 'prelu: dZ',
      text: 'select(parameter, 1.0, z > 0.0)',
      wrong: 'select(0.0, 1.0, z > 0.0)',
      network: 'prelu of units',
      found: dense0,
    },
    {
      shader: 'learned-activation',
      what: 'swish: dZ',
      text: 'return swish_derivative(z, parameter);',
      wrong: 'return sigmoid(parameter * z);',
      network: 'swish learned',
      found: dense0,
    },
    {
      shader: 'maxout',
      what: 'the first piece gets what the largest one should',
      text: 'at == winner)',
      wrong: 'at == first)',
      network: 'maxout',
      found: dense0,
    },
    {
      shader: 'dropout',
      what: 'another mask than forwards',
      text: 'vec4u(four, step.index, dims.stream, 0)',
      wrong: 'vec4u(four, step.index, dims.stream + select(0u, 1u, ACTIVATION_GRADIENT), 0)',
      network: 'dropout',
      found: dense0,
    },
    {
      shader: 'batch-norm-backward',
      what: 'dX without what mean and variance do',
      text: '(dY[i] - removed)',
      wrong: 'dY[i]',
      network: 'batchNorm',
      found: dense0,
    },
    {
      shader: 'layer-norm-backward',
      what: 'dX without what mean and variance do',
      text: '(weighted(start, c) - removed)',
      wrong: 'weighted(start, c)',
      network: 'layerNorm',
      found: dense0,
    },
    {
      shader: 'add',
      what: 'dX without what comes through the layers',
      text: 'sum += B[i];',
      wrong: 'if (!ACTIVATION_GRADIENT) { sum += B[i]; }',
      network: 'residual',
      found: dense0,
    },
  ],
  [
    {
      shader: 'column-sum',
      what: 'the first unit is left out',
      text: 'for (var row = 0u; row < dims.rows; row++) { sum =',
      wrong: 'for (var row = 1u; row < dims.rows; row++) { sum =',
      network: 'prelu of a layer',
      found: ['0.alpha'],
    },
    {
      shader: 'dropout',
      what: 'what is kept is not divided',
      text: 'X[i] * dims.scale',
      wrong: 'X[i] * select(dims.scale, 1.0, ACTIVATION_GRADIENT)',
      network: 'dropout',
      found: dense0,
    },
    {
      shader: 'batch-norm-backward',
      what: 'dX without the weight',
      text: 'weight * scale * (dY',
      wrong: 'scale * (dY',
      network: 'batchNorm',
      found: dense0,
    },
    {
      shader: 'layer-norm-backward',
      what: 'dX without the weight',
      text: 'return dY[start + c] * parameters[c];',
      wrong: 'return dY[start + c];',
      network: 'layerNorm',
      found: dense0,
    },
    {
      shader: 'add',
      what: 'neither derivative around the block',
      text: 'Y[i] = times_activation_gradient(i, sum);',
      wrong: 'Y[i] = sum;',
      network: 'residual',
      found: [...dense0, '1.0.weight', '1.0.bias', '1.1.weight', '1.1.bias'],
    },
  ],
  [
    {
      shader: 'learned-activation',
      what: 'prelu: dα',
      text: 'return min(z, 0.0);',
      wrong: 'return z;',
      network: 'prelu of units',
      found: ['0.alpha'],
    },
    {
      shader: 'learned-activation',
      what: 'swish: dβ',
      text: '(z * sigmoid(-parameter * z))',
      wrong: 'z',
      network: 'swish learned',
      found: ['0.beta'],
    },
    {
      shader: 'batch-norm-backward',
      what: 'divided by the rows of a full batch',
      text: 'products) / f32(step.rows)',
      wrong: 'products) / f32(dims.rows)',
      network: 'batchNorm',
      found: dense0,
    },
    {
      shader: 'layer-norm-parameters',
      what: 'dweight without the mean',
      text: '(X[i] - statistics[r])',
      wrong: 'X[i]',
      network: 'layerNorm',
      found: ['1.weight'],
    },
  ],
  [
    {
      shader: 'activation-gradient',
      what: 'the derivative of the activation below is left out',
      text: 'return gradient * activate_derivative(kept[dims.kept_offset + i]);',
      wrong: 'return gradient;',
      network: 'dropout',
      found: dense0,
    },
  ],
  [
    {
      shader: 'batch-norm-backward',
      what: 'dbias a tenth too small',
      text: 'gradients[dims.columns + column] = sum;',
      wrong: 'gradients[dims.columns + column] = 0.9 * sum;',
      network: 'batchNorm',
      found: ['1.bias'],
    },
    {
      shader: 'layer-norm-parameters',
      what: 'dbias a tenth too small',
      text: 'gradients[dims.columns + column] = sum;',
      wrong: 'gradients[dims.columns + column] = 0.9 * sum;',
      network: 'layerNorm',
      found: ['1.bias'],
    },
  ],
];

/** Properties of a network that decide the kernels its step is fused into. */
export interface FusedNetwork {
  readonly clip?: Clip;
  /** Units of the hidden layer. */
  readonly units?: number;
}

/** Errors in kernels that a step is fused into, which `gradients()` and `checkGradients` do not run. */
export const fusedErrors: readonly (Plant & FusedNetwork & { readonly shader: string })[] = [
  {
    shader: 'train-tiny',
    text: 'memory[GRADIENTS + x + i] *= weighted(',
    wrong: 'memory[GRADIENTS + x + i] = weighted(',
  },
  {
    shader: 'dense-head',
    text: 'x *= activate_derivative(kept[dims.kept_offset + at]);',
    wrong: 'x *= 1.0;',
    // A limit that no gradient reaches, so that the step is not one dispatch.
    clip: { value: 1e6 },
  },
  {
    shader: 'weight-update',
    text: 'let g = gradient + hyper.weight_decay * p;',
    wrong: 'let g = 0.9 * gradient + hyper.weight_decay * p;',
    // Too many units for one dispatch.
    units: 600,
  },
];

/** Checks the gradients of a network whose parameters all differ from their initial values, on a partial batch. */
export async function checkNetwork(gpu: Gpu, name: string, seed: number, elements: number): Promise<GradientChecks> {
  const network = networks[name];
  if (network === undefined) throw new RangeError(`There is no network "${name}".`);
  const random = new Random(seed, 0x9d);
  const draw = (count: number, compute: () => number): Float32Array => Float32Array.from({ length: count }, compute);
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers: [...network.layers()], seed });
  const moved = (await model.weights()).map((weight) => {
    const { data, shape } = weight;
    return { ...weight, data: shape.length === 1 ? data.map((x) => x + 0.3 * random.normal()) : data };
  });
  model.setWeights(moved);
  const loss = network.loss();
  using trainer = await model.trainer({ loss, optimizer: sgd({ learningRate: 0.1 }), batchSize: ROWS + 1 });
  const targets =
    loss.link === 'softmax'
      ? draw(ROWS, () => random.integer(OUTPUTS))
      : draw(ROWS * OUTPUTS, () => (loss.link === 'logistic' ? random.uniform() : random.normal()));
  const inputs = draw(ROWS * INPUTS, () => random.normal());
  const weights = network.weighted === true ? { weights: draw(ROWS, () => random.uniform(0, 3)) } : {};
  return await trainer.checkGradients(inputs, targets, { elements, seed, ...weights });
}

/** The parameters whose gradients are wrong. */
export const wrongOnes = (checks: GradientChecks): string[] =>
  checks.filter(({ passed }) => !passed).map(({ name }) => name);
