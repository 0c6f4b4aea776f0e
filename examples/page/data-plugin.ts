import type { Connect, Plugin } from 'vite';
import { MNIST_FILES, mnistFolder } from '../../tools/mnist-files.ts';
import { serveFiles } from '../../tools/serve-files.ts';
import { FASHION_MNIST_FILES, fashionMnistFolder } from './fashion-mnist-files.ts';

/** Serves the IDX files of the examples under `/mnist/` and `/fashion-mnist/`. */
export function exampleData(): Plugin {
  const use = ({ middlewares }: { readonly middlewares: Connect.Server }): void => {
    middlewares.use('/mnist', serveFiles(MNIST_FILES, mnistFolder));
    middlewares.use('/fashion-mnist', serveFiles(FASHION_MNIST_FILES, fashionMnistFolder));
  };
  return { name: 'examples:data', configureServer: use };
}
