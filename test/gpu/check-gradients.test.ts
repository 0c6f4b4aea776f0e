import { expect, test } from 'vitest';
import { dense, Gpu, type GradientChecks, type Layer, Mlp, sgd, softmaxCrossEntropy } from '../../src/index.js';
import { sharedGpu } from '../support/gpu.js';
import { type Plant, withPlanted } from '../support/plant.js';
import { clusters, hashOf } from '../support/problems.js';

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
  trainer.step(inputs, labels);
  return checks;
}

const names = (checks: GradientChecks): string[] => checks.filter(({ passed }) => !passed).map(({ name }) => name);
const hidden = (): Layer[] => [dense(9, 'tanh'), dense(8, 'gelu'), dense(CLASSES)];

test.for([1, 2, 3, 4, 5])('gradients that are right pass, seed %i', async (seed) => {
  const checks = await check(await sharedGpu(), [dense(9, 'relu'), dense(8, 'swish'), dense(CLASSES)], seed);
  expect(checks.map(({ name }) => name)).toEqual(['0.weight', '0.bias', '1.weight', '1.bias', '2.weight', '2.bias']);
  expect(names(checks), String(checks)).toEqual([]);
  for (const { checked, scale } of checks) {
    expect(checked).toBeGreaterThanOrEqual(4);
    expect(scale).toBeGreaterThan(0);
  }
});

interface PlantedCase extends Plant {
  readonly what: string;
  /** Parameters whose gradient is wrong then. */
  readonly found: readonly string[];
}

const lower = ['0.weight', '0.bias', '1.weight', '1.bias'];
const all = [...lower, '2.weight', '2.bias'];
const planted: readonly PlantedCase[] = [
  {
    what: 'loss: the label weighs too little',
    text: '* mass - t) / f32(rows)',
    wrong: '* mass - 0.9 * t) / f32(rows)',
    found: all,
  },
  {
    what: 'dX: not multiplied by the derivative of the activation below',
    text: 'z * activate_derivative(gate_at(at))',
    wrong: 'z',
    found: lower,
  },
  {
    what: 'dX: a tenth too small',
    text: 'C[at] = z * activate_derivative',
    wrong: 'C[at] = 0.9 * z * activate_derivative',
    found: lower,
  },
  {
    what: 'dW: its last row is missing',
    text: 'C[at] = activate(z);',
    wrong: 'C[at] = select(activate(z), 0.0, TRANSPOSE_A && m + 2 == dims.M);',
    found: ['0.weight', '1.weight', '2.weight'],
  },
  {
    what: 'db: the first row is left out',
    text: 'for (var k = 0u; k < dims.K; k++) { sum +=',
    wrong: 'for (var k = 1u; k < dims.K; k++) { sum +=',
    found: ['0.bias', '1.bias', '2.bias'],
  },
];

test.for(planted)('an error is found: $what', async ({ found, ...plant }) => {
  const checks = await withPlanted(plant, async () => {
    const gpu = await Gpu.request();
    try {
      return await check(gpu, hidden());
    } finally {
      gpu.destroy();
    }
  });
  expect(names(checks), String(checks)).toEqual(found);
});

test('a trainer that is checked does nothing else meanwhile', async () => {
  using model = await Mlp.create(await sharedGpu(), { inputs: INPUTS, layers: hidden() });
  using trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 4,
  });
  const { inputs, labels } = clusters(4, INPUTS, CLASSES);
  const checking = trainer.checkGradients(inputs, labels);
  expect(() => trainer.step(inputs, labels)).toThrow(/checkGradients is running/);
  await expect(trainer.checkGradients(inputs, labels)).rejects.toMatchObject({ code: 'busy' });
  await checking;
  await expect(trainer.checkGradients(inputs.subarray(1), labels)).rejects.toMatchObject({ code: 'shape' });
});
