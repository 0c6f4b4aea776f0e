import { expect, test } from 'vitest';
import { missingEntries } from '../tools/complete-lock.mjs';
import {
  codeOf,
  FLOORS,
  importsOf,
  kernelOf,
  resolved,
  roomOf,
  shaderFiles,
  shaders,
  sources,
  tests,
  textOf,
} from './support/tree.js';

const floorOf = (file: string): number => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)));

test('the search for imports finds every form', () => {
  expect(importsOf('plan/plan.ts')).toContain('./dispatch.js');
  expect(sources.flatMap(importsOf).length).toBeGreaterThan(50);
});

test('src has at most nine floors, three files in its root, and no file or folder without a floor', () => {
  expect(FLOORS.length).toBeLessThanOrEqual(9);
  expect(sources.filter((file) => !file.includes('/'))).toEqual(['index.ts', 'kernels.ts', 'mlp.ts']);
  expect(sources.filter((file) => floorOf(file) < 0)).toEqual([]);
});

test.each(sources)('src/%s imports only what is below it', (file) => {
  const upward = importsOf(file).filter((name) => {
    const target = resolved(file, name);
    if (name.endsWith('.wgsl'))
      return roomOf(file) !== 'kernels' || !shaderFiles.includes(target.slice('../shaders/'.length));
    if (!name.startsWith('.')) return true; // a package: there are no run-time dependencies
    const isBelow = floorOf(target) > floorOf(file) || roomOf(target) === roomOf(file);
    return !(name.endsWith('.js') && sources.includes(target) && isBelow);
  });
  expect(upward, `${file} imports from above, from nowhere, or from a package`).toEqual([]);
});

/** The lines of a text that are not comments. */
const linesOfCode = (text: string): number =>
  text.replaceAll(/^\s*(?:\/\*\*[\s\S]*?\*\/|\/\/.*)\n/gm, '').split('\n').length;

test('no class of src has 220 lines of code', () => {
  const long = sources.flatMap((file) =>
    [...textOf(`src/${file}`).matchAll(/^(?:export )?(?:abstract )?class (\w+)[\s\S]*?^\}/gm)]
      .map(([text, name = '']) => ({ name, lines: linesOfCode(text) }))
      .filter(({ lines }) => lines >= 220),
  );
  expect(long).toEqual([]);
});

test('no file of src imports itself by a detour, not even a type', () => {
  const targets = new Map(sources.map((file) => [file, importsOf(file).map((name) => resolved(file, name))]));
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of targets.get(file) ?? []) walk(target, [...path, file]);
    done.add(file);
  };
  for (const file of sources) walk(file, []);
  expect(circles).toEqual([]);
});

test.each(sources.filter((file) => roomOf(file) !== 'gpu'))('src/%s names no WebGPU type', (file) => {
  expect(codeOf(`src/${file}`).match(/\bGPU[A-Z]\w*|\bnavigator\b/g) ?? []).toEqual([]);
});

/** Files that may speak of a CPU adapter of WebGPU: the kernels for it, and what recognises it. */
const maySpeakOfSoftware = (file: string): boolean => file.startsWith('kernels/software/') || file === 'gpu/request.ts';

test.each(sources.filter((file) => !maySpeakOfSoftware(file)))('src/%s does not speak of CPU adapters', (file) => {
  expect(textOf(`src/${file}`).match(/CPU adapter|SwiftShader|llvmpipe|lavapipe/gi) ?? []).toEqual([]);
});

/** `adapter.software`, and `{ software }` that takes it from an adapter. */
const READS_SOFTWARE = /(?<!\.\.)\.software\b|\{[^{}]*\bsoftware\b[^{}]*\}(?=\s*(?:[=)}]|:\s*\w))/g;
const mayReadSoftware = (file: string): boolean => file.startsWith('kernels/software/') || roomOf(file) === 'gpu';

test("the search for reads of an adapter's `software` finds every form", () => {
  for (const read of [
    'adapter.software ? 1 : 2',
    'const { software, vendor } = adapter;',
    '({ software }) => software',
    'f({ software }: AdapterTraits)',
    '({ info: { software } }) => software',
  ]) {
    expect(read.match(READS_SOFTWARE), read).not.toBeNull();
  }
});

test.each(sources.filter((file) => !mayReadSoftware(file)))('src/%s does not ask if an adapter is software', (file) => {
  expect(codeOf(`src/${file}`).match(READS_SOFTWARE) ?? []).toEqual([]);
});

test.each(shaders)('%s.wgsl has its kernel, its reference and its tests', (shader) => {
  const stem = kernelOf(shader);
  const wanted: Readonly<Record<string, readonly [files: readonly string[], path: RegExp]>> = {
    'src/kernels': [sources, new RegExp(`^kernels/(?:.*/)?${stem}\\.ts$`)],
    'test/reference': [tests, new RegExp(`^reference/${stem}\\.ts$`)],
    'test/kernels': [tests, new RegExp(`^kernels/(?:.*/)?${stem}\\.gpu\\.test\\.ts$`)],
  };
  const missing = Object.entries(wanted).filter(([, [files, path]]) => !files.some((file) => path.test(file)));
  expect(missing.map(([folder]) => `${folder}/…/${stem}`)).toEqual([]);
});

test('a test file has a name for its kind of tests; helpers are in support, torch and reference', () => {
  const stray = tests.filter(
    (path) => !/(?:^|\/)[\w-]+(?:\.gpu|\.page)?\.test\.ts$|^(?:support|torch|reference)\//.test(path),
  );
  expect(stray).toEqual([]);
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
