import { expect, test } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  type Clip,
  Dataset,
  dense,
  type Gpu,
  Mlp,
  NotFiniteError,
  type Optimizer,
  type Regularization,
  rmsprop,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
} from '../../../src/index.js';
import { adagrad as adagradStep } from '../../reference/adagrad.js';
import { adam as adamStep } from '../../reference/adam.js';
import { type Bounded, exact } from '../../reference/bounded.js';
import { clamped, clipCoefficient, penalised, scaled } from '../../reference/gradient-norm.js';
import type { ReferenceLayer } from '../../reference/mlp.js';
import { rmsprop as rmspropStep } from '../../reference/rmsprop.js';
import { sgd as sgdStep } from '../../reference/sgd.js';
import { outsideOfBounds } from '../../support/bounds.js';
import { settledBytes, sharedGpu } from '../../support/gpu.js';
import { clusters, hashOf, layersOf, type Network, referenceLayers } from '../../support/problems.js';
import { type Adjust, trainBy } from '../../support/training.js';

const network: Network = { inputs: 4, units: [5, 3], activations: ['tanh'] };
const BATCH = 8;
const STEPS = 6;

const trainerOf = (model: Mlp, optimizer: Optimizer, options: Partial<TrainerOptions> = {}): Promise<Trainer> =>
  model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: BATCH, ...options });

type Reference = (start: readonly ReferenceLayer[], steps: number, adjust?: Adjust) => readonly ReferenceLayer[];

const data = Array.from({ length: STEPS }, (_, number) => clusters(BATCH, 4, 3, 20 + number));
const batches = data.map(({ inputs, labels }) => ({ X: exact([BATCH, 4], inputs), labels }));

const byAdagrad =
  (options: Parameters<typeof adagradStep>[4]): Reference =>
  (start, steps, adjust) =>
    trainBy<{ squares: Bounded }>(
      start,
      batches.slice(0, steps),
      (p, g, state, index) => adagradStep(p, g, state?.squares, index, options),
      adjust,
    );
const byRmsprop =
  (options: Parameters<typeof rmspropStep>[3]): Reference =>
  (start, steps, adjust) =>
    trainBy<ReturnType<typeof rmspropStep>>(
      start,
      batches.slice(0, steps),
      (p, g, state) => rmspropStep(p, g, state, options),
      adjust,
    );
const byAdam =
  (options: Parameters<typeof adamStep>[4]): Reference =>
  (start, steps, adjust) =>
    trainBy<ReturnType<typeof adamStep>>(
      start,
      batches.slice(0, steps),
      (p, g, state, index) => adamStep(p, g, state, index, options),
      adjust,
    );
const bySgd =
  (options: Parameters<typeof sgdStep>[3]): Reference =>
  (start, steps, adjust) =>
    trainBy<{ velocity: Bounded }>(
      start,
      batches.slice(0, steps),
      (p, g, state) => sgdStep(p, g, state?.velocity, options),
      adjust,
    );

/** Trains on the GPU, and compares with the reference, whose bounds must tell its weights from those of a step fewer. */
async function compare(
  optimizer: Optimizer,
  reference: Reference,
  options: Partial<TrainerOptions> = {},
  adjust?: Adjust,
): Promise<void> {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 4, layers: layersOf(network), seed: 3 });
  using trainer = await trainerOf(model, optimizer, options);
  const start = referenceLayers(await model.weights(), network);
  for (const { inputs, labels } of data) await trainer.step(inputs, labels);
  const weights = await model.weights();
  const earlier = reference(start, STEPS - 1, adjust);
  let toldApart = false;
  for (const [layer, { W, b }] of reference(start, STEPS, adjust).entries()) {
    expect(weights[2 * layer]?.data).toBeWithin(W, `W of layer ${layer}`);
    expect(weights[2 * layer + 1]?.data).toBeWithin(b, `b of layer ${layer}`);
    const before = { ...W, values: earlier[layer]?.W.values ?? W.values };
    toldApart ||= outsideOfBounds(weights[2 * layer]?.data ?? [], before) !== undefined;
  }
  expect(toldApart).toBe(true);
}

