import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Result } from '../../../bench/case.js';
import { readReport } from '../../../bench/report/read.mjs';
import { blocksOf, fullBlock, PAGES, ReadmeError, summaryBlock, withReport } from '../../../bench/report/readme.js';
import { exampleReport, result } from '../../support/bench-report.js';

const root = new URL('../../../', import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const texts = PAGES.map(({ path }) => textOf(path));

test.each(PAGES)('the numbers in $path are those of the reports that it names', ({ path, block }) => {
  const blocks = blocksOf(textOf(path));
  expect(blocks.length, `${path} has a place for measured numbers`).toBeGreaterThan(0);
  for (const { file, text } of blocks) {
    if (file === '') {
      expect(text, 'numbers without a report').toBe('');
      continue;
    }
    expect(existsSync(new URL(file, root)), `${file} exists`).toBe(true);
    const report = readReport(textOf(file), file);
    expect(text, `npm run bench:readme -- ${file}`).toBe(block(report));
  }
});

test('all pages have numbers of the same reports', () => {
  const files = texts.map((text) => blocksOf(text).map(({ file }) => file));
  for (const each of files) expect(each).toEqual(files[0]);
});

test('the summary has a row for each case, with the nearest rival and the fastest backend of each library', () => {
  expect(summaryBlock(exampleReport())).toBe(
    [
      'google swiftshader (software), Chrome 156, 2 cores; 2026-11-21 12:00 UTC, commit abc1234.',
      'Milliseconds, medians of 11 samples; bold is how many times as fast webgpu-mlp is: below 1 it is slower.',
      'webgpu-mlp is the fastest on WebGPU in 4 of 4 cases, and the fastest of all backends in 4 of 4.',
      'A software adapter says nothing about GPUs.',
      '',
      '|  | webgpu-mlp | jax-js webgpu | fastest of jax-js | fastest of TensorFlow.js |',
      '| --- | ---: | ---: | ---: | ---: |',
      '| matmul NN 512×512×512 | 30.0 | 105, **3.50×** | webgpu 105, **3.50×** | webgl 60.0, **2.00×** |',
      '| step 784-400-200-10 batch 128 | 25.0 | 87.5, **3.50×** | webgpu 87.5, **3.50×** | webgl 50.0, **2.00×** |',
      '| predict 784-400-200-10 batch 1 | 0.512 | 1.79, **3.50×** | webgpu 1.79, **3.50×** | webgl 1.02, **2.00×** |',
      '| first step 784-128-10 batch 32 | 420 | 1470, **3.50×** | webgpu 1470, **3.50×** | webgl 840, **2.00×** |',
      '',
    ].join('\n'),
  );
});

test('the summary keeps the cases in which another library is faster, and says what failed', () => {
  const report = exampleReport();
  const results = report.results.map((each): Result => {
    if (each.case !== 'predict 784-400-200-10 batch 1') return each;
    if (each.contender === 'webgpu-mlp') return { ...each, ratio: { ...each.ratio, 'tfjs wasm': 0.25 } };
    if (each.contender !== 'tfjs wasm') return { ...each, samples: [], error: 'It did not start.' };
    return result({ case: each.case, group: each.group, contender: each.contender, ms: 0.128 });
  });
  const block = summaryBlock({ ...report, results });
  expect(block).toContain('| predict 784-400-200-10 batch 1 | 0.512 | failed | failed | wasm 0.128, **0.250×** |');
  expect(block).toContain('on WebGPU in 4 of 4 cases, and the fastest of all backends in 3 of 4.');
});

test('the full block has the origin, and a row for each case with every peer, quartiles and ratios', () => {
  expect(fullBlock(exampleReport())).toBe(
    [
      'google swiftshader (software), Chrome 156, 2 cores; 2026-11-21 12:00 UTC, commit abc1234.',
      'Milliseconds: median and quartiles of 11 samples, all of a row in turn in one run; bold is how many times as fast webgpu-mlp is.',
      'Versions: webgpu-mlp 0.1.0, @jax-js/jax 0.1.25.',
      'What the adapter can do, measured in the same run: FMA peak (vec4f 49.5 GFLOP/s); launch (dispatch 10.0 µs, submit 50.0 µs).',
      'A software adapter says nothing about GPUs.',
      '',
      '|  | webgpu-mlp | jax-js webgpu | tfjs webgl | tfjs wasm |',
      '| --- | ---: | ---: | ---: | ---: |',
      '| matmul NN 512×512×512 | 30.0 (29.4–30.6), 8.94 GFLOP/s, 18 % of compute | 105 (103–107), **3.50×** | 60.0 (58.8–61.2), **2.00×** | failed |',
      '| step 784-400-200-10 batch 128 | 25.0 (24.5–25.5) | 87.5 (85.8–89.3), **3.50×** | 50.0 (49.0–51.0), **2.00×** | failed |',
      '| predict 784-400-200-10 batch 1 | 0.512 (0.502–0.523) | 1.79 (1.76–1.83), **3.50×** | 1.02 (1.00–1.05), **2.00×** | failed |',
      '| first step 784-128-10 batch 32 | 420 (412–428) | 1470 (1440–1500), **3.50×** | 840 (823–857), **2.00×** | failed |',
      '',
    ].join('\n'),
  );
});

test('a quick run says that it is one', () => {
  const quick = exampleReport({ settings: { quick: true, full: false, only: '' } });
  for (const { block } of PAGES) expect(block(quick)).toContain('for a look, not for a claim');
});

const place = (file: string, text = ''): string =>
  `<!-- bench${file === '' ? '' : `: ${file}`} -->\n${text}<!-- /bench -->`;

const page = { path: 'PAGE.md', block: summaryBlock };

test('numbers go where their report is named, else into the first empty place; all else stays', () => {
  const before = `# A\n\n${place('')}\n\ntext\n\n${place('a.json', 'old $1\n')}\nend\n`;
  const first = withReport(before, page, 'a.json', exampleReport());
  expect(first).toBe(before.replace('old $1\n', () => summaryBlock(exampleReport())));
  const second = withReport(before, page, 'b.json', exampleReport());
  expect(blocksOf(second).map(({ file }) => file)).toEqual(['b.json', 'a.json']);
  expect(withReport(second, page, 'b.json', exampleReport())).toBe(second);
  expect(second.endsWith('old $1\n<!-- /bench -->\nend\n')).toBe(true);
});

test('a page without a place for the numbers stays as it is', () => {
  expect(() => withReport('# A\n', page, 'a.json', exampleReport())).toThrow(ReadmeError);
  expect(() => withReport(place('b.json', 'x\n'), page, 'a.json', exampleReport())).toThrow(
    'PAGE.md has no place for a.json. Put the lines "<!-- bench -->" and "<!-- /bench -->" where its numbers belong.',
  );
});

test.each([
  [[], 'No report is named. npm run bench:readme -- FILE'],
  [['nowhere.json'], '"nowhere.json" does not exist. npm run bench:readme -- FILE'],
  [['package.json'], 'package.json is no report of this bench: it has no schema.'],
  [['README.md'], 'README.md is not JSON: '],
])('npm run bench:readme -- %j fails with a sentence, and writes nothing', (args, message) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ['bench/write-readme.mjs', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n').length).toBe(1);
  expect(PAGES.map(({ path }) => textOf(path))).toEqual(texts);
});
