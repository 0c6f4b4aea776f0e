import { sizeOf } from '../../src/base/check.js';
import { Random } from '../../src/base/random.js';
import { type Gpu, Tensor } from '../../src/index.js';

/** Number of random values that are drawn for an operand. A larger operand repeats them. */
const DRAWN = 2 ** 16 + 1;

/** A tensor of random values from `low` to `high`, determined by the seed. */
export function randomTensor(gpu: Gpu, shape: readonly number[], seed: number, low = -1, high = 1): Tensor {
  const random = new Random(seed);
  const length = sizeOf(shape);
  const values = new Float32Array(length);
  for (let i = 0; i < Math.min(length, DRAWN); i++) values[i] = random.uniform(low, high);
  for (let filled = DRAWN; filled < length; filled *= 2) values.copyWithin(filled, 0, filled);
  const tensor = Tensor.empty(gpu, shape, 'operand');
  tensor.write(values);
  return tensor;
}
