import { expect, test } from 'vitest';
import {
  accuracy,
  activation,
  adam,
  batchNorm,
  Dataset,
  dense,
  dropout,
  type Layer,
  layerNorm,
  type Metric,
  Mlp,
  meanSquaredError,
  residual,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../../src/index.js';
import { type Bounded, exact } from '../../reference/bounded.js';
import { sgd as referenceSgd } from '../../reference/sgd.js';
import { softmaxCrossEntropy as referenceLoss } from '../../reference/softmax-cross-entropy.js';
import { settledBytes, sharedGpu } from '../../support/gpu.js';
import { clusters, hashOf } from '../../support/problems.js';
import { referenceNetwork } from '../../support/reference-network.js';

const INPUTS = 5;
const CLASSES = 3;
const BATCH = 12;
const SEED = 7;
const learningRate = 0.1;

const block = (width: number, ...more: Layer[]): Layer => residual([dense(width, 'tanh'), ...more, dense(width)]);

/** Each layer first, between and last, next to layers with an activation gradient of each kind, and in each other. */
const networks: Readonly<Record<string, () => Layer[]>> = {
  'dropout between': () => [dense(9, 'tanh'), dropout(0.3), dense(CLASSES)],
  'dropout on the inputs': () => [dropout(0.4), dense(9, 'softplus'), dense(CLASSES)],
  'dropout above gelu, twice': () => [dense(9, 'gelu'), dropout(0.3), dropout(0.2), dense(CLASSES)],
  'dropout last': () => [dense(9, 'tanh'), dense(CLASSES), dropout(0.3)],
  'dropout of nothing': () => [dense(9, 'tanh'), dropout(0), dense(CLASSES)],
  'batchNorm between': () => [dense(9, 'tanh'), batchNorm(), dense(CLASSES)],
  'batchNorm on the inputs': () => [batchNorm({ momentum: 0.4 }), dense(9, 'swish'), dense(CLASSES)],
  'batchNorm last, without parameters': () => [dense(9, 'tanh'), dense(CLASSES), batchNorm({ affine: false })],
  'batchNorm above an activation from z': () => [dense(9, 'gelu'), batchNorm({ epsilon: 0.1 }), dense(CLASSES)],
  'layerNorm between': () => [dense(9, 'tanh'), layerNorm(), dense(CLASSES)],
  'layerNorm on the inputs, without parameters': () => [layerNorm({ affine: false }), dense(9, 'gelu'), dense(CLASSES)],
  'layerNorm between, without parameters': () => [dense(9, 'tanh'), layerNorm({ affine: false }), dense(CLASSES)],
  'a residual block alone': () => [residual([dense(INPUTS)])],
  'layerNorm last': () => [dense(9, 'swish'), dense(CLASSES), layerNorm()],
  'a residual block first': () => [block(INPUTS), dense(CLASSES)],
  'a residual block between, with activation gradients around it': () => [
    dense(9, 'tanh'),
    residual([dense(4, 'gelu'), dense(9, 'softplus')], { activation: 'tanh' }),
    dense(CLASSES),
  ],
  'a residual block whose activation keeps z, last': () => [
    dense(CLASSES, 'tanh'),
    residual([dense(CLASSES, 'swish')], { activation: { type: 'swish', beta: 0.5 } }),
  ],
  'residual blocks in a residual block, with everything in them': () => [
    dense(8, 'tanh'),
    residual([block(8, dropout(0.2)), layerNorm(), residual([dense(8, 'tanh'), batchNorm()])]),
    dense(CLASSES),
  ],
  'a residual block of nothing but dropout': () => [dense(8, 'tanh'), residual([dropout(0.5)]), dense(CLASSES)],
  'an activation after batchNorm': () => [dense(9), batchNorm(), activation('tanh'), dense(CLASSES)],
  'an activation on the inputs, from z, and after an activation': () => [
    activation('gelu'),
    dense(9, 'tanh'),
    activation('gelu'),
    dense(CLASSES),
  ],
  'an activation last, and in a residual block': () => [
    residual([dense(INPUTS, 'tanh'), activation('tanh')]),
    dense(CLASSES, 'tanh'),
    activation('tanh'),
  ],
  'frozen layers of each kind': () => [
    dense(9, 'gelu'),
    batchNorm({ trainable: false }),
    dense(9, 'tanh', { trainable: false }),
    residual([dense(9, 'tanh'), batchNorm(), layerNorm()], { trainable: false }),
    layerNorm({ trainable: false }),
    dense(CLASSES),
  ],
  'all frozen but the last layer': () => [
    batchNorm({ trainable: false }),
    dense(9, 'tanh', { trainable: false }),
    dense(CLASSES),
  ],
  'nothing with parameters after the first layer': () => [
    dense(CLASSES, 'tanh'),
    layerNorm({ affine: false }),
    dropout(0.1),
  ],
};

async function trainerOf(model: Mlp, batchSize = BATCH): Promise<Trainer<Metric<'accuracy'>>> {
  const optimizer = sgd({ learningRate });
  return await model.trainer({ loss: softmaxCrossEntropy(), optimizer, metrics: [accuracy()], batchSize });
}

const magnitude = (values: ArrayLike<number>): number => Array.from(values, Math.abs).reduce((sum, x) => sum + x, 0);

/** A comparison whose bound could hide an error says nothing. */
function expectTight(expected: readonly Bounded[]): void {
  const bounds = expected.reduce((sum, { bound }) => sum + magnitude(bound), 0);
  expect(bounds / expected.reduce((sum, { values }) => sum + magnitude(values), 0)).toBeLessThan(0.5);
}

test.for(Object.keys(networks).flatMap((name) => [BATCH, 7].map((rows) => ({ name, rows }))))(
  '$name, $rows rows of 12: gradients, a step and an evaluation are those of the float64 reference',
  async ({ name, rows }) => {
    const gpu = await sharedGpu();
    const layers = networks[name]?.() ?? [];
    using model = await Mlp.create(gpu, { inputs: INPUTS, layers, seed: SEED });
    using trainer = await trainerOf(model);
    const before = await model.weights();
    const frozen = model.spec.layers.flatMap(({ trainable }, number) => (trainable === false ? [`${number}`] : []));
    const isFrozen = (weight: string): boolean => frozen.includes(weight.split('.')[0] ?? '');
    const trained = before.filter(({ name: weight }) => !weight.includes('running') && !isFrozen(weight));
    const { inputs, labels } = clusters(rows, INPUTS, CLASSES, 3);
    const X = exact([rows, INPUTS], inputs);
    // Once to see that nothing changes, and at the second step, whose masks are others.
    for (const index of [0, 1]) {
      const now = await model.weights();
      const trace = referenceNetwork(model.spec.layers, now, X, { training: true, seed: SEED, index });
      const { gradient, losses } = referenceLoss(trace.Y, labels, rows);
      const expected = trace.backward(gradient).gradients;
      const { loss, gradients } = await trainer.gradients(inputs, labels);
      expect(gradients.map((weight) => weight.name)).toEqual(trained.map((weight) => weight.name));
      expectTight(expected);
      for (const [number, { data, name: weight }] of gradients.entries()) {
        expect(data).toBeWithin(expected[number] ?? exact([1, 1], [0]), `∂loss/∂${weight}`);
      }
      const meanBound = losses.bound.reduce((sum, bound) => sum + bound, 0) / rows + 1e-6;
      const meanLoss = losses.values.reduce((sum, value) => sum + value, 0) / rows;
      expect(Math.abs(loss - meanLoss)).toBeLessThan(meanBound);
      expect(await model.weights()).toEqual(now);
      if (index === 1) break;
      await trainer.step(inputs, labels);
      const after = await model.weights();
      const updated = expected.map((g, number) => {
        const p = exact(g.shape, trained[number]?.data ?? []);
        return referenceSgd(p, g, undefined, { learningRate }).parameters;
      });
      const running = [...trace.running];
      for (const [number, { data, name: weight }] of after.entries()) {
        const wanted = weight.includes('running') ? running.shift() : isFrozen(weight) ? undefined : updated.shift();
        if (isFrozen(weight)) {
          expect(data).toEqual(before[number]?.data);
          continue;
        }
        expect(data).toBeWithin(wanted ?? exact([1, 1], [0]), weight);
      }
    }
    const end = await model.weights();
    const evaluated = referenceNetwork(model.spec.layers, end, X, { training: false, seed: SEED, index: 0 });
    expect(await model.predict(inputs, { output: 'logits' })).toBeWithin(evaluated.Y, 'logits');
    using data = Dataset.create(gpu, { inputs, features: INPUTS, classes: labels });
    const { losses } = referenceLoss(evaluated.Y, labels, rows);
    const meanLoss = losses.values.reduce((sum, value) => sum + value, 0) / rows;
    const meanBound = losses.bound.reduce((sum, bound) => sum + bound, 0) / rows + 1e-6;
    expect(Math.abs((await trainer.evaluate(data)).loss - meanLoss)).toBeLessThan(meanBound);
    expect(await model.weights()).toEqual(end);
  },
);

const everything = (): Layer[] => [
  dropout(0.1),
  dense(16, 'relu'),
  batchNorm(),
  residual([dense(8, 'relu'), dropout(0.2), layerNorm(), dense(16)], { activation: 'relu' }),
  dense(CLASSES),
];

test('training twice gives the same bits, however many steps share a submit; another seed gives others', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(101, INPUTS, CLASSES);
  const hashes: string[] = [];
  for (const [seed, stepsPerSubmit] of [
    [1, 1],
    [1, 'auto'],
    [1, 7],
    [2, 1],
  ] as const) {
    using model = await Mlp.create(gpu, { inputs: INPUTS, layers: everything(), seed });
    using data = Dataset.create(gpu, { inputs, features: INPUTS, classes: labels });
    const optimizer = sgd({ learningRate, momentum: 0.9 });
    using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: 10, stepsPerSubmit });
    // The last batch of an epoch is a single row.
    const history = await trainer.fit(data, { epochs: 3, validation: data });
    expect(history.every(({ loss, validation }) => Number.isFinite(loss) && Number.isFinite(validation?.loss))).toBe(
      true,
    );
    hashes.push(await hashOf(model));
  }
  expect(hashes[1]).toBe(hashes[0]);
  expect(hashes[2]).toBe(hashes[0]);
  expect(hashes[3]).not.toBe(hashes[0]);
});

