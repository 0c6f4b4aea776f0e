import { expect, test } from 'vitest';
import { dense, type Gpu, type GradientChecks, type Layer, Mlp, sgd, softmaxCrossEntropy } from '../../../src/index.js';
import { ownGpu, sharedGpu } from '../../support/gpu.js';
import { withPlanted } from '../../support/plant.js';
import {
  checkNetwork,
  type FusedNetwork,
  fusedErrors,
  networks,
  plantedErrors,
  variants,
  wrongOnes,
} from '../../support/planted.js';
import { clusters, hashOf } from '../../support/problems.js';

const INPUTS = 6;
const CLASSES = 4;
const ROWS = 11;

async function check(gpu: Gpu, layers: Layer[], seed = 1): Promise<GradientChecks> {
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers, seed });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: ROWS + 2,
  });
  const { inputs, labels } = clusters(ROWS, INPUTS, CLASSES, seed);
  const before = await hashOf(model);
  const checks = await trainer.checkGradients(inputs, labels);
  expect(await hashOf(model), 'the parameters are what they were').toBe(before);
  // Nobody has the trainer for himself any more.
  await trainer.step(inputs, labels);
  return checks;
}

const hidden = (): Layer[] => [dense(9, 'tanh'), dense(8, 'gelu'), dense(CLASSES)];

test.for([1, 2, 3, 4, 5])('gradients that are right pass, seed %i', async (seed) => {
  const checks = await check(await sharedGpu(), [dense(9, 'relu'), dense(8, 'swish'), dense(CLASSES)], seed);
  expect(checks.map(({ name }) => name)).toEqual(['0.weight', '0.bias', '1.weight', '1.bias', '2.weight', '2.bias']);
  expect(wrongOnes(checks), String(checks)).toEqual([]);
  for (const { checked, scale } of checks) {
    expect(checked).toBeGreaterThanOrEqual(4);
    expect(scale).toBeGreaterThan(0);
  }
});

// The variants of a product are tested by themselves, against the float64 reference.
const unforced = Object.keys(networks).filter((name) => !variants.some((variant) => variant === name));
test.for(unforced)('no false alarm: %s', async (name) => {
  for (const seed of [1, 2, 3]) {
    const checks = await checkNetwork(await sharedGpu(), name, seed, 3);
    expect(wrongOnes(checks), `seed ${seed}\n${checks}`).toEqual([]);
  }
});

test.for(
  plantedErrors.map((errors) => ({ errors, shaders: [...new Set(errors.map(({ shader }) => shader))].join(', ') })),
)('errors are found in $shaders', async ({ errors }) => {
  const found = await withPlanted(errors, async () => {
    using gpu = await ownGpu();
    const all: [string, readonly string[]][] = [];
    for (const { what, network } of errors) all.push([what, wrongOnes(await checkNetwork(gpu, network, 1, 3))]);
    return all;
  });
  expect(found).toEqual(errors.map(({ what, found: wrong }) => [what, wrong]));
});

/** What a step of plain descent by 1 did to the parameters is the gradient, by the kernels that the step was fused into. */
async function worstOfStep(gpu: Gpu, { clip, units = 9 }: FusedNetwork): Promise<{ plan: string; worst: number }> {
  using model = await Mlp.create(gpu, { inputs: INPUTS, layers: [dense(units, 'tanh'), dense(CLASSES)], seed: 1 });
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 1 }), batchSize: ROWS + 2 };
  using trainer = await model.trainer({ ...options, ...(clip && { clip }) });
  const { inputs, labels } = clusters(ROWS, INPUTS, CLASSES, 1);
  const before = await model.weights();
  const { gradients } = await trainer.gradients(inputs, labels);
  await trainer.step(inputs, labels);
  const after = await model.weights();
  let worst = 0;
  for (const [number, { data }] of gradients.entries()) {
    const scale = data.reduce((largest, g) => Math.max(largest, Math.abs(g)), 0);
    for (const [i, g] of data.entries()) {
      const moved = (before[number]?.data[i] ?? Number.NaN) - (after[number]?.data[i] ?? Number.NaN);
      worst = Math.max(worst, Math.abs(moved - g) / scale);
    }
  }
  return { plan: trainer.plan.toString(), worst };
}

test.for(fusedErrors)(
  'gradients() runs the plain kernels; an error in $shader shows beside them',
  async ({ shader, text, wrong, ...network }) => {
    const right = await worstOfStep(await sharedGpu(), network);
    expect(right.plan).toContain(shader);
    // Both are sums of the same products in another order.
    expect(right.worst).toBeLessThan(1e-5);
    const { worst } = await withPlanted([{ text, wrong }], async () => {
      using gpu = await ownGpu();
      return await worstOfStep(gpu, network);
    });
    expect(worst).toBeGreaterThan(0.01);
  },
);

test('a trainer that is checked does nothing else meanwhile', async () => {
  using model = await Mlp.create(await sharedGpu(), { inputs: INPUTS, layers: hidden() });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 4,
  });
  const { inputs, labels } = clusters(4, INPUTS, CLASSES);
  const checking = trainer.checkGradients(inputs, labels);
  await expect(trainer.step(inputs, labels)).rejects.toThrow(/checkGradients is running/);
  await expect(trainer.checkGradients(inputs, labels)).rejects.toMatchObject({ code: 'busy' });
  await checking;
  await expect(trainer.checkGradients(inputs, labels, { elements: 0 })).rejects.toThrow(
    'elements = 0; elements must be',
  );
  await expect(trainer.checkGradients(inputs, labels, { seed: -1 })).rejects.toThrow('seed = -1; seed must be');
  await expect(trainer.checkGradients(inputs.subarray(1), labels)).rejects.toMatchObject({ code: 'shape' });
  await expect(trainer.checkGradients(inputs, labels, { seed: 0.5 })).rejects.toMatchObject({ code: 'bad-seed' });
});
