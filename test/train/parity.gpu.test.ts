import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import {
  activation,
  adagrad,
  adam,
  adamw,
  batchNorm,
  binaryCrossEntropy,
  type Clip,
  dense,
  dropout,
  huber,
  type Layer,
  type Loss,
  layerNorm,
  logCosh,
  meanAbsoluteError,
  meanSquaredError,
  type Optimizer,
  type Regularization,
  residual,
  rmsprop,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { type Activation, activationNames, resolveActivation } from '../../src/kernels/activations.js';
import { sharedGpu } from '../support/gpu.js';
import { expectParity, ParityReport, type TargetKind } from '../torch/parity.js';

// The library beside PyTorch's rules in float64 (test/support/torch), for whole trainings: outputs, loss, every gradient and
// every parameter of every step. What is new gets its line in a table; the tables are combined below.

const activations: readonly Activation[] = [
  'linear',
  'relu',
  { type: 'leakyRelu', alpha: 0.02 },
  'sigmoid',
  'tanh',
  { type: 'elu', alpha: 0.1 },
  'selu',
  'softplus',
  { type: 'swish', beta: 1.5 },
  'gelu',
  { type: 'gelu', approximate: 'tanh' },
  'abs',
  { type: 'sine', omega: 3 },
  'softsign',
  'prelu',
  { type: 'prelu', alpha: 0.1, per: 'unit' },
  { type: 'swish', learned: true },
  { type: 'swish', learned: true, per: 'unit', beta: 0.7 },
];

const losses: readonly { readonly loss: () => Loss; readonly targets: TargetKind }[] = [
  { loss: softmaxCrossEntropy, targets: 'classes' },
  { loss: softmaxCrossEntropy, targets: 'probabilities' },
  { loss: () => softmaxCrossEntropy({ labelSmoothing: 0.1 }), targets: 'classes' },
  { loss: () => binaryCrossEntropy({ positiveWeight: 2 }), targets: 'bits' },
  { loss: meanSquaredError, targets: 'numbers' },
  { loss: meanAbsoluteError, targets: 'numbers' },
  { loss: () => huber({ delta: 0.5 }), targets: 'numbers' },
  { loss: logCosh, targets: 'numbers' },
];

/** For networks of four outputs. */
const weighted = {
  loss: () => softmaxCrossEntropy({ labelSmoothing: 0.1, classWeights: [1, 0.5, 2, 3] }),
  targets: 'classes',
} as const;

const optimizers: readonly (() => Optimizer)[] = [
  () => sgd({ learningRate: 0.1 }),
  () => sgd({ learningRate: 0.1, momentum: 0.9 }),
  () => sgd({ learningRate: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.01 }),
  () => sgd({ learningRate: 0.1, momentum: 0.8, nesterov: true, weightDecay: 0.1 }),
  () => adagrad(),
  () => adagrad({ learningRate: 0.05, learningRateDecay: 0.1, weightDecay: 0.01, initialAccumulator: 0.1 }),
  () => rmsprop(),
  () => rmsprop({ learningRate: 0.005, decay: 0.9, momentum: 0.9, centered: true, weightDecay: 0.01 }),
  () => adam(),
  () => adam({ learningRate: 0.01, beta1: 0.8, beta2: 0.99, weightDecay: 0.01 }),
  () => adamw({ learningRate: 0.01 }),
];

/** Layers beneath a last `dense(5)`. */
const stacks: readonly {
  readonly what: string;
  readonly layers: () => readonly Layer[];
  readonly rows?: readonly number[];
}[] = [
  { what: 'none', layers: () => [] },
  { what: 'no biases', layers: () => [dense(9, 'tanh', { bias: false }), dense(6, 'gelu', { bias: false })] },
  {
    what: 'five of every kind of derivative',
    layers: () => [dense(12, 'tanh'), dense(11, 'gelu'), dense(10, 'softplus'), dense(9, 'elu'), dense(8, 'swish')],
  },
  {
    what: 'batchNorm',
    layers: () => [dense(9, 'tanh'), batchNorm(), dense(7), batchNorm({ momentum: 0.3, affine: false })],
    // A single row has no variance, and two are ±1 whatever they were: their gradient is what rounding leaves.
    rows: [16, 3],
  },
  { what: 'layerNorm', layers: () => [layerNorm({ epsilon: 1e-3 }), dense(9, 'gelu'), layerNorm({ affine: false })] },
  {
    what: 'residual',
    layers: () => [
      residual([dense(9, 'tanh'), layerNorm(), dense(12)], { activation: 'swish' }),
      residual([residual([dense(12, 'sigmoid')]), dense(12)]),
    ],
  },
  {
    what: 'dropout',
    layers: () => [
      dropout(0.1),
      dense(9, 'gelu'),
      dropout(0.4),
      residual([dense(9, 'tanh'), dropout(0.3), dense(9)], { activation: 'swish' }),
      dropout(0.2),
    ],
  },
  {
    what: 'activation',
    layers: () => [
      activation('gelu'),
      dense(9),
      batchNorm(),
      activation('tanh'),
      dense(7),
      activation({ type: 'prelu', per: 'unit' }),
      activation('gelu'),
    ],
    rows: [16, 3],
  },
  {
    what: 'frozen',
    layers: () => [
      dense(9, 'tanh'),
      batchNorm({ trainable: false }),
      dense(7, 'gelu', { trainable: false }),
      layerNorm({ trainable: false }),
      dense(7, 'prelu', { trainable: false }),
    ],
  },
  { what: 'maxout', layers: () => [dense(9, 'maxout'), dense(6, { type: 'maxout', pieces: 5 }, { bias: false })] },
];

/** What is done to gradients between the loss and the optimizer. */
const adjustments: readonly { readonly clip?: Clip; readonly penalties?: Regularization }[] = [
  { clip: { norm: 0.1 } },
  { clip: { norm: 100 } },
  { clip: { value: 0.02 } },
  { penalties: { l1: 0.01 } },
  { penalties: { l2: 0.1 } },
  { penalties: { l1: 0.01, l2: 0.05 }, clip: { norm: 0.2 } },
];

interface Shape {
  readonly inputs: number;
  readonly units: readonly number[];
  readonly batch: number;
  readonly rows?: readonly number[];
  readonly steps: number;
  readonly because: string;
}

/** With tanh: among so many pre-activations some are always near a kink. */
const shapes: readonly Shape[] = [
  { inputs: 1, units: [1], batch: 1, steps: 6, because: 'the smallest; one class has no gradient' },
  { inputs: 1, units: [2], batch: 1, steps: 6, because: 'the smallest that learns' },
  { inputs: 7, units: [13, 5], batch: 11, rows: [11, 4, 1], steps: 6, because: 'primes, and partial batches' },
  { inputs: 33, units: [70, 65, 17], batch: 67, rows: [67, 64], steps: 6, because: 'one past tiles' },
  { inputs: 784, units: [40, 10], batch: 32, rows: [32, 19], steps: 6, because: 'long sums' },
  { inputs: 320, units: [256, 192, 7], batch: 130, rows: [130, 97], steps: 3, because: 'large' },
];

const report = new ParityReport();
afterAll(() => console.info(report.toString()));

const nameOf = (activation: Activation): string =>
  typeof activation === 'string' ? activation : JSON.stringify(activation);
const first = losses[0] ?? { loss: softmaxCrossEntropy, targets: 'classes' };
const momentum = (): Optimizer => sgd({ learningRate: 0.1, momentum: 0.9 });

test('every activation of the table is here, but step, which is not trained', () => {
  const here = new Set<string>(['step', ...activations.map((activation) => resolveActivation(activation).name)]);
  expect(activationNames.filter((name) => !here.has(name))).toEqual([]);
});

// Each activation with two losses, so that each loss has several activations.
const pairs = activations.flatMap((activation, number) =>
  [number, number + 4].map((loss) => ({
    activation,
    ...([...losses, weighted][loss % (losses.length + 1)] ?? weighted),
  })),
);
test.for(pairs)('activations × losses: $activation, $loss.name $targets', async ({ activation, loss, targets }) => {
  const layers = [dense(9, activation), dense(6, activation), dense(4)];
  const training = {
    inputs: 5,
    layers,
    loss: loss(),
    targets,
    optimizer: momentum(),
    batch: 7,
    rows: [7, 5, 1],
    steps: 3,
  };
  const name = `${nameOf(activation)}, ${training.loss.spec.type} of ${targets}`;
  await expectParity(await sharedGpu(), training, report, 'activations × losses', name);
});

test.for(optimizers.map((optimizer) => ({ optimizer, spec: JSON.stringify(optimizer().spec) })))(
  'optimizers: $spec',
  async ({ optimizer, spec }) => {
    const layers = [dense(16, 'tanh'), dense(4)];
    const training = { inputs: 20, layers, ...first, loss: first.loss(), optimizer: optimizer(), batch: 24, steps: 6 };
    await expectParity(await sharedGpu(), training, report, 'optimizers', spec);
  },
);

test.for([...losses, weighted])('weights of samples: $loss.name $targets', async ({ loss, targets }) => {
  const layers = [dense(9, 'tanh'), dense(4)];
  const training = {
    inputs: 6,
    layers,
    loss: loss(),
    targets,
    optimizer: momentum(),
    batch: 9,
    rows: [9, 1],
    steps: 6,
  };
  const name = `${training.loss.spec.type} of ${targets}`;
  await expectParity(await sharedGpu(), { ...training, weighted: true }, report, 'weights of samples', name);
});

test.for(adjustments.flatMap((adjustment) => [momentum, adamw].map((make) => ({ ...adjustment, make }))))(
  'clip $clip, penalties $penalties, $make.name',
  async ({ make, ...adjustment }) => {
    const layers = [dense(9, 'tanh'), dense(4)];
    const training = { inputs: 6, layers, ...first, loss: first.loss(), optimizer: make(), batch: 8, steps: 6 };
    const name = JSON.stringify(adjustment);
    await expectParity(await sharedGpu(), { ...training, ...adjustment }, report, 'clip and penalties', name);
  },
);

test.for(stacks)('layers: $what', async ({ what, layers, rows = [16, 3, 1] }) => {
  const stack = [...layers(), dense(5)];
  const training = {
    inputs: 12,
    layers: stack,
    ...first,
    loss: first.loss(),
    optimizer: momentum(),
    batch: 16,
    steps: 6,
  };
  await expectParity(await sharedGpu(), { ...training, rows }, report, 'layers', what);
});

test.for(shapes)('shapes: $inputs-$units at batch $batch: $because', async ({ units, because, ...shape }) => {
  const layers = units.map((width, number) => dense(width, number === units.length - 1 ? 'linear' : 'tanh'));
  const samples = units.length > 2 && shape.inputs > 100 ? 2 : 8;
  const training = { ...shape, layers, ...first, loss: first.loss(), optimizer: momentum(), samples };
  await expectParity(await sharedGpu(), training, report, 'shapes', because);
});

/** A layer of any kind, told how many features come. */
const anyLayer: fc.Arbitrary<{ readonly what: string; readonly make: (inputs: number) => Layer }> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        units: fc.integer({ min: 1, max: 40 }),
        activation: fc.constantFrom(...activations),
        bias: fc.boolean(),
      })
      .map(({ units, activation, bias }) => ({
        what: `${units} ${nameOf(activation)}`,
        make: () => dense(units, activation, { bias }),
      })),
  },
  fc.constantFrom({ what: 'batchNorm', make: () => batchNorm() }, { what: 'layerNorm', make: () => layerNorm() }),
  fc.constantFrom(0, 0.1, 0.5).map((rate) => ({ what: `dropout ${rate}`, make: () => dropout(rate) })),
  fc.integer({ min: 1, max: 9 }).map((units) => ({
    what: `residual of ${units}`,
    make: (inputs: number) => residual([dense(units, 'tanh'), dense(inputs)], { activation: 'tanh' }),
  })),
);

