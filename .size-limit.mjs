// @ts-check
// What a page downloads for the imports that it begins with; `npm run size` prints it.

/** These are loaded when an app asks for what they do. Bundlers keep them apart, which a bundle in one file would not. */
const LOADED_LATER = [
  'tuner',
  'profile',
  'adjust',
  'check-gradients',
  'diagnostics',
  'early-stopping',
  'dense-endings',
  'model-file',
  'checkpoint',
  'csv',
  'idx',
  'statistics',
  'streams',
  'chunks',
].map((name) => `*/${name}.js`);

/** @param {import('esbuild').BuildOptions} config */
const modifyEsbuildConfig = (config) => ({ ...config, external: LOADED_LATER });

export default [
  {
    name: "train and predict: import { Gpu, Mlp, Dataset, dense, softmaxCrossEntropy, sgd, accuracy } from 'webgpu-mlp'",
    path: 'dist/index.js',
    import: '{ Gpu, Mlp, Dataset, dense, softmaxCrossEntropy, sgd, accuracy }',
    limit: '38 kB',
    gzip: true,
    modifyEsbuildConfig,
  },
  {
    name: "one kernel: import { matmul } from 'webgpu-mlp/kernels'",
    path: 'dist/kernels.js',
    import: '{ matmul }',
    limit: '11.2 kB',
    gzip: true,
    modifyEsbuildConfig,
  },
];
