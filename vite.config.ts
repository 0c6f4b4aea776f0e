import { defineConfig } from 'vite';
import { wgsl } from './shaders/plugin.ts';

/**
 * The library: ES modules that a page can load as they are, without a bundler. One for each file, as a bundler keeps or drops,
 * and puts into what is loaded later, whole files.
 */
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
      output: { preserveModules: true, preserveModulesRoot: 'src', entryFileNames: '[name].js' },
    },
  },
});
