import { matmul } from '../../src/kernels/matmul/any-adapter.js';
import { sgdUpdate } from '../../src/kernels/sgd.js';
import { weightUpdate } from '../../src/kernels/software/weight-update.js';
import type { DType, Tensor } from '../../src/plan/tensor.js';
import type { Case } from '../case.js';
import { againstPlain } from './candidates.js';
import { randomTensor } from './operands.js';

const APART = 'matmul, sgd';

/** [dW; db] of a layer and the update of its parameters in one dispatch, and in the two dispatches that it replaces. */
function update(batch: number, inputs: number, units: number): Case {
  const rows = inputs + 1;
  return {
    name: `weight-update ${rows}×${units}×${batch}`,
    group: 'kernel',
    flops: 2 * batch * rows * units,
    bytes: 4 * (batch * (inputs + units) + 4 * rows * units),
    async prepare({ gpu }) {
      const tensors: Tensor<DType>[] = [];
      const random = (shape: readonly number[], seed: number): Tensor => {
        const tensor = randomTensor(gpu, shape, seed);
        tensors.push(tensor);
        return tensor;
      };
      const [X, dZ] = [random([batch, inputs], 1), random([batch, units], 2)];
      const shape = [rows, units];
      const [gradients, parameters, velocity] = [random(shape, 3), random(shape, 4), random(shape, 5)];
      const hyper = { momentum: 0.5 };
      const step = { first: 0, rows: batch, index: 1, learning_rate: 1e-6 };
      const dW = matmul(X, dZ, gradients, { transposeA: true, onesRow: true });
      const one = weightUpdate(dW, parameters, velocity, hyper, step);
      const two = [dW, sgdUpdate(parameters, gradients, velocity, hyper, step)];
      return await againstPlain(gpu, one, { name: APART, calls: two }, tensors);
    },
  };
}

/** The two larger layers of the network 784-400-200-10. */
export const weightUpdates: readonly Case[] = [update(128, 784, 400), update(128, 400, 200)];
