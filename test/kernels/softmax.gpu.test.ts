import { expect, test } from 'vitest';
import { softmax, Tensor } from '../../src/kernels.js';
import { activate } from '../reference/activations.js';
import { type Bounded, exact } from '../reference/bounded.js';
import * as reference from '../reference/softmax.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const cases: { logits: Bounded; because: string }[] = [
  { logits: randomMatrix(1, 1, 1), because: 'one class' },
  { logits: randomMatrix(65, 10, 2, 5), because: 'one row past a workgroup' },
  { logits: randomMatrix(3, 1000, 3, 20), because: 'many classes' },
  { logits: exact([2, 3], [1e4, -1e4, 0, 1e30, -1e30, 1e30]), because: '±1e4 and ±1e30' },
];

test.for(cases)('probabilities: $because', async ({ logits }) => {
  const gpu = await sharedGpu();
  const output = new Guarded(gpu, logits.shape);
  gpu.run([softmax(upload(gpu, logits), output.tensor)]);
  const probabilities = await output.read();
  expect([...probabilities].every(Number.isFinite)).toBe(true);
  expect(probabilities).toBeWithin(reference.softmax(logits));
});

test('classes: the first of equals', async () => {
  const gpu = await sharedGpu();
  const logits = exact([3, 4], [1, 3, 3, 2, -5, -5, -5, -5, 0, 1e30, -1e30, 2]);
  const output = new Guarded(gpu, [3, 1]);
  gpu.run([softmax(upload(gpu, logits), output.tensor, { classes: true })]);
  expect([...(await output.read())]).toEqual([1, 0, 1]);
});

test.for(cases)('logistic: $because', async ({ logits }) => {
  const gpu = await sharedGpu();
  const output = new Guarded(gpu, logits.shape);
  gpu.run([softmax(upload(gpu, logits), output.tensor, { logistic: true })]);
  expect(await output.read()).toBeWithin(activate(logits, 'sigmoid'));
});

test('the class of a single logistic output is whether it is ≥ 0', async () => {
  const gpu = await sharedGpu();
  const output = new Guarded(gpu, [4, 1]);
  const logits = upload(gpu, exact([4, 1], [-1e-3, 0, 3, -1e30]));
  gpu.run([softmax(logits, output.tensor, { classes: true, logistic: true })]);
  expect([...(await output.read())]).toEqual([0, 1, 1, 0]);
});

test('an output of another shape is refused', async () => {
  const gpu = await sharedGpu();
  expect(() => softmax(Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [3, 2]))).toThrow('it must be (2, 3)');
});
