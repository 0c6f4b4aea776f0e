import { parseHTML } from 'linkedom';
import { expect, test } from 'vitest';
import { htmlReport } from '../../../bench/report/html.js';
import { exampleReport, result } from '../../support/bench-report.js';

const pageOf = (html: string): Document => parseHTML(html).document;
const html = htmlReport(exampleReport());
const page = pageOf(html);
const figures = [...page.querySelectorAll('figure')];

test('the page needs nothing beside it, fits a phone, and has a light and a dark form', () => {
  const addresses = [...html.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)/g)].map(([, address]) => address);
  expect(addresses.filter((address) => !/^(?:data:|#)/.test(address ?? ''))).toEqual([]);
  expect(page.querySelectorAll('script').length).toBe(0);
  expect(html).toContain('width=device-width');
  expect(html).toContain('prefers-color-scheme: dark');
  expect(page.title).toBe('webgpu-mlp bench: google swiftshader (software)');
});

test('a figure for each case, below two that sum them up', () => {
  expect(figures.map((figure) => figure.querySelector('h3')?.textContent)).toEqual([
    'webgpu-mlp is so many times as fast as',
    'Share of the limit measured in this run',
    'adapter FMA peak',
    'adapter launch',
    'matmul NN 512×512×512',
    'step 784-400-200-10 batch 128',
    'predict 784-400-200-10 batch 1',
    'first step 784-128-10 batch 32',
  ]);
});

test('every plot says in words what it shows', () => {
  const told = figures.map((figure) => figure.querySelector('svg[role=img]')?.getAttribute('aria-label') ?? '');
  expect(told.every((text) => text.length > 20)).toBe(true);
  expect(told[0]).toContain('matmul NN 512×512×512 against jax-js webgpu 3.50×');
  expect(told[1]).toBe('Share of the limit: matmul NN 512×512×512 18 % compute.');
  expect(told[2]).toBe('adapter FMA peak: vec4f 49.5 GFLOP/s, f32 25.0 GFLOP/s.');
  expect(told[5]).toBe(
    'step 784-400-200-10 batch 128, milliseconds with quartiles: webgpu-mlp 25.0 (24.5–25.5), ' +
      'jax-js webgpu 87.5 (85.8–89.3), tfjs webgl 50.0 (49.0–51.0).',
  );
});

test("a case's symbols stand where its medians are, on a logarithmic scale, and lines span the quartiles", () => {
  const step = figures[5];
  const places = [...(step?.querySelectorAll('g.dot path, g.dot circle') ?? [])].map((symbol) => {
    const [, x] = /translate\(([\d.]+)/.exec(symbol.getAttribute('transform') ?? '') ?? [];
    return Number(x ?? symbol.getAttribute('cx'));
  });
  const [own = 0, jax = 0, tfjs = 0] = places; // 25, 87.5 and 50 ms
  expect(places.length).toBe(3);
  expect((jax - own) / (tfjs - own)).toBeCloseTo(Math.log(3.5) / Math.log(2), 3);
  const rules = [...(step?.querySelectorAll('g.rule line') ?? [])];
  const width = (line: Element | undefined): number =>
    Number(line?.getAttribute('x2')) - Number(line?.getAttribute('x1'));
  expect(rules.length).toBe(3);
  expect(width(rules[0]) / (tfjs - own)).toBeCloseTo(Math.log(1.02 / 0.98) / Math.log(2), 2);
});

test('every case has its numbers in a table, and what failed in a sentence', () => {
  const matmul = figures[4];
  expect([...(matmul?.querySelectorAll('thead th') ?? [])].map((cell) => cell.textContent)).toEqual([
    'contender',
    'ms',
    'quartiles',
    'GFLOP/s',
    'GB/s',
    'of the limit',
    'limited by',
    'compile ms',
    'ours is',
  ]);
  expect(matmul?.querySelectorAll('tbody tr').length).toBe(5);
  expect(matmul?.textContent).toContain('The <wasm> backend did not start.');
  expect(html).not.toContain('<wasm>');
});

test('a case in which all failed has its reasons in place of a plot; no results make a page all the same', () => {
  const broken = { ...result({ case: 'broken', contender: 'webgpu-mlp', ms: 0, error: 'No luck.' }), samples: [] };
  const [figure] = [...pageOf(htmlReport(exampleReport({ results: [broken] }))).querySelectorAll('figure')];
  expect(figure?.textContent).toContain('broken, webgpu-mlp: No luck.');
  expect(figure?.querySelector('svg')).toBeNull();
  expect(pageOf(htmlReport(exampleReport({ results: [] }))).querySelectorAll('figure').length).toBe(0);
});
