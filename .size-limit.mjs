// @ts-check
// What a page downloads for the imports that it begins with; `npm run size` prints it.

/**
 * Leaves out what is loaded later, by `import()`, but for some files of dist. Bundlers keep such files apart.
 * @param {readonly string[]} loaded by their names
 * @returns {(config: import('esbuild').BuildOptions) => import('esbuild').BuildOptions}
 */
const including = (loaded) => (config) => ({
  ...config,
  plugins: [
    {
      name: 'loaded later',
      setup(build) {
        build.onResolve({ filter: /./ }, ({ kind, path }) =>
          kind === 'dynamic-import' && !loaded.some((name) => path.endsWith(`/${name}.js`))
            ? { path, external: true }
            : undefined,
        );
      },
    },
  ],
});

const quickStart = '{ Gpu, Mlp, Dataset, dense, softmaxCrossEntropy, sgd, accuracy }';

export default [
  {
    name: `quick start: import ${quickStart} from 'webgpu-mlp'`,
    path: 'dist/index.js',
    import: quickStart,
    limit: '23.5 kB',
    gzip: true,
    modifyEsbuildConfig: including([]),
  },
  {
    name: 'the same, and what create(), trainer() and predict() load on a GPU',
    path: 'dist/index.js',
    import: quickStart,
    limit: '57.2 kB',
    gzip: true,
    modifyEsbuildConfig: including(['model', 'trainer', 'predict', 'split-k']),
  },
  {
    name: "one kernel: import { matmul } from 'webgpu-mlp/kernels'",
    path: 'dist/kernels.js',
    import: '{ matmul }',
    limit: '14.2 kB',
    gzip: true,
    modifyEsbuildConfig: including([]),
  },
  {
    name: 'everything in one file: dist/webgpu-mlp.js',
    path: 'dist/webgpu-mlp.js',
    limit: '113.2 kB',
    gzip: true,
  },
];
