import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, posix } from 'node:path';
import { expect, test } from 'vitest';
import { SNIPPETS } from '../../shaders/plugin.js';
import { missingEntries } from '../../tools/complete-lock.mjs';

const root = new URL('../../', import.meta.url);

/** src/ from top to bottom. A file imports from lines below its own, or from its own folder where that is one line. */
const ORDER = [
  'index.ts',
  'kernels.ts',
  'mlp.ts',
  'model-file.ts',
  'prediction.ts',
  'trainer.ts',
  'check-gradients.ts',
  'fit.ts',
  'fit-options.ts',
  'evaluation.ts',
  'training.ts',
  'stepper.ts',
  'pace.ts',
  'checkpoint.ts',
  'diagnostics.ts',
  'early-stopping.ts',
  'streams.ts',
  'reports.ts',
  'sums.ts',
  'feeds.ts',
  'compile.ts',
  'adjust.ts',
  'fusion.ts',
  'split-k.ts',
  'row-source.ts',
  'model.ts',
  'dataset.ts',
  'chunks.ts',
  'statistics.ts',
  'layers/',
  'losses/',
  'metrics/',
  'schedules/',
  'optimizers/',
  'kernels/',
  'gpu/plan.ts',
  'gpu/workspace.ts',
  'gpu/tuner.ts',
  'gpu/gpu.ts',
  'gpu/profile.ts',
  'gpu/unavailable.ts',
  'gpu/command.ts',
  'gpu/pipeline.ts',
  'gpu/specialize.ts',
  'gpu/pool.ts',
  'gpu/choices.ts',
  'gpu/dispatch.ts',
  'gpu/tensor.ts',
  'gpu/shader.ts',
  'reference/',
  'generators.ts',
  'csv.ts',
  'idx.ts',
  'safetensors.ts',
  'activation-formulas.ts',
  'activations.ts',
  'initializers.ts',
  'link.ts',
  'monitor.ts',
  'random.ts',
  'table.ts',
  'check.ts',
  'errors.ts',
];

const filesIn = (folder: string): string[] =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
const textOf = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const sources = filesIn('src').filter((path) => path.endsWith('.ts'));
const tests = filesIn('test').filter((path) => path.endsWith('.ts'));
const line = (file: string): number =>
  ORDER.findIndex((entry) => entry === file || (entry.endsWith('/') && file.startsWith(entry)));

/** What a module's `import … from`, `export … from` and `import(…)` name, types too. */
const importsOf = (file: string): string[] => {
  const statements =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  return [...textOf(`src/${file}`).matchAll(statements)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
};

test('the search for imports finds every form', () => {
  expect(importsOf('gpu/plan.ts')).toContain('./gpu.js');
  expect(sources.flatMap(importsOf).length).toBeGreaterThan(50);
});

test('every file of src has its line in the order', () => {
  expect(sources.filter((file) => line(file) < 0)).toEqual([]);
});

test.each(sources)('src/%s imports only what is below it', (file) => {
  const upward = importsOf(file).filter((name) => {
    if (name.endsWith('.wgsl'))
      return !file.startsWith('kernels/') || !/^\.\.\/\.\.\/shaders\/[a-z-]+\.wgsl$/.test(name);
    if (!name.startsWith('.')) return true; // a package: there are no run-time dependencies
    const target = posix.join(dirname(file), name).replace(/\.js$/, '.ts');
    const below = line(target) > line(file);
    const besides = line(target) === line(file) && ORDER[line(file)]?.endsWith('/');
    return !(name.endsWith('.js') && sources.includes(target) && (below || besides));
  });
  expect(upward, `${file} imports from above, from nowhere, or from a package`).toEqual([]);
});

/** Some files are appended to others; matmul has several shaders, for CPUs and for GPUs, others one for each half. */
const shaders = filesIn('shaders')
  .filter((path) => path.endsWith('.wgsl') && !SNIPPETS.includes(basename(path, '.wgsl')))
  .map((path) => basename(path, '.wgsl'));
const VARIANTS = /^(matmul|batch-norm|layer-norm)-(?:direct|gemv|quad|tiled|parts|backward|parameters)$/;

test.each(shaders)('shaders/%s.wgsl has its kernel, its reference and its tests', (shader) => {
  const stem = VARIANTS.exec(shader)?.[1] ?? shader;
  const missing = [`kernels/${stem}.ts`, `reference/${stem}.ts`].filter((path) => !sources.includes(path));
  const wanted = new RegExp(`^gpu/(?:.*/)?${stem}\\.test\\.ts$`);
  if (!tests.some((path) => wanted.test(path))) missing.push(`test/gpu/**/${stem}.test.ts`);
  expect(missing).toEqual([]);
});

test('a test file belongs to exactly one kind of tests', () => {
  const stray = tests.filter((path) => !/^(?:unit|gpu|page)\/.*\.test\.ts$|^support\//.test(path));
  expect(stray, 'tests are in test/unit, test/gpu or test/page; helpers in test/support').toEqual([]);
});

const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(textOf('package.json'));

test('the package has no run-time dependencies', () => {
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundleDependencies']) {
    expect(manifest[kind] ?? {}, kind).toEqual({});
  }
});

test('every version is pinned', () => {
  const versions = Object.entries(manifest.devDependencies ?? {});
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test('package-lock.json has an entry for every platform, or npm ci refuses it', () => {
  const { packages } = JSON.parse(textOf('package-lock.json'));
  expect(
    missingEntries(packages).map(([path]) => path),
    'run `node tools/complete-lock.mjs`',
  ).toEqual([]);
});
