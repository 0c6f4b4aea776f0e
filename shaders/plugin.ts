import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin as EsbuildPlugin } from 'esbuild';
import type { Plugin } from 'vite';
import type { Shader } from '../src/plan/shader.ts';
import { activationsWgsl } from './activations.ts';
import { minify, type ShortNames, shortNames } from './minify.ts';
import { declarations, reflectShader, type Snippets, uses } from './reflect.ts';

export { minify, shortNames } from './minify.ts';
export { reflectShader, stripComments } from './reflect.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
/** Path of each .wgsl file, relative to this folder, by the file's name. */
const PATHS: ReadonlyMap<string, string> = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.wgsl'))
    .sort()
    .map((file) => [basename(file, '.wgsl'), file.replaceAll('\\', '/')] as const),
);
/** Names of the files that are not modules by themselves: WGSL that several shaders share. */
export const SNIPPETS: readonly string[] = [...PATHS].flatMap(([name, path]) => (path.startsWith('lib/') ? name : []));

/** Path of the file with a name. @throws {Error} if there is no such file */
export function shaderPath(name: string): string {
  const path = PATHS.get(name);
  if (path === undefined) throw new Error(`shaders/ has no ${name}.wgsl.`);
  return join(folder, path);
}

function snippets(): Snippets {
  const texts = SNIPPETS.map((name) => [name, readFileSync(shaderPath(name), 'utf8')] as const);
  const { activations = '', ...others } = Object.fromEntries(texts);
  return { activations: activations + activationsWgsl(), ...others };
}

/** Reads and reflects a .wgsl file of this folder. */
export function loadShader(path: string): Shader {
  return { ...reflectShader(basename(path, '.wgsl'), readFileSync(path, 'utf8'), snippets()), library: true };
}

/** Loads all shaders of this folder, in the order of their names. */
export function loadShaders(): Shader[] {
  return [...PATHS.keys()]
    .filter((name) => !SNIPPETS.includes(name))
    .sort()
    .map((name) => loadShader(shaderPath(name)));
}

/**
 * The .wgsl files of the package, by name: each shader followed by the snippets that it uses, so that a page can compile it.
 * Directives are therefore first, as WGSL requires: a snippet has none.
 */
export function publishedShaders(): ReadonlyMap<string, string> {
  return new Map(loadShaders().map(({ name, code }) => [`${name}.wgsl`, code]));
}

/** The required text of shaders.d.ts. */
export function shaderDeclarations(): string {
  return declarations(loadShaders(), (name) => PATHS.get(name) ?? '');
}

/**
 * The JavaScript module for an import of a .wgsl file. Each snippet in lib/ is its own module, so that a bundle contains it
 * once. The module lacks the buffers' types, which only shaders.d.ts needs.
 * @param names short names with which the text is minified; undefined to keep the text
 */
function moduleText(path: string, names?: ShortNames): string {
  const text = (code: string): string => JSON.stringify(names === undefined ? code : minify(code, names));
  const all = snippets();
  const snippet = all[basename(path, '.wgsl')];
  if (snippet !== undefined) return `export default ${text(snippet)};`;
  const { code: _, buffers, ...shader } = loadShader(path);
  const source = readFileSync(path, 'utf8');
  const rest = Object.entries(buffers).map(([name, { binding, access }]) => [name, { binding, access }]);
  const fields = JSON.stringify({ ...shader, buffers: Object.fromEntries(rest) }).slice(1);
  const used = uses(source, all);
  const imports = used.map((name, number) => `import snippet${number} from '../${PATHS.get(name)}';\n`);
  const parts = [text(`${source}\n`), ...used.map((_name, number) => `snippet${number}`)];
  // The annotation tells bundlers that `join` has no side effects; without it they would keep unused shaders.
  const code = used.length === 0 ? parts[0] : `/* @__PURE__ */ [${parts.join(', ')}].join('')`;
  return `${imports.join('')}export default {code: ${code}, ${fields};`;
}

/** The short names of all shaders, which shaders and their snippets share. */
function namesOfAll(): ShortNames {
  return shortNames(loadShaders().map(({ code }) => code));
}

/** Writes shaders.d.ts if it is out of date; returns true if it was. */
function updateDeclarations(): boolean {
  const path = join(folder, 'shaders.d.ts');
  const text = shaderDeclarations();
  const stale = !existsSync(path) || readFileSync(path, 'utf8') !== text;
  if (stale) writeFileSync(path, text);
  return stale;
}

/**
 * Plugin for Vite: `import shader from './x.wgsl'` gives the shader's code and declarations; a build minifies the code.
 * The development server keeps shaders.d.ts up to date. A build of the library also updates it, but then fails once: `npm test`
 * builds before the test that compares the file, and an update without an error would hide from that test that the committed
 * file was out of date. A build also writes dist/shaders/x.wgsl, for users who need only a shader.
 */
export function wgsl(): Plugin {
  let names: ShortNames | undefined;
  let role: 'server' | 'library' | undefined;
  return {
    name: 'wgsl',
    enforce: 'pre',
    configResolved({ command, build }) {
      if (command === 'build') names = namesOfAll();
      if (process.env.VITEST !== undefined) return;
      if (command === 'serve') role = 'server';
      else if (build.lib !== false) role = 'library';
    },
    buildStart() {
      if (role !== undefined && updateDeclarations() && role === 'library')
        this.error('shaders/shaders.d.ts was not what the shaders declare. It is now: run this again, and commit it.');
    },
    generateBundle() {
      if (role !== 'library') return;
      for (const [file, source] of publishedShaders())
        this.emitFile({ type: 'asset', fileName: `shaders/${file}`, source });
    },
    watchChange(id) {
      if (role !== 'server' || !id.endsWith('.wgsl')) return;
      try {
        updateDeclarations();
      } catch {
        // The shader is being edited and is invalid now: load() reports the error when it is imported.
      }
    },
    load(id) {
      const [path = '', query = ''] = id.split('?');
      if (!path.endsWith('.wgsl') || /^(?:raw|url)\b/.test(query)) return null;
      for (const name of SNIPPETS) this.addWatchFile(shaderPath(name));
      return { code: moduleText(path, names), map: null };
    },
  };
}

/** The same plugin for esbuild. */
export function wgslEsbuild(): EsbuildPlugin {
  return {
    name: 'wgsl',
    setup(build) {
      const names = namesOfAll();
      build.onLoad({ filter: /\.wgsl$/ }, ({ path }) => ({ contents: moduleText(path, names), loader: 'js' }));
    },
  };
}
