import { defineConfig } from 'vite';
import { wgsl } from './shaders/plugin.ts';
import { asciiOnly, modulesOfTypes, oneFile, typesForTypeScript5 } from './tools/library-plugins.ts';

/**
 * The library: ES modules that a page can load as they are, without a bundler. One for each file, as a bundler keeps or drops,
 * and puts into what is loaded later, whole files; and one file with everything.
 */
export default defineConfig({
  plugins: [
    wgsl(),
    asciiOnly(),
    modulesOfTypes('src'),
    oneFile('webgpu-mlp.js'),
    typesForTypeScript5(['index', 'kernels', 'webgpu-mlp']),
  ],
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
      // Source maps have the comments; bundlers read the annotations.
      output: {
        preserveModules: true,
        preserveModulesRoot: 'src',
        entryFileNames: '[name].js',
        comments: { legal: false, annotation: true, jsdoc: false },
      },
    },
  },
});
