import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Browser, Page } from 'puppeteer';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import webpack from 'webpack';
import { findBrowser } from '../../tools/browser.mjs';
import { root } from '../../tools/install.mjs';
import { launchBrowser } from '../support/browser.js';
import { installPackage, runProgram } from '../support/package.js';
import { patient } from '../support/patience.js';
import { serveFolder } from '../support/static-server.js';
import { textOf } from '../support/tree.js';

/** The packages that recipes import or run. */
const PACKAGES = ['vite', 'webpack', 'esbuild', 'react', 'react-dom', 'vue', 'svelte', 'webgpu'].concat(
  '@vitejs/plugin-react',
  '@vitejs/plugin-vue',
  '@sveltejs/vite-plugin-svelte',
);

const CLASSES = '0 1 1 0';

/** The blocks below a heading of the page. */
interface Recipe {
  /** Texts of files, by their paths, which are in the first line of a block. */
  readonly files: Readonly<Record<string, string>>;
  /** Commands of blocks of `sh`. */
  readonly commands: readonly string[];
}

function recipeOf(section: string): Recipe {
  const files: Record<string, string> = {};
  const commands: string[] = [];
  for (const [, language, text = ''] of section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const name = /^(?:\/\/|<!--) (\S+)/.exec(text)?.[1];
    if (language === 'sh') commands.push(...text.trim().split('\n'));
    else if (name === undefined) throw new Error(`The first line of a block names no file:\n${text}`);
    else files[name] = text;
  }
  return { files, commands };
}

