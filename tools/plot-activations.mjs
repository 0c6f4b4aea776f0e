// @ts-check
// npm run docs: writes the picture and the table of docs/activations.md from the table of activations.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDependencies, root } from './install.mjs';

ensureDependencies();
const { runnerImport } = await import('vite');
/** @type {{ module: typeof import('./activation-page.ts') }} */
const { module } = await runnerImport(join(root, 'tools/activation-page.ts'));
const page = join(root, 'docs/activations.md');
writeFileSync(join(root, 'docs/activations.svg'), module.activationPicture());
writeFileSync(page, module.withActivationTable(readFileSync(page, 'utf8')));
console.log('docs/activations.md and docs/activations.svg are what the table of activations says.');