test('a network of all of them learns', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(300, INPUTS, CLASSES);
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers: everything(), seed: 1 });
  using data = Dataset.create(gpu, { inputs, features: INPUTS, classes: labels });
  using trainer = await trainerOf(model, 20);
  const before = await trainer.evaluate(data);
  await trainer.fit(data, { epochs: 10 });
  const after = await trainer.evaluate(data);
  expect(after.loss).toBeLessThan(0.7 * before.loss);
  expect(after.accuracy).toBeGreaterThan(0.7);
});

test('a last batch of a single row leaves the running statistics as they are', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers: [batchNorm(), dense(CLASSES)], seed: 1 });
  using trainer = await trainerOf(model, 4);
  const { inputs, labels } = clusters(1, INPUTS, CLASSES);
  await trainer.step(inputs, labels);
  const running = (await model.weights()).filter(({ name }) => name.includes('running'));
  expect(running.map(({ data }) => [...data])).toEqual([new Array(INPUTS).fill(0), new Array(INPUTS).fill(1)]);
});

test('weight decay does not touch running statistics', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, {
    inputs: INPUTS,
    layers: [batchNorm({ momentum: 0 }), dense(CLASSES)],
    seed: 1,
  });
  const optimizer = sgd({ learningRate: 0.1, weightDecay: 0.5 });
  using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: 4 });
  const { inputs, labels } = clusters(4, INPUTS, CLASSES);
  await trainer.step(inputs, labels);
  const weights = await model.weights();
  expect([...(weights[3]?.data ?? [])]).toEqual(new Array(INPUTS).fill(1));
  const { gradients } = await trainer.gradients(inputs, labels);
  expect(gradients.map(({ name }) => name)).toEqual(['0.weight', '0.bias', '1.weight', '1.bias']);
  expect(weights[0]?.data[0]).toBeLessThan(1.02);
});

