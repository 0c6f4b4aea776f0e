import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin as EsbuildPlugin } from 'esbuild';
import type { Plugin } from 'vite';
import { activationsWgsl } from '../src/activations.ts';
import type { Shader } from '../src/gpu/shader.ts';
import { declarations, reflectShader, stripComments } from './reflect.ts';

export { reflectShader, stripComments } from './reflect.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const SNIPPET = 'activations.wgsl';

/** Reads and reflects a .wgsl file. */
export function loadShader(path: string): Shader {
  const helpers = readFileSync(join(dirname(path), SNIPPET), 'utf8');
  return reflectShader(basename(path, '.wgsl'), readFileSync(path, 'utf8'), {
    helpers,
    activations: activationsWgsl(),
  });
}

/** Every shader in this folder, by name. */
export function loadShaders(): Shader[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl') && file !== SNIPPET);
  return files.sort().map((file) => loadShader(join(folder, file)));
}

/** What shaders.d.ts must be. */
export function shaderDeclarations(): string {
  return declarations(loadShaders());
}

function moduleText(path: string, strip: boolean): string {
  const shader = loadShader(path);
  return `export default ${JSON.stringify(strip ? { ...shader, code: stripComments(shader.code) } : shader)};`;
}

/** For Vite: `import shader from './x.wgsl'` gives its code and what it declares; comments are stripped in a build. */
export function wgsl(): Plugin {
  let strip = false;
  return {
    name: 'wgsl',
    enforce: 'pre',
    configResolved({ command }) {
      strip = command === 'build';
    },
    buildStart() {
      const path = join(folder, 'shaders.d.ts');
      const text = shaderDeclarations();
      if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
    },
    load(id) {
      const [path = ''] = id.split('?');
      if (!path.endsWith('.wgsl')) return null;
      this.addWatchFile(join(folder, SNIPPET));
      return { code: moduleText(path, strip), map: null };
    },
  };
}

/** The same for esbuild. */
export function wgslEsbuild(): EsbuildPlugin {
  return {
    name: 'wgsl',
    setup(build) {
      build.onLoad({ filter: /\.wgsl$/ }, ({ path }) => ({ contents: moduleText(path, true), loader: 'js' }));
    },
  };
}
