import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';
import { wgsl } from '../shaders/plugin.ts';

const manifest: { version: string; devDependencies: Record<string, string> } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ', changed'}`;
  } catch {
    return 'unknown';
  }
}

const peers = Object.entries(manifest.devDependencies).filter(([name]) => /tfjs|jax/.test(name));

/** Headers for cross-origin isolation, which gives a page finer clocks and threads for WebAssembly. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** The bench: the page, and with --ssr the script for Node; bench/cli.mjs builds both. */
export default defineConfig({
  root: `${import.meta.dirname}/page`,
  base: './',
  publicDir: false,
  plugins: [wgsl()],
  define: {
    BENCH_BUILD: JSON.stringify({
      commit: commit(),
      versions: { 'webgpu-mlp': manifest.version, ...Object.fromEntries(peers) },
    }),
  },
  // Not minified: TensorFlow.js creates its worker from the text of a function, which would lack renamed functions.
  build: { target: 'es2022', minify: false, emptyOutDir: true, outDir: '../dist/page', chunkSizeWarningLimit: 4096 },
  server: { headers },
  preview: { headers },
});
