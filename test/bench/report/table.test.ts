import { expect, test } from 'vitest';
import { textTable } from '../../../bench/report/table.js';
import { exampleReport, result } from '../../support/bench-report.js';

const lines = (text: string): string[] => text.split('\n');
const lineWith = (text: string, ...words: string[]): string =>
  lines(text).find((line) => words.every((word) => line.includes(word))) ?? '';

test('says where and when, and what the numbers are good for', () => {
  const text = textTable(exampleReport());
  expect(lines(text).slice(0, 5)).toEqual([
    'google swiftshader (software), Chrome 156, 2 cores',
    '2026-11-21 12:00 UTC, commit abc1234',
    'webgpu-mlp 0.1.0, @jax-js/jax 0.1.25',
    'Medians of 11 samples, the contenders of a case in turn.',
    'A software adapter says nothing about GPUs.',
  ]);
  const quick = textTable(exampleReport({ settings: { quick: true, full: false, only: 'step' } }));
  expect(quick).toContain('for a look and not for a claim');
  expect(quick).toContain('Only cases with "step" in their names.');
});

test('a table for each group, in the order adapter, kernels, training, prediction, from cold', () => {
  const text = textTable(exampleReport());
  const titles = ['The adapter', 'Kernels', 'Training', 'Prediction', 'From cold'];
  expect(lines(text).filter((line) => titles.includes(line))).toEqual(titles);
  expect(textTable(exampleReport({ results: [] }))).not.toContain('Kernels');
});

test('a line holds time, quartiles, speed, share, limit and compile time; a rival how much faster this library is', () => {
  const text = textTable(exampleReport());
  const own = lineWith(text, 'matmul-quad');
  expect(own.split(/ {2,}/)).toEqual([
    'matmul NN 512×512×512',
    'matmul-quad 32×16 *',
    '30.0',
    '29.4–30.6',
    '8.94',
    '0.105',
    '18 %',
    'compute',
    '1200',
  ]);
  expect(lineWith(text, 'jax-js', '105').split(/ {2,}/).slice(1)).toEqual([
    'jax-js webgpu',
    '105',
    '103–107',
    '3.50× as fast',
  ]);
  expect(lineWith(text, 'vec4f')).toContain('49.5 GFLOP/s');
  expect(lineWith(text, 'matmul-tiled'), 'a variant is no rival').not.toContain('as fast');
});

test("the adapter's limits are not held against what runs on the processor", () => {
  const share = { shareOfPeak: 0.5, bound: 'compute' } as const;
  const results = ['jax-js wasm', 'jax-js webgpu', 'tfjs cpu'].map((contender) =>
    result({ case: 'matmul', contender, ms: 9, ...share }),
  );
  const text = textTable(exampleReport({ results }));
  expect(lineWith(text, 'jax-js webgpu')).toContain('50 %     compute');
  expect(lineWith(text, 'jax-js wasm')).not.toContain('compute');
  expect(lineWith(text, 'tfjs cpu')).not.toContain('50 %');
});

test('columns are aligned, and one that nobody fills is not there', () => {
  const text = textTable(exampleReport());
  const start = lines(text).indexOf('Training') + 2;
  const [header = '', rule = '', ...rows] = lines(text).slice(start, start + 5);
  expect(header).not.toContain('GB/s');
  expect(header).toContain('GPU MB');
  const end = header.indexOf('ms') + 2;
  expect(rule.slice(end, end + 2)).toBe('  ');
  for (const row of rows) expect(row.charAt(end - 1), row).toMatch(/\S/);
});

test('what failed is said, with its reason, and the rest is there', () => {
  const text = textTable(exampleReport());
  expect(lineWith(text, 'tfjs wasm', 'failed')).toMatch(/tfjs wasm +failed$/);
  expect(text).toContain('failed: step 784-400-200-10 batch 128, tfjs wasm: The <wasm> backend did not start.');
});

test('contenders with fewer samples show in the heading', () => {
  const few = { ...result({ case: 'slow', contender: 'webgpu-mlp', ms: 900 }), samples: [1, 2, 3] };
  expect(textTable(exampleReport({ results: [...exampleReport().results, few] }))).toContain(
    'Medians of 3 to 11 samples',
  );
});