test('names, order, counts and the summary', async () => {
  const gpu = await sharedGpu();
  const layers = [
    dense(4, 'relu'),
    batchNorm(),
    dropout(0.5),
    residual([dense(6, 'relu'), residual([layerNorm()]), dense(4)], { activation: 'relu' }),
    dense(CLASSES),
  ];
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers, seed: 1 });
  const weights = await model.weights();
  expect(weights.map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
    '0.weight 5×4',
    '0.bias 4',
    '1.weight 4',
    '1.bias 4',
    '1.running_mean 4',
    '1.running_var 4',
    '3.0.weight 4×6',
    '3.0.bias 6',
    '3.1.0.weight 6',
    '3.1.0.bias 6',
    '3.2.weight 6×4',
    '3.2.bias 4',
    '4.weight 4×3',
    '4.bias 3',
  ]);
  expect(model.parameterCount).toBe(24 + 8 + 30 + 12 + 28 + 15);
  const lines = model
    .summary()
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '));
  expect(lines.slice(-10)).toEqual([
    '0 dense 5 → 4 relu 24',
    '1 batchNorm 4 → 4 8',
    '2 dropout 4 → 4 0',
    '3 residual 4 → 4 relu 0',
    '3.0 dense 4 → 6 relu 30',
    '3.1 residual 6 → 6 linear 0',
    '3.1.0 layerNorm 6 → 6 12',
    '3.2 dense 6 → 4 linear 28',
    '4 dense 4 → 3 linear 15',
    '117 parameters',
  ]);
  const partly = [
    dense(4, 'relu', { trainable: false }),
    residual([layerNorm()], { trainable: false }),
    dense(CLASSES),
  ];
  using frozen = await Mlp.create(gpu, { inputs: INPUTS, layers: partly });
  expect([frozen.parameterCount, frozen.trainableParameterCount]).toEqual([24 + 8 + 15, 15]);
  expect(model.trainableParameterCount).toBe(117);
  const rows = frozen.summary().split('\n');
  expect(rows.map((line) => line.trim().replace(/\s+/g, ' ')).slice(-5)).toEqual([
    '0 dense 5 → 4 relu 24 frozen',
    '1 residual 4 → 4 linear 0',
    '1.0 layerNorm 4 → 4 8 frozen',
    '2 dense 4 → 3 linear 15',
    '47 parameters: 15 trainable, 32 frozen',
  ]);
  expect(JSON.parse(JSON.stringify(model.spec))).toEqual(model.spec);
  expect(model.spec.layers[1]).toEqual({ type: 'batchNorm', momentum: 0.1, epsilon: 1e-5, affine: true });
  model.setWeights(weights.map((weight) => ({ ...weight, data: weight.data.map((x) => x + 1) })));
  const moved = await model.weights();
  expect(moved.map(({ data }) => data[0])).toEqual(weights.map(({ data }) => Math.fround((data[0] ?? 0) + 1)));
});