const architecture = fc.record({
  inputs: fc.integer({ min: 1, max: 40 }),
  hidden: fc.array(anyLayer, { maxLength: 4 }),
  outputs: fc.integer({ min: 1, max: 20 }),
  // A single row has no variance, which batchNorm needs.
  batch: fc.integer({ min: 2, max: 40 }),
  partial: fc.double({ min: 0, max: 1, noNaN: true }),
  loss: fc.constantFrom(...losses),
  weighted: fc.boolean(),
  optimizer: fc.constantFrom(...optimizers),
});

test('any network: two steps', async () => {
  const gpu = await sharedGpu();
  await fc.assert(
    fc.asyncProperty(architecture, async ({ inputs, hidden, outputs, partial, loss: entry, ...drawn }) => {
      const layers: Layer[] = [];
      let width = inputs;
      for (const { make } of hidden) {
        const layer = make(width);
        layers.push(layer);
        width = layer.outputs(width);
      }
      layers.push(dense(outputs));
      const { batch, weighted: isWeighted } = drawn;
      const rows = [batch, Math.max(2, Math.round(partial * batch))];
      const rules = { loss: entry.loss(), targets: entry.targets, optimizer: drawn.optimizer(), weighted: isWeighted };
      const name = [inputs, ...hidden.map(({ what }) => what), `${outputs} at batch ${batch}`].join(' → ');
      await expectParity(gpu, { inputs, layers, batch, rows, steps: 2, ...rules }, report, 'any network', name);
    }),
    { seed: 1, numRuns: 10 },
  );
});
