import { expect, test } from 'vitest';
import { add, Tensor } from '../../src/kernels.js';
import * as reference from '../reference/add.js';
import { representativeActivations } from '../support/activations.js';
import { Guarded, randomMatrix, sharedGpu, unpadded, upload } from '../support/gpu.js';

test.for(representativeActivations)(
  'f(A + B), its pre-activation and its activation gradient: %s',
  async (activation) => {
    const gpu = await sharedGpu();
    const shape = [5, 13] as const;
    const [A, B, at] = [randomMatrix(...shape, 1, 2), randomMatrix(...shape, 2, 2), randomMatrix(...shape, 3)];
    const Y = new Guarded(gpu, [2, ...shape]);
    gpu.run([add(upload(gpu, A), upload(gpu, B), Y.tensor, { activation, keepPreActivation: true })]);
    const both = await Y.read();
    expect(both.subarray(0, 65)).toBeWithin(reference.add(A, B, activation), 'Y');
    expect(both.subarray(65)).toBeWithin(reference.add(A, B), 'Z');
    const dZ = new Guarded(gpu, shape);
    gpu.run([
      add(upload(gpu, A), upload(gpu, B), dZ.tensor, { activationGradient: { activation, at: upload(gpu, at) } }),
    ]);
    expect(await dZ.read()).toBeWithin(reference.addBackward(A, B, at, activation), 'dZ');
  },
);

test.for([[1, 1] as const, [64, 4] as const, [257, 31] as const])('(%i, %i), with B and without', async (shape) => {
  const gpu = await sharedGpu();
  const [height, width] = shape;
  const [A, B] = [randomMatrix(height, width, 1), randomMatrix(height, width, 2)];
  const [sum, copy] = [new Guarded(gpu, shape), new Guarded(gpu, shape)];
  gpu.run([add(unpadded(gpu, A), unpadded(gpu, B), sum.tensor), add(unpadded(gpu, A), undefined, copy.tensor)]);
  expect(await sum.read()).toBeWithin(reference.add(A, B));
  expect(await copy.read()).toEqual(Float32Array.from(A.values));
});

test('shapes that do not fit are refused', async () => {
  const gpu = await sharedGpu();
  const [A, B] = [Tensor.empty(gpu, [2, 3]), Tensor.empty(gpu, [2, 4])];
  expect(() => add(A, B, Tensor.empty(gpu, [2, 3]))).toThrow('A is (2, 3), B is (2, 4), Y is (2, 3)');
  expect(() => add(A, A, Tensor.empty(gpu, [2, 3]), { keepPreActivation: true })).toThrow('Y twice as large');
  expect(() => add(A, A, Tensor.empty(gpu, [2, 3]), { activationGradient: { activation: 'tanh', at: B } })).toThrow(
    'the activation gradient is (2, 4)',
  );
  expect(() =>
    add(A, A, Tensor.empty(gpu, [2, 3]), { activation: 'tanh', activationGradient: { activation: 'tanh', at: A } }),
  ).toThrow('add: activation and activationGradient exclude each other.');
});