test.for<[string, () => Layer[], string, string]>([
  ['a rate of 1', () => [dropout(1)], 'bad-option', 'layer 0 (dropout) has rate = 1; rate must be a number in [0, 1).'],
  ['a negative rate', () => [dense(2), dropout(-1)], 'bad-option', 'layer 1 (dropout) has rate = -1'],
  ['a momentum', () => [batchNorm({ momentum: 2 })], 'bad-option', 'momentum must be a number in [0, 1].'],
  ['an epsilon', () => [batchNorm({ epsilon: 0 })], 'bad-option', 'epsilon must be a positive float32 number.'],
  ['an epsilon', () => [layerNorm({ epsilon: -1 })], 'bad-option', 'layer 0 (layerNorm) has epsilon = -1'],
  ['an empty block', () => [residual([])], 'shape', 'layer 0 (residual) has no layers'],
  [
    'widths that differ',
    () => [residual([dense(3)])],
    'shape',
    'layer 0 (residual) has 5 inputs, but its layers give 3 outputs',
  ],
  ['maxout as a layer', () => [activation('maxout' as 'relu')], 'bad-activation', 'layer 0 (activation) has maxout'],
  ['an unknown layer of activation', () => [activation('rleu' as 'relu')], 'unknown-activation', '"rleu"'],
  [
    'softmax that is not last',
    () => [activation('softmax'), dense(3)],
    'bad-activation',
    'layer 0 has activation "softmax", which only the last layer can have.',
  ],
  [
    'trainable',
    () => [dense(2, 'relu', { trainable: 'no' as unknown as boolean })],
    'bad-layer',
    'layer 0 (dense): trainable = "no" is a string; trainable must be true or false.',
  ],
  ['a layer in a block', () => [residual([dropout(2), dense(5)])], 'bad-option', 'layer 0.0 (dropout) has rate = 2'],
  ['an activation', () => [residual([dense(5)], { activation: 'rleu' as 'relu' })], 'unknown-activation', '"rleu"'],
  ...(['prelu', { type: 'swish', learned: true }, 'maxout' as 'relu'] as const).map(
    (activation): [string, () => Layer[], string, string] => [
      `a block’s ${JSON.stringify(activation)}`,
      () => [residual([dense(5)], { activation })],
      'bad-activation',
      `layer 0 (residual) has activation ${JSON.stringify(activation)}, which only dense layers have.`,
    ],
  ),
])('%s is refused', async ([, layers, code, message]) => {
  const gpu = await sharedGpu();
  const failure = Mlp.create(gpu, { inputs: INPUTS, layers: layers() });
  await expect(failure).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test('a block that ends in a step cannot be trained, and predicts', async () => {
  const gpu = await sharedGpu();
  const layers = [residual([dense(INPUTS, 'linear', { initializer: 'zeros' })], { activation: 'step' })];
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers });
  await expect(trainerOf(model)).rejects.toMatchObject({
    code: 'not-trainable',
    message: expect.stringContaining('layer 0 (residual) has the activation "step", whose derivative is 0'),
  });
  expect(await model.predict([-2, -1, 0, 1, 2], { output: 'values' })).toEqual(new Float32Array([0, 0, 1, 1, 1]));
});

