// @ts-check
// npm run docs: writes the generated parts of docs/, from the table of activations and recorded runs of the examples.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLES } from '../../examples/options.mjs';
import { ensureDependencies, root } from '../../tools/install.mjs';

/** @param {string} file */
const docs = (file) => join(root, 'docs', file);
/**
 * @param {string} file
 * @param {(text: string) => string} change
 */
const rewrite = (file, change) => writeFileSync(docs(file), change(readFileSync(docs(file), 'utf8')));

ensureDependencies();
const { runnerImport } = await import('vite');

/** @type {{ module: typeof import('./activation-page.ts') }} */
const activations = await runnerImport(join(root, 'docs/tools/activation-page.ts'));
writeFileSync(docs('activations.svg'), activations.module.activationPicture());
rewrite('activations.md', activations.module.withActivationTable);

/** @type {{ module: typeof import('./example-page.ts') }} */
const examples = await runnerImport(join(root, 'docs/tools/example-page.ts'));
const records = Object.keys(EXAMPLES).map((name) => JSON.parse(readFileSync(docs(`examples/${name}.json`), 'utf8')));
for (const record of records) {
  const picture = examples.module.pictureOf(record);
  if (picture !== undefined) writeFileSync(docs(`examples/${record.example}.svg`), picture);
}
rewrite('examples.md', (page) => examples.module.withOutputs(page, records));
console.log('docs/ is what the table of activations and the recorded runs of the examples say.');
