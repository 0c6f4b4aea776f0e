// @ts-check
// What a page downloads for the imports that it begins with; `npm run size` prints it.

/** These are loaded when an app tunes, profiles, reads files, asks for statistics or streams. Bundlers keep them apart, which a bundle in one file would not. */
const LOADED_LATER = [
  '*/tuner.js',
  '*/profile.js',
  '*/csv.js',
  '*/idx.js',
  '*/statistics.js',
  '*/streams.js',
  '*/chunks.js',
];

/** @param {import('esbuild').BuildOptions} config */
const modifyEsbuildConfig = (config) => ({ ...config, external: LOADED_LATER });

export default [
  {
    name: "train and predict: import { Gpu, Mlp, Dataset, dense, softmaxCrossEntropy, sgd, accuracy } from 'webgpu-mlp'",
    path: 'dist/index.js',
    import: '{ Gpu, Mlp, Dataset, dense, softmaxCrossEntropy, sgd, accuracy }',
    limit: '36.2 kB',
    gzip: true,
    modifyEsbuildConfig,
  },
  {
    name: "one kernel: import { matmul } from 'webgpu-mlp/kernels'",
    path: 'dist/kernels.js',
    import: '{ matmul }',
    limit: '10.7 kB',
    gzip: true,
    modifyEsbuildConfig,
  },
];