test('nothing is computed for frozen layers that nothing else needs', async () => {
  const gpu = await sharedGpu();
  const kernelsOf = async (trainable: boolean): Promise<string[]> => {
    const layers = [dense(990, 'tanh', { trainable }), dense(10, 'tanh', { trainable }), dense(CLASSES)];
    using model = await Mlp.create(gpu, { inputs: 36, layers });
    const optimizer = adam({ weightDecay: 0.1 });
    using trainer = await model.trainer({ loss: meanSquaredError(), optimizer, batchSize: 8, penalties: { l1: 1 } });
    // Adam's moments are of the last layer alone: 33 parameters, in a block of 64.
    if (!trainable) expect(trainer.plan.memory.state).toBe(2 * 4 * 64);
    return trainer.plan.dispatches.map(({ label }) => label);
  };
  const matmuls = (labels: readonly string[]): number => labels.filter((label) => label.startsWith('matmul')).length;
  // Without dW and dX of the second layer, dW of the first, and dX of the last.
  expect(matmuls(await kernelsOf(true)) - matmuls(await kernelsOf(false))).toBe(4);
});

test('a model that is frozen as a whole is evaluated, and fit changes nothing', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(24, INPUTS, CLASSES);
  using data = Dataset.create(gpu, { inputs, features: INPUTS, classes: labels });
  const losses: (number | undefined)[] = [];
  for (const trainable of [true, false]) {
    const layers = [dense(9, 'tanh', { trainable }), dense(CLASSES, 'linear', { trainable })];
    using model = await Mlp.create(gpu, { inputs: INPUTS, layers, seed: 1 });
    using trainer = await trainerOf(model);
    const before = await hashOf(model);
    losses.push((await trainer.evaluate(data)).loss);
    await trainer.fit(data, { epochs: 1 });
    expect((await hashOf(model)) === before).toBe(!trainable);
  }
  expect(losses[1]).toBe(losses[0]);
});

