import { expect, test } from 'vitest';
import readme from '../../README.md?raw';
import { Random } from '../../src/base/random.js';
import * as library from '../../src/index.js';
import * as kernels from '../../src/kernels.js';

const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

/** Runs a block as it stands, its import taken from `from`, with what it takes for given; returns the names asked for. */
async function run(
  block: string,
  from: object,
  given: Record<string, unknown>,
  wanted: readonly string[],
): Promise<Record<string, unknown>> {
  const [, imported = ''] = /^import \{([^}]*)\} from "[^"]+";$/m.exec(block) ?? [];
  const body = block.replace(/^import .*$/m, '');
  const names = Object.keys(given);
  const text = `return (async () => { const {${imported}} = from; ${body}\nreturn { ${wanted.join(', ')} }; })();`;
  const make = new Function('from', ...names, text) as (...values: unknown[]) => Promise<Record<string, unknown>>;
  return await make(from, ...names.map((name) => given[name]));
}

test('the quick start runs as it is printed', async () => {
  const [quickStart = ''] = blocks;
  const random = new Random(1);
  const images = Uint8Array.from({ length: 784 * 256 }, () => random.integer(256));
  const labels = Array.from({ length: 256 }, (_, i) => i % 10);
  // The README's `test` is a data set of the same kind; here it is one of its own small ones, made on the same Gpu.
  const shared = await library.Gpu.request();
  const test = library.Dataset.create(shared, {
    inputs: images.slice(0, 784 * 20),
    features: 784,
    classes: labels.slice(0, 20),
  });
  const Gpu = { request: () => Promise.resolve(shared) };
  const lines: unknown[] = [];
  const console = { log: (line: unknown) => lines.push(line) };
  const { history, result, probabilities } = await run(
    quickStart,
    { ...library, Gpu },
    { images, labels, test, console },
    ['history', 'result', 'probabilities'],
  );
  expect(history).toEqual(lines);
  expect(lines.length).toBe(5);
  expect(result).toEqual({ loss: expect.any(Number), accuracy: expect.any(Number) });
  expect((probabilities as Float32Array).length).toBe(256 * 10);
  shared.destroy();
});

test('the kernels block gives the values that it prints', async () => {
  const [, block = ''] = blocks;
  const { values, gpu } = await run(block, kernels, {}, ['values', 'gpu']);
  expect([...(values as Float32Array)]).toEqual([4, 5, 10, 11]);
  (gpu as library.Gpu).destroy();
});
