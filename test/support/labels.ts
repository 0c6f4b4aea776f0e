import { Random } from '../../src/base/random.js';
import { type Gpu, type LabelTensor, Tensor } from '../../src/kernels.js';

/** Class indices, or rows of numbers, on the GPU; with the weight of each row behind its label, if there are weights. */
export function labelTensor(
  gpu: Gpu,
  labels: Uint32Array | Float32Array,
  rows: number,
  weights?: Float32Array,
): LabelTensor {
  const words = labels.length / rows;
  const all = words + (weights === undefined ? 0 : 1);
  const packed = new Uint32Array(rows * all);
  const bits = new Uint32Array(labels.slice().buffer);
  const weightBits = new Uint32Array((weights ?? new Float32Array(0)).slice().buffer);
  for (let row = 0; row < rows; row++) {
    packed.set(bits.subarray(row * words, (row + 1) * words), row * all);
    if (weights !== undefined) packed[row * all + words] = weightBits[row] ?? 0;
  }
  if (labels instanceof Float32Array) {
    const tensor = Tensor.empty(gpu, [rows, all], 'labels');
    tensor.write(new Float32Array(packed.buffer));
    return tensor;
  }
  const tensor = Tensor.empty(gpu, [rows, all], 'labels', 'u32');
  tensor.write(packed);
  return tensor;
}

/** A class for each row. */
export function randomClasses(rows: number, classes: number, seed: number): Uint32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Uint32Array.from({ length: rows }, () => random.integer(classes));
}

/** Rows of probabilities, each with a sum of 1. */
export function randomProbabilities(rows: number, classes: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed);
  const values = Float32Array.from({ length: rows * classes }, () => random.uniform(0, 1));
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * classes, (row + 1) * classes);
    const sum = own.reduce((a, b) => a + b, 0);
    for (let k = 0; k < classes; k++) own[k] = (own[k] ?? 0) / sum;
  }
  return values;
}

/** A number from a range for each row. */
export function randomNumbers(count: number, low: number, high: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.uniform(low, high));
}

/** A row's label repeated for the samples of a data set, in an order: row r of a batch has sample `order[first + r]`. */
export function scattered(
  labels: Uint32Array | Float32Array,
  rows: number,
  order: Uint32Array,
  first: number,
): Uint32Array | Float32Array {
  const words = labels.length / rows;
  const all =
    labels instanceof Uint32Array ? new Uint32Array(order.length * words) : new Float32Array(order.length * words);
  for (let row = 0; row < rows; row++) {
    all.set(labels.subarray(row * words, (row + 1) * words), (order[first + row] ?? 0) * words);
  }
  return all;
}
