// Plugins for the build of the library, in vite.config.ts: the form of the files in dist/.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Plugin } from 'vite';

/**
 * Writes every character outside of ASCII as an escape. A browser that reads a classic script on a page without a charset
 * does not take it for UTF-8. The code has no comments any more, and source maps are by lines as exact as before.
 */
export function asciiOnly(): Plugin {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return {
    name: 'ascii-only',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk') file.code = file.code.replaceAll(/[\u0080-\uffff]/g, escaped);
      }
    },
  };
}

/** Adds an empty module for each file of `folder` that has only types, so that each declaration in dist/ has its module. */
export function modulesOfTypes(folder: string): Plugin {
  return {
    name: 'modules-of-types',
    generateBundle(_options, bundle) {
      for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        const fileName = path.replaceAll('\\', '/').replace(/\.ts$/, '.js');
        if (fileName.endsWith('.js') && !(fileName in bundle))
          this.emitFile({ type: 'asset', fileName, source: 'export {};\n' });
      }
    },
  };
}

/** Both entries in one minified file, with all that they load later, for pages and workers that no bundler packs. */
export function oneFile(fileName: string): Plugin {
  const entries = "export * from './index.js';\nexport * from './kernels.js';\n";
  let folder = '';
  return {
    name: 'one-file',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: fileName.replace(/\.js$/, '.d.ts'), source: entries });
    },
    async closeBundle() {
      await build({
        stdin: { contents: entries, resolveDir: folder },
        outfile: join(folder, fileName),
        bundle: true,
        format: 'esm',
        target: 'es2022',
        minify: true,
        legalComments: 'none',
      });
    },
  };
}

/**
 * Declarations for TypeScript before 6, whose DOM has no WebGPU: they refer to `@webgpu/types`, of which tsc says if it is
 * missing. In later versions its types would clash with those of the DOM.
 */
export function typesForTypeScript5(entries: readonly string[]): Plugin {
  return {
    name: 'types-for-typescript-5',
    generateBundle() {
      for (const entry of entries) {
        const source = `export * from '../${entry}.js';\n`;
        const reference = '/// <reference types="@webgpu/types" />\n';
        this.emitFile({ type: 'asset', fileName: `ts5/${entry}.js`, source });
        this.emitFile({ type: 'asset', fileName: `ts5/${entry}.d.ts`, source: reference + source });
      }
    },
  };
}