const rate = { learningRate: 0.05 };
test.for<{ optimizer: Optimizer; reference: Reference }>([
  { optimizer: sgd({ ...rate, momentum: 0.9 }), reference: bySgd({ ...rate, momentum: 0.9 }) },
  { optimizer: adagrad(), reference: byAdagrad({ learningRate: 0.01 }) },
  {
    optimizer: adagrad({ ...rate, learningRateDecay: 0.2, weightDecay: 0.1, initialAccumulator: 0.1 }),
    reference: byAdagrad({ ...rate, learningRateDecay: 0.2, weightDecay: 0.1, initialAccumulator: 0.1 }),
  },
  { optimizer: rmsprop(), reference: byRmsprop({ learningRate: 0.01 }) },
  {
    optimizer: rmsprop({ ...rate, decay: 0.9, momentum: 0.5, centered: true, weightDecay: 0.1, epsilon: 1e-3 }),
    reference: byRmsprop({ ...rate, decay: 0.9, momentum: 0.5, centered: true, weightDecay: 0.1, epsilon: 1e-3 }),
  },
  { optimizer: adam(), reference: byAdam({ learningRate: 0.001 }) },
  { optimizer: adam({ ...rate, weightDecay: 0.1 }), reference: byAdam({ ...rate, weightDecay: 0.1 }) },
  { optimizer: adamw(rate), reference: byAdam({ ...rate, weightDecay: 0.01, decoupled: true }) },
])('six steps with $optimizer.spec give the weights of the float64 reference', async ({ optimizer, reference }) => {
  await compare(optimizer, reference);
});

test('decay on weights leaves biases alone: five optimizers, six steps each', async () => {
  const weightDecay = { value: 0.5, on: 'weights' } as const;
  const sgdRules = [0.5, 0].map((decay) => ({ ...rate, momentum: 0.9, weightDecay: decay }));
  await compare(sgd({ ...rate, momentum: 0.9, weightDecay }), (start, steps) =>
    trainBy<{ velocity: Bounded }>(
      start,
      batches.slice(0, steps),
      (p, g, state) => sgdStep(p, g, state?.velocity, sgdRules[0] ?? rate),
      undefined,
      (p, g, state) => sgdStep(p, g, state?.velocity, sgdRules[1] ?? rate),
    ),
  );
  await compare(adagrad({ ...rate, weightDecay }), (start, steps) =>
    trainBy<{ squares: Bounded }>(
      start,
      batches.slice(0, steps),
      (p, g, state, index) => adagradStep(p, g, state?.squares, index, { ...rate, weightDecay: 0.5 }),
      undefined,
      (p, g, state, index) => adagradStep(p, g, state?.squares, index, rate),
    ),
  );
  await compare(rmsprop({ ...rate, weightDecay }), (start, steps) =>
    trainBy<ReturnType<typeof rmspropStep>>(
      start,
      batches.slice(0, steps),
      (p, g, state) => rmspropStep(p, g, state, { ...rate, weightDecay: 0.5 }),
      undefined,
      (p, g, state) => rmspropStep(p, g, state, rate),
    ),
  );
  for (const decoupled of [false, true]) {
    const optimizer = decoupled ? adamw({ ...rate, weightDecay }) : adam({ ...rate, weightDecay });
    await compare(optimizer, (start, steps) =>
      trainBy<ReturnType<typeof adamStep>>(
        start,
        batches.slice(0, steps),
        (p, g, state, index) => adamStep(p, g, state, index, { ...rate, weightDecay: 0.5, decoupled }),
        undefined,
        (p, g, state, index) => adamStep(p, g, state, index, { ...rate, weightDecay: 0, decoupled }),
      ),
    );
  }
});

test.for([
  sgd({ ...rate, weightDecay: { value: 0.5, on: 'weights' } }),
  adamw({ ...rate, weightDecay: { value: 0.5, on: 'weights' } }),
])('a bias of 1 is 1 after ten steps without a gradient, and weights have decayed: $spec.type', async (optimizer) => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(5, 'relu'), dense(2)], seed: 3 });
  model.setWeights((await model.weights()).map((weight) => ({ ...weight, data: weight.data.map(() => 1) })));
  using trainer = await trainerOf(model, optimizer, { clip: { value: 1 } });
  // All units are dead, and equal logits are the targets: every gradient is exactly 0.
  for (let step = 0; step < 10; step++) await trainer.step(new Float32Array(4).fill(-9), [0.5, 0.5]);
  const decayed = (1 - 0.05 * 0.5) ** 10;
  for (const { name, data } of await model.weights()) {
    // Each step rounds its factor, and its product.
    const tolerance = name.endsWith('bias') ? 0 : 40 * 2 ** -23;
    const wanted = name.endsWith('bias') ? 1 : decayed;
    for (const value of data) expect(Math.abs(value - wanted), name).toBeLessThanOrEqual(tolerance);
  }
});

