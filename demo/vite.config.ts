import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { wgsl } from '../shaders/plugin.ts';
import { mnist } from './mnist-plugin.ts';

/** The demo: built from the library's source into static files. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  resolve: {
    alias: [{ find: /^webgpu-mlp$/, replacement: fileURLToPath(new URL('../src/index.ts', import.meta.url)) }],
  },
  plugins: [wgsl(), mnist()],
  // No polyfill, because all browsers with WebGPU support modulepreload.
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, modulePreload: { polyfill: false } },
});
