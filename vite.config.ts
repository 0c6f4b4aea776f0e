import { defineConfig } from 'vite';
import { wgsl } from './shaders/plugin.ts';

/** The library: two ES modules that a page can load as they are, without a bundler. */
export default defineConfig({
  plugins: [wgsl()],
  publicDir: false,
  build: {
    target: 'es2022',
    minify: false,
    sourcemap: true,
    lib: {
      entry: { index: 'src/index.ts', kernels: 'src/kernels.ts' },
      formats: ['es'],
    },
    rolldownOptions: {
      output: { entryFileNames: '[name].js', chunkFileNames: 'chunks/[name].js' },
    },
  },
});
