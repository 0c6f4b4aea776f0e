import { expect, test } from 'vitest';
import type { Report, Result } from '../../../bench/case.js';
import { compareReports } from '../../../bench/report/compare.js';
import { exampleReport } from '../../support/bench-report.js';

const scaled = (result: Result, factor: number): Result => ({
  ...result,
  median: result.median * factor,
  p25: result.p25 * factor,
  p75: result.p75 * factor,
});
const later = (factor: number): Report =>
  exampleReport({ commit: 'def5678', results: exampleReport().results.map((result) => scaled(result, factor)) });
const lineOf = (text: string, contender: string): string =>
  text.split('\n').find((line) => line.includes(contender)) ?? '';

// The example's quartiles are 2 % to either side: at a factor of 0.97 they still meet, at 0.95 not.
test.each([
  [0.5, '2.00×', 'faster'],
  [0.95, '1.05×', 'faster'],
  [0.97, '1.03×', 'quartiles overlap'],
  [1, '1.00×', 'quartiles overlap'],
  [1.03, '0.971×', 'quartiles overlap'],
  [1.25, '0.800×', 'slower'],
])('times × %d: %s as fast, %s', (factor, ratio, verdict) => {
  const line = lineOf(compareReports(exampleReport(), later(factor)), 'matmul-quad');
  expect(line.split(/ {2,}/).slice(-2)).toEqual([ratio, verdict]);
  expect(line).toContain('30.0');
});

test('names both runs, and has nothing to object to if only the code differs', () => {
  const text = compareReports(exampleReport(), later(1));
  const [first, second] = text.split('\n');
  expect(first).toBe('Before: 2026-11-21 12:00 UTC, commit abc1234. Now: 2026-11-21 12:00 UTC, commit def5678.');
  expect(second).toBe('');
});

test('says so if adapter, browser, processor or peers are others', () => {
  const { environment } = exampleReport();
  const other = exampleReport({
    settings: { quick: true, full: false, only: '' },
    environment: {
      ...environment,
      adapter: { vendor: 'nvidia', architecture: 'hopper', description: 'H200', software: false },
      runtime: 'Chrome 157',
      cpu: '16 cores',
      versions: { 'webgpu-mlp': '0.2.0', '@jax-js/jax': '0.2.0' },
    },
  });
  const text = compareReports(exampleReport(), other);
  expect(text).toContain(
    'Different adapters: google swiftshader (software), and now nvidia hopper H200. The ratios say nothing about the code.',
  );
  expect(text).toContain('Different browsers: Chrome 156, and now Chrome 157.');
  expect(text).toContain('Different processors: 2 cores, and now 16 cores.');
  expect(text).toContain('Other versions of peers: @jax-js/jax 0.1.25 → 0.2.0.');
  expect(text).toContain('A quick run is for a look');
});

test('lists what only one of the two has, and what failed', () => {
  const [peak, ...others] = exampleReport().results;
  const text = compareReports(exampleReport(), exampleReport({ results: others }));
  expect(text).toContain('Only in the earlier report:\n  adapter FMA peak, vec4f');
  expect(lineOf(text, 'tfjs wasm').split(/ {2,}/).slice(1)).toEqual(['tfjs wasm', 'failed', 'failed']);
  const added = compareReports(exampleReport({ results: others }), exampleReport());
  expect(added).toContain('Only in this report:\n  adapter FMA peak, vec4f');
  expect(compareReports(exampleReport({ results: [] }), exampleReport({ results: peak ? [peak] : [] }))).toContain(
    'no result in common',
  );
});
