import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, ConsoleMessage } from 'puppeteer';
import { createServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../tools/install.mjs';
import { launchBrowser } from '../support/browser.ts';
import { codeBlocks } from '../support/markdown.ts';
import { installPackage, runProgram } from '../support/package.ts';
import { textOf } from '../support/tree.ts';

/** compilerOptions of Vite's template vanilla-ts; `strict` is the default of TypeScript 6 and newer. */
const COMPILER_OPTIONS = {
  target: 'es2023',
  module: 'esnext',
  lib: ['ES2023', 'DOM'],
  types: ['vite/client'],
  allowArbitraryExtensions: true,
  skipLibCheck: true,
  strict: true,
  moduleResolution: 'bundler',
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  moduleDetection: 'force',
  noEmit: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  erasableSyntaxOnly: true,
  noFallthroughCasesInSwitch: true,
};

const INDEX_HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="UTF-8" />
    <link rel="icon" href="data:," />
    <title>app</title>
  </head>
  <body>
    <div id="app"></div>
    <script type="module" src="/src/main.ts"></script>
  </body>
</html>
`;

const [quickStart = '', kernels = ''] = codeBlocks(textOf('README.md'), 'ts');
const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-app-'));
const bin = (name: string, file: string): string => join(root, 'node_modules', name, 'bin', file);
let browser: Browser;

/** A fresh Vite project whose src/main.ts is a block of the README, verbatim. */
function makeProject(name: string, main: string): string {
  const project = join(folder, name);
  mkdirSync(join(project, 'src'), { recursive: true });
  const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
  writeFileSync(join(project, 'package.json'), json({ name, private: true, version: '0.0.0', type: 'module' }));
  writeFileSync(join(project, 'tsconfig.json'), json({ compilerOptions: COMPILER_OPTIONS, include: ['src'] }));
  writeFileSync(join(project, 'index.html'), INDEX_HTML);
  writeFileSync(join(project, 'src', 'main.ts'), main);
  return project;
}

/** Opens a page and returns its first `count` lines on the console, of each line its values. */
async function printed(url: string | undefined, count: number): Promise<unknown[][]> {
  if (url === undefined) throw new Error('The project is not served: Vite names no address.');
  const page = await browser.newPage();
  const values = ({ args }: { readonly args: ReturnType<ConsoleMessage['args']> }): Promise<unknown[]> =>
    Promise.all(
      args.map((arg) => arg.evaluate((value) => (ArrayBuffer.isView(value) ? [...(value as Uint8Array)] : value))),
    );
  try {
    return await new Promise((resolve, reject) => {
      const lines: Promise<unknown[]>[] = [];
      page.on('pageerror', reject);
      page.on('console', (message) => {
        if (['error', 'warn'].includes(message.type())) reject(new Error(`The page reports: ${message.text()}`));
        // Vite's own messages, of the development server, are of type debug.
        if (message.type() !== 'log') return;
        lines.push(values({ args: message.args() }));
        if (lines.length === count) Promise.all(lines).then(resolve, reject);
      });
      page.goto(url).catch(reject);
    });
  } finally {
    await page.close();
  }
}

/**
 * The spirals touch at the origin. At radius r, half the distance to the nearest arm is r·sin(π/3), and the noise has a
 * deviation of 0.02, so no classifier is right in more than about 1 − 2·0.02·0.4/0.87 = 98.2 % of all cases: 2.2 of the 120
 * validation points are wrong, with a deviation of 1.5. Six wrong ones are 2.6 deviations more.
 */
const LEAST_ACCURACY = 0.95;

function checkQuickStart(lines: unknown[][]): void {
  const [progress, [accuracyLine, classLine, loadedLine]] = [lines.slice(0, -3), lines.slice(-3)];
  const losses = progress.map(([text]) => Number(/^Epoch (?:\d+): loss ([\d.]+)$/.exec(String(text))?.[1]));
  expect(losses.length).toBe(10);
  // ln 3 is the loss of a network that gives each of three classes the same probability.
  expect(losses[0]).toBeLessThan(1.2 * Math.log(3));
  expect(losses.at(-1)).toBeLessThan(0.1 * Math.log(3));
  expect(accuracyLine).toEqual(['Accuracy on the validation points:', expect.any(Number)]);
  expect(accuracyLine?.[1]).toBeGreaterThanOrEqual(LEAST_ACCURACY);
  // Spiral 0 passes through (r·cos 2πr, r·sin 2πr) = (−½, 0) at r = ½.
  expect(classLine).toEqual(['Class of the point (-0.5, 0):', [0]]);
  expect(loadedLine).toEqual(['Class from the loaded model:', [0]]);
}

function checkKernels(lines: unknown[][]): void {
  // [1 2 3; 4 5 6] · [1 0; 0 1; 1 1]
  expect(lines).toEqual([[[4, 5, 10, 11]]]);
}

beforeAll(async () => {
  installPackage(folder);
  for (const name of ['typescript', 'vite']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
  }
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([
  { name: 'quick-start', main: quickStart, check: checkQuickStart, lines: 13 },
  { name: 'kernels', main: kernels, check: checkKernels, lines: 1 },
])("the README's block $name, in a fresh Vite project with the packed package", ({ name, main, check, lines }) => {
  const project = makeProject(name, main);

  test.each([true, false])('passes tsc with skipLibCheck: %s', (skipLibCheck) => {
    const tsc = [bin('typescript', 'tsc'), '--project', project, '--skipLibCheck', String(skipLibCheck)];
    expect(runProgram(process.execPath, tsc, project)).toBe('');
  });

  test('gives what it says once it is built', async () => {
    runProgram(process.execPath, [bin('vite', 'vite.js'), 'build'], project);
    const options = { host: '127.0.0.1', port: 0, open: false };
    const server = await preview({ root: project, configFile: false, logLevel: 'warn', preview: options });
    try {
      check(await printed(server.resolvedUrls?.local[0], lines));
    } finally {
      await server.close();
    }
  });

  test('gives what it says on the development server', async () => {
    const options = { host: '127.0.0.1', port: 0 };
    const cacheDir = join(project, '.vite');
    const server = await createServer({
      root: project,
      configFile: false,
      cacheDir,
      logLevel: 'warn',
      server: options,
    });
    await server.listen();
    try {
      check(await printed(server.resolvedUrls?.local[0], lines));
    } finally {
      await server.close();
    }
  });
});

test('the quick start fits a screen', () => {
  expect(quickStart.trimEnd().split('\n').length).toBeLessThanOrEqual(30);
});
