import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../bench/case.js';
import { bundleForNode, servePage } from '../../bench/cli.mjs';
import { HELP } from '../../bench/options.mjs';
import { launchBrowser } from '../support/browser.ts';
import { patient } from '../support/patience.ts';

const SCRIPT = fileURLToPath(new URL('../../bench/cli.mjs', import.meta.url));

interface End {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, args: readonly string[], cwd?: string): Promise<End> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 2 ** 24, ...(cwd === undefined ? {} : { cwd }) };
    execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('measures one case headless, and writes what it found', async () => {
  const [json, html] = [join(folder, 'report.json'), join(folder, 'report.html')];
  const args = ['--quick', '--no-peers', '--only', 'softmax 128x10', '--json', json, '--html', html];
  const { status, stdout, stderr } = await run(SCRIPT, args);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
  expect(report).toMatchObject({
    schema: 1,
    date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    commit: expect.any(String),
    settings: { quick: true, only: 'softmax 128x10' },
    environment: {
      adapter: { vendor: expect.any(String), software: expect.any(Boolean) },
      runtime: expect.stringMatching(/Chrome \d+\./),
      versions: { 'webgpu-mlp': expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      limits: { maxBufferSize: expect.any(Number) },
    },
  });
  const kernels = report.results.filter(({ group }) => group === 'kernel');
  expect(kernels).toEqual([
    {
      case: 'softmax 128×10',
      group: 'kernel',
      contender: 'softmax',
      samples: expect.any(Array),
      median: expect.any(Number),
      p25: expect.any(Number),
      p75: expect.any(Number),
      bytes: 8 * 128 * 10,
      gbps: expect.any(Number),
      shareOfPeak: expect.any(Number),
      bound: expect.stringMatching(/^(?:compute|memory|launch)$/),
      compileMs: expect.any(Number),
      dispatches: 1,
    },
  ]);
  // The yardsticks come with it; nothing failed, and every sample is a time.
  expect(new Set(report.results.map((result) => result.case))).toEqual(
    new Set(['adapter FMA peak', 'adapter copy bandwidth', 'adapter launch', 'softmax 128×10']),
  );
  for (const { contender, samples, error } of report.results) {
    expect({ contender, error, count: samples.length }).toEqual({ contender, error: undefined, count: 3 });
    for (const time of samples) expect(time).toBeGreaterThan(0);
  }
  expect(stdout).toContain('softmax 128×10');
  expect(readFileSync(html, 'utf8')).toContain('softmax 128×10');
  expect(stderr).toContain('4/4 softmax 128×10');
});

test('a first step is measured in pages of its own', async () => {
  const json = join(folder, 'first-step.json');
  const args = ['--quick', '--no-peers', '--only', 'first step 784-128', '--json', json];
  const { status, stderr } = await run(SCRIPT, args);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const { results } = JSON.parse(readFileSync(json, 'utf8')) as Report;
  const [first] = results;
  expect(first).toMatchObject({ case: 'first step 784-128-10 batch 32', contender: 'webgpu-mlp' });
  expect(first?.error).toBeUndefined();
  expect(first?.samples).toHaveLength(3);
});

test('a name that is nowhere: exit status 2, and the names there are', async () => {
  const { status, stdout, stderr } = await run(SCRIPT, ['--only', 'nosuch', '--no-peers']);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('--only "nosuch" is in no case\'s name. The cases are:\n  adapter FMA peak\n');
});

test('the script for Node needs nothing but itself', async () => {
  const alone = join(folder, 'bench-node.mjs');
  copyFileSync(await bundleForNode(), alone);
  expect(await run(alone, ['--help'], folder)).toEqual({ status: 0, stdout: `${HELP}\n`, stderr: '' });
});

test('the page measures by itself, first steps in frames, and shows plots', async () => {
  const { url, close } = await servePage();
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(patient(30_000));
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await page.goto(url);
    await page.type('[name=only]', 'nosuch');
    await page.click('[name=peers]');
    await page.click('[type=submit]');
    await page.waitForFunction(() => document.querySelector('#status')?.textContent?.startsWith('--only "nosuch"'));
    await page.$eval('[name=only]', (input) => {
      (input as HTMLInputElement).value = 'first step 784-128';
    });
    await page.click('[type=submit]');
    await page.waitForSelector('#report pre', { timeout: patient(120_000) });
    const text = await page.$eval('#report', (report) => report.textContent ?? '');
    expect(text).toContain('first step 784-128-10 batch 32');
    expect(text).toMatch(/webgpu-mlp +\d/);
    expect(await page.$$('#report svg')).not.toHaveLength(0);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
    await close();
  }
});