const all = (gradients: Parameters<Adjust>[1]): Bounded[] => gradients.flatMap(({ W, b }) => [W, b]);
const byNorm =
  (norm: number): Adjust =>
  (_layers, gradients) => {
    // 128 gradients with their padding: 32 vec4s, at most one an invocation, and one workgroup of sums.
    const coefficient = clipCoefficient(all(gradients), norm, 72);
    return gradients.map(({ W, b }) => ({ W: scaled(W, coefficient), b: scaled(b, coefficient) }));
  };
const byValue =
  (value: number): Adjust =>
  (_layers, gradients) =>
    gradients.map(({ W, b }) => ({ W: clamped(W, value), b: clamped(b, value) }));
const byPenalties =
  (l1: number, l2: number): Adjust =>
  (layers, gradients) =>
    gradients.map(({ W, b }, l) => ({ W: penalised(W, layers[l]?.W ?? W, l1, l2), b }));
const both =
  (first: Adjust, second: Adjust): Adjust =>
  (layers, gradients) =>
    second(layers, first(layers, gradients));

test.for<{ clip?: Clip; penalties?: Regularization; adjust: Adjust }>([
  { clip: { norm: 0.1 }, adjust: byNorm(0.1) },
  { clip: { value: 0.03 }, adjust: byValue(0.03) },
  { penalties: { l1: 0.01, l2: 0.1 }, adjust: byPenalties(0.01, 0.1) },
  { penalties: { l2: 0.2 }, clip: { norm: 0.2 }, adjust: both(byPenalties(0, 0.2), byNorm(0.2)) },
  { penalties: { l1: 0.05 }, clip: { value: 0.05 }, adjust: both(byPenalties(0.05, 0), byValue(0.05)) },
])('six steps with clip $clip and penalties $penalties', async ({ adjust, ...options }) => {
  const hyper = { ...rate, momentum: 0.9, weightDecay: 0.1 };
  await compare(sgd(hyper), bySgd(hyper), options, adjust);
  await compare(adamw(rate), byAdam({ ...rate, weightDecay: 0.01, decoupled: true }), options, adjust);
});

async function run(gpu: Gpu, optimizer: Optimizer, options: Partial<TrainerOptions> = {}): Promise<string> {
  const { inputs, labels } = clusters(50, 4, 3);
  using model = await Mlp.create(gpu, { inputs: 4, layers: layersOf(network), seed: 5 });
  using set = Dataset.create(gpu, { inputs, features: 4, classes: labels });
  using trainer = await trainerOf(model, optimizer, options);
  await trainer.fit(set, { epochs: 3, validation: set });
  return await hashOf(model);
}

test.for([sgd(rate), adagrad(), rmsprop({ momentum: 0.5, centered: true }), adam(), adamw()])(
  '$spec.type gives the same bits again, however many steps share a submit, clipped or not',
  async (optimizer) => {
    const gpu = await sharedGpu();
    for (const options of [{}, { clip: { norm: 0.5 }, penalties: { l1: 1e-3 } }]) {
      const hashes = [1, 1, 5, 'auto' as const].map((stepsPerSubmit) =>
        run(gpu, optimizer, { ...options, stepsPerSubmit }),
      );
      expect(new Set(await Promise.all(hashes)).size).toBe(1);
    }
    // Neither a limit that is far away nor penalties of zero change a bit of the plain kernels' steps.
    const loose = { clip: { norm: 1e6 }, penalties: { l1: 0, l2: 0 } };
    if (optimizer.spec.type !== 'sgd') expect(await run(gpu, optimizer, loose)).toBe(await run(gpu, optimizer));
  },
);

test('dispatches: as many with each optimizer, but that of plain sgd is in the products; a clip by norm adds two, all else none', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 36, layers: [dense(990, 'tanh'), dense(10)], seed: 1 });
  const count = async (optimizer: Optimizer, options: Partial<TrainerOptions> = {}): Promise<number> => {
    using trainer = await trainerOf(model, optimizer, options);
    return trainer.plan.dispatches.length;
  };
  const plain = await count(adam());
  for (const optimizer of [adagrad(), rmsprop(), adamw()]) expect(await count(optimizer)).toBe(plain);
  expect(await count(sgd(rate))).toBe(plain - 1);
  for (const optimizer of [sgd(rate), adam()]) {
    expect(await count(optimizer, { clip: { value: 1 }, penalties: { l1: 1, l2: 1 } })).toBe(plain);
    expect(await count(optimizer, { clip: { norm: 1 } })).toBe(plain + 2);
  }
});