test('the weights of a frozen layer go where the trainer of another model changes them', async () => {
  const gpu = await sharedGpu();
  const layers = (trainable: boolean): Layer[] => [dense(9, 'tanh', { trainable }), dense(CLASSES)];
  using frozen = await Mlp.create(gpu, { inputs: INPUTS, layers: layers(false), seed: 1 });
  using free = await Mlp.create(gpu, { inputs: INPUTS, layers: layers(true), seed: 2 });
  free.setWeights(await frozen.weights());
  expect(await free.weights()).toEqual(await frozen.weights());
  const loaded = await Mlp.load(gpu, await frozen.save());
  expect(loaded.spec).toEqual(frozen.spec);
  expect(await loaded.weights()).toEqual(await frozen.weights());
  // A checkpoint has the frozen weights; a trainer of other layers refuses it.
  const [of, other] = [await trainerOf(frozen), await trainerOf(free)];
  const bytes = await of.checkpoint();
  frozen.setWeights((await frozen.weights()).map((weight) => ({ ...weight, data: weight.data.map(() => 0) })));
  await of.restore(bytes);
  expect(await frozen.weights()).toEqual(await loaded.weights());
  await expect(other.restore(bytes)).rejects.toMatchObject({ code: 'other-training' });
  loaded.dispose();
});

test('batchNorm cannot be trained row by row', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers: [batchNorm(), dense(CLASSES)] });
  const before = await settledBytes(gpu);
  await expect(trainerOf(model, 1)).rejects.toMatchObject({
    code: 'shape',
    message: 'batchNorm: batchSize = 1, but a single row has no variance. Train with at least 2.',
  });
  expect(await settledBytes(gpu)).toBe(before);
  expect((await model.predict(new Float32Array(INPUTS))).length).toBe(CLASSES);
});

const TINY = 'a small network in one dispatch';
const HEAD = 'last layer, loss and first dX';
const GATHER = 'gather into its readers';

test.for<[string, () => Layer[], readonly string[], readonly string[]]>([
  ['dropout between', () => [dense(9, 'tanh'), dropout(0.3), dense(CLASSES)], [HEAD, GATHER], [TINY]],
  ['dropout first', () => [dropout(0.3), dense(CLASSES)], [HEAD], [TINY, GATHER]],
  ['batchNorm first', () => [batchNorm(), dense(CLASSES)], [HEAD], [TINY, GATHER]],
  ['a block first', () => [block(INPUTS), dense(CLASSES)], [HEAD], [TINY, GATHER]],
  ['a block after a layer', () => [dense(9), block(9), dense(CLASSES)], [HEAD, GATHER], [TINY]],
  ['a norm last', () => [dense(CLASSES), layerNorm()], [GATHER], [TINY, HEAD]],
])('what a step fuses: %s', async ([, layers, fused, apart]) => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers: layers() });
  using trainer = await trainerOf(model);
  const plan = trainer.plan.toString();
  for (const what of fused) expect(plan).toContain(`\nfused: ${what}`);
  for (const what of apart) expect(plan).toContain(`\nnot fused: ${what} (`);
});

test('an evaluation with dropout has the bits of one without', async () => {
  const gpu = await sharedGpu();
  const make = (layers: Layer[]): Promise<Mlp> => Mlp.create(gpu, { inputs: INPUTS, layers, seed: 3 });
  using plain = await make([dense(4, 'tanh'), dense(CLASSES)]);
  using dropped = await make([dropout(0.5), dense(4, 'tanh'), dropout(0.5), dense(CLASSES)]);
  const { inputs } = clusters(9, INPUTS, CLASSES);
  expect(await dropped.predict(inputs)).toEqual(await plain.predict(inputs));
});