const sections = textOf('docs/recipes.md')
  .split(/^#{1,2} /m)
  .slice(1)
  .map((section) => [section.split('\n')[0] ?? '', recipeOf(section)] as const);
const recipes: ReadonlyMap<string, Recipe> = new Map(sections);
const common: Recipe['files'] = recipes.get('Recipes')?.files ?? {};

const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-recipes-'));
let browser: Browser;

/** Writes the files of a recipe and those of all recipes, and runs its commands. @returns the project's folder */
function makeProject(name: string, as = name): string {
  const recipe = recipes.get(name);
  if (recipe === undefined) throw new Error(`docs/recipes.md has no "${name}".`);
  const project = join(folder, as.replaceAll(/\W+/g, '-').toLowerCase());
  const files = { 'package.json': '{ "type": "module" }\n', ...common, ...recipe.files };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  symlinkSync(join(folder, 'node_modules'), join(project, 'node_modules'), 'junction');
  for (const command of recipe.commands) runCommand(project, command.split(' '));
  return project;
}

/** Runs the commands that need no network: copies, and programs of packages. */
function runCommand(project: string, [command, ...args]: readonly string[]): void {
  const [first = '', ...others] = args;
  if (command === 'cp') cpSync(join(project, first), join(project, basename(first)));
  if (command !== 'npx') return;
  // A script for Node, or a program of the system.
  const program = join(project, 'node_modules', first, 'bin', first);
  if (process.platform === 'win32') runProgram(process.execPath, [program, ...others], project);
  else runProgram(program, others, project);
}

/** Builds a project with Vite, by its own configuration if it has one. @returns the folder of the built page */
async function viteBuild(project: string): Promise<string> {
  const config = join(project, 'vite.config.js');
  await build({ root: project, configFile: existsSync(config) ? config : false, logLevel: 'warn' });
  return join(project, 'dist');
}

/** Builds a project with webpack. @returns the folder of the built page */
async function webpackBuild(project: string): Promise<string> {
  const { default: config } = (await import(/* @vite-ignore */ join(project, 'webpack.config.js'))) as {
    default: webpack.Configuration;
  };
  const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
    webpack({ context: project, output: { path: join(project, 'dist') }, ...config }, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
  expect(stats?.toJson({ all: false, errors: true }).errors).toEqual([]);
  return join(project, 'dist');
}

/** The text of a page once it begins with a digit. @throws {Error} if the page reports an error */
async function resultOf(page: Page, url: string): Promise<string> {
  const failure = new Promise<never>((_resolve, reject) => {
    page.on('pageerror', (error) => reject(error));
    page.on('console', (message) => {
      if (message.type() === 'error') reject(new Error(`The page reports: ${message.text()}`));
    });
  });
  const text = async (): Promise<string> => {
    await page.goto(url);
    const timeout = patient(60_000);
    await page.waitForFunction(() => /^\d/.test(document.body.textContent.trim()), { timeout, polling: 20 });
    return await page.evaluate(() => document.body.textContent.trim());
  };
  return await Promise.race([text(), failure]);
}

/** The results of visits to a page of a folder, one after the other. */
async function visits(site: string, paths: readonly string[] = ['']): Promise<string[]> {
  const server = await serveFolder(site);
  try {
    const results: string[] = [];
    for (const path of paths) {
      const page = await browser.newPage();
      results.push(await resultOf(page, server.url + path));
      await page.close();
    }
    return results;
  } finally {
    server.close();
  }
}

beforeAll(async () => {
  installPackage(folder);
  for (const name of PACKAGES) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
  }
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('every recipe is run by a test', () => {
  const tested = [...VITE, 'webpack', 'esbuild', 'No bundler', 'Node', 'IndexedDB', 'Strict Content-Security-Policy'];
  expect([...recipes.keys()].sort()).toEqual(['Recipes', ...tested].sort());
});

const VITE = ['Vite', 'React', 'Vue', 'Svelte', 'Worker'];

test.each(VITE)('%s', async (name) => {
  expect(await visits(await viteBuild(makeProject(name)))).toEqual([CLASSES]);
});

test('webpack, as a classic script on a page without a charset', async () => {
  expect(await visits(await webpackBuild(makeProject('webpack')))).toEqual([CLASSES]);
});

test('esbuild, in parts and in one classic script', async () => {
  expect(await visits(join(makeProject('esbuild'), 'dist'), ['', 'classic.html'])).toEqual([CLASSES, CLASSES]);
});

test.each(['No bundler', 'Strict Content-Security-Policy'])('%s', async (name) => {
  expect(await visits(makeProject(name))).toEqual([CLASSES]);
});

test('a worker that imports the one file needs no option of Vite', async () => {
  const project = makeProject('Worker', 'worker of one file');
  const text = common['src/xor.js'] ?? '';
  writeFileSync(join(project, 'src/xor.js'), text.replace('"webgpu-mlp"', '"webgpu-mlp/bundle"'));
  await build({ root: project, configFile: false, logLevel: 'warn', worker: { format: 'iife' } });
  expect(await visits(join(project, 'dist'))).toEqual([CLASSES]);
});

/** Variables by which Dawn finds a Vulkan driver on a Linux without one: SwiftShader, which comes with Chrome. */
async function vulkanOfChrome(): Promise<Record<string, string>> {
  const places = [dirname(realpathSync(await findBrowser())), '/usr/lib/chromium', '/opt/google/chrome'];
  const place = places.find((path) => existsSync(join(path, 'vk_swiftshader_icd.json')));
  return place === undefined
    ? {}
    : { LD_LIBRARY_PATH: place, VK_ICD_FILENAMES: join(place, 'vk_swiftshader_icd.json') };
}

test('Node', async () => {
  const env = { ...process.env, ...(await vulkanOfChrome()) };
  expect(runProgram(process.execPath, ['main.js'], makeProject('Node'), env)).toBe(`${CLASSES}\n`);
});

const TYPED_APP = `import { adam, Dataset, dense, Gpu, Mlp, softmaxCrossEntropy, xor } from 'webgpu-mlp';
import { Tensor } from 'webgpu-mlp/kernels';
import * as all from 'webgpu-mlp/bundle';

export async function run(signal: AbortSignal | undefined): Promise<Float32Array> {
  using gpu = await Gpu.request();
  const model: all.Mlp = await Mlp.create(gpu, { inputs: 2, layers: [dense(2)] });
  const trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 4 });
  await trainer.fit(Dataset.create(gpu, xor()), { epochs: 1, signal });
  const buffer: GPUBuffer = gpu.device.createBuffer({ size: 4, usage: 4 });
  return await Tensor.wrap(buffer, [1], { gpu }).read();
}
`;
const TYPESCRIPT = {
  5: 'node_modules/@arethetypeswrong/core/node_modules/typescript/lib/tsc.js',
  7: 'node_modules/typescript/bin/tsc',
} as const;

/** Compiles the app against the packed declarations, without skipLibCheck. @throws {Error} with the compiler's messages */
function compile(version: keyof typeof TYPESCRIPT, compilerOptions: object): void {
  const project = join(folder, 'typed');
  mkdirSync(project, { recursive: true });
  const target = {
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2022', 'dom'],
    noEmit: true,
  };
  const config = {
    compilerOptions: { ...target, skipLibCheck: false, types: [], ...compilerOptions },
    files: ['app.ts'],
  };
  writeFileSync(join(project, 'app.ts'), TYPED_APP);
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  runProgram(process.execPath, [join(root, TYPESCRIPT[version]), '-p', project], project);
}

const STRICT = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };

test.each([{}, STRICT])('TypeScript 7 with %o compiles the published types', (options) => {
  compile(7, options);
});

test('TypeScript 5.9 names the package that it lacks, and compiles the published types with it', () => {
  expect(() => compile(5, STRICT)).toThrow("Cannot find type definition file for '@webgpu/types'");
  mkdirSync(join(folder, 'node_modules/@webgpu'));
  cpSync(join(root, 'node_modules/@webgpu/types'), join(folder, 'node_modules/@webgpu/types'), { recursive: true });
  compile(5, STRICT);
});

test('IndexedDB: the first visit saves, the next ones train on', async () => {
  const [first, ...later] = await visits(await viteBuild(makeProject('IndexedDB')), ['', '', '']);
  expect(first).toBe(`${CLASSES}, saved`);
  for (const text of later) {
    const [classes, loss = ''] = text.split(', loss ');
    expect(classes).toBe(CLASSES);
    // An untrained network has a loss near ln 2 after ten steps.
    expect(Number(loss)).toBeLessThan(0.1 * Math.log(2));
  }
  expect(later[1]).toBe(later[0]);
});