test('a small network is one dispatch with sgd alone; the plan says what else is in the way', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(16, 'tanh'), dense(2)], seed: 1 });
  const planOf = async (optimizer: Optimizer, options: Partial<TrainerOptions> = {}): Promise<string> => {
    using trainer = await trainerOf(model, optimizer, options);
    return trainer.plan.toString();
  };
  const tiny = 'a small network in one dispatch';
  expect(await planOf(sgd(rate))).toContain(`\nfused: ${tiny}`);
  const no = (why: string): string => `\nnot fused: ${tiny} (${why} is not part of it)`;
  expect(await planOf(adam())).toContain(no('adam 128'));
  expect(await planOf(sgd(rate), { clip: { norm: 1 } })).toContain(no('gradient-norm 128'));
  expect(await planOf(sgd(rate), { clip: { value: 1 } })).toContain(no('sgd 128 clipped'));
  expect(await planOf(sgd(rate), { penalties: { l2: 1 } })).toContain(no('sgd 128 penalised'));
});

test('reported losses and gradients are those of the data, whatever the penalties', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 4, layers: layersOf(network), seed: 3 });
  using plain = await trainerOf(model, sgd({ learningRate: 0 }));
  using adjusted = await trainerOf(model, sgd({ learningRate: 0 }), { clip: { norm: 0.01 }, penalties: { l1: 1 } });
  const [{ inputs, labels } = clusters(BATCH, 4, 3)] = data;
  expect(await adjusted.gradients(inputs, labels)).toEqual(await plain.gradients(inputs, labels));
  for (const trainer of [plain, adjusted]) await trainer.step(inputs, labels);
  expect(await adjusted.loss()).toBe(await plain.loss());
});

test('what adjusts gradients is freed with the trainer', async () => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 4, layers: layersOf(network), seed: 3 });
  const before = await settledBytes(gpu);
  const trainer = await trainerOf(model, adam(), { clip: { norm: 1 }, penalties: { l1: 1 } });
  expect(gpu.memory.usedBytes).toBeGreaterThan(before);
  trainer.dispose();
  expect(await settledBytes(gpu)).toBe(before);
});

test.for([sgd(rate), adam()])(
  'a gradient that is not finite stops fit, clipped though it is: $spec.type',
  async (optimizer) => {
    const gpu = await sharedGpu();
    const { inputs, labels } = clusters(16, 4, 3);
    using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(5), dense(3)], seed: 3 });
    // All outputs are 0 and the loss is ln 3, but the first layer's gradients are sums of 1000 · 0.1 · 3e38.
    model.setWeights(
      (await model.weights()).map((weight) => ({
        ...weight,
        data: weight.data.map((_, i) => (weight.name === '1.weight' ? (i % 2 === 0 ? 3e38 : -3e38) : 0)),
      })),
    );
    using set = Dataset.create(gpu, { inputs: inputs.map((x) => 1000 * x), features: 4, classes: labels });
    using trainer = await trainerOf(model, optimizer, { clip: { norm: 1 } });
    const failure = await trainer.fit(set, { epochs: 1 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NotFiniteError);
    expect(failure).toMatchObject({ step: 0, where: '0' });
  },
);

test.for<readonly [options: object, message: string]>([
  [{ clip: { norm: 0 } }, 'trainer: clip with norm = 0; norm must be a positive float32 number.'],
  [{ clip: { value: Number.NaN } }, 'trainer: clip with value = NaN; value must be a positive float32 number.'],
  [{ clip: { norm: 1, value: 1 } }, 'trainer: clip must be either { norm } or { value }.'],
  [{ clip: {} }, 'trainer: clip must be either { norm } or { value }.'],
  [{ clip: null }, 'trainer: clip: options = null; options must be { norm, value }.'],
  [{ penalties: { L2: 1 } }, 'trainer: penalties has no option "L2". Did you mean l2?'],
  [{ penalties: 1e-4 }, 'trainer: penalties: options = 0.0001; options must be { l1, l2 }.'],
  [{ penalties: null }, 'trainer: penalties: options = null; options must be { l1, l2 }.'],
  [{ penalties: { l1: -1 } }, 'trainer: penalties with l1 = -1; l1 must be a finite number ≥ 0.'],
  [{ penalties: { l2: Infinity } }, 'trainer: penalties with l2 = Infinity; l2 must be a finite number ≥ 0.'],
])('%j is refused, and nothing is left behind', async ([options, message]) => {
  const gpu = await sharedGpu();
  using model = await Mlp.create(gpu, { inputs: 4, layers: layersOf(network), seed: 3 });
  const before = await settledBytes(gpu);
  await expect(trainerOf(model, sgd(rate), options)).rejects.toThrow(message);
  expect(await settledBytes(gpu)).toBe(before);
});
