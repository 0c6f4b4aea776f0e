import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { create, globals } from 'webgpu';
import {
  loadShaders,
  minify,
  publishedShaders,
  SNIPPETS,
  shaderDeclarations,
  shaderPath,
  shortNames,
} from '../../shaders/plugin.ts';
import { specialized } from '../../src/kernels/software/specialize.js';
import type { Shader } from '../../src/plan/shader.js';
import { overrideSets } from '../support/override-sets.js';

const shaders = loadShaders();
const short = shortNames(shaders.map(({ code }) => code));
/** WebGPU's default maxStorageBuffersPerShaderStage. */
const STORAGE_BUFFERS = 8;

// Dawn's null backend computes nothing and checks everything: Tint's messages, with line and column, without a GPU.
let gpu: GPU | undefined;
let device: GPUDevice;
beforeAll(async () => {
  Object.assign(globalThis, globals);
  gpu = create(['backend=null']);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error("Dawn's null backend has no adapter.");
  // The default limits, which every WebGPU device has.
  device = await adapter.requestDevice({ requiredFeatures: ['subgroups'] });
});
afterAll(() => {
  device.destroy();
  gpu = undefined;
});

const forms = { 'as written': (code: string) => code, minified: (code: string) => minify(code, short) };
const cases = Object.entries(forms).flatMap(([form, write]) => shaders.map((shader) => ({ ...shader, form, write })));
test.each(cases)('$name, $form, compiles without a message, in every override set', async ({ write, ...shader }) => {
  const { messages } = await device.createShaderModule({ code: write(shader.code) }).getCompilationInfo();
  expect(messages.map(({ type, lineNum, message }) => `${type} ${lineNum}: ${message}`)).toEqual([]);
  const module = device.createShaderModule({ code: write(withinLimits(shader)) });
  const sets = overrideSets(shader);
  expect(sets.length).toBeGreaterThan(0);
  for (const overrides of sets) {
    const constants = Object.fromEntries(Object.entries(overrides).map(([key, value]) => [key, Number(value)]));
    // As it stands, and as the library compiles it.
    const code = specialized(write(withinLimits(shader)), { ...shader.overrides, ...overrides });
    const left = device.createShaderModule({ code });
    expect((await left.getCompilationInfo()).messages.map(({ message }) => message)).toEqual([]);
    for (const each of [module, left]) {
      device.pushErrorScope('validation');
      device.createComputePipeline({ layout: 'auto', compute: { module: each, constants } });
      const error = await device.popErrorScope();
      expect(error?.message, JSON.stringify(overrides)).toBeUndefined();
    }
  }
});

const published = publishedShaders();

test('the package has one file for each kernel shader, and none for a snippet', () => {
  expect([...published.keys()].sort()).toEqual(shaders.map(({ name }) => `${name}.wgsl`).sort());
});

test.each([...published])('dist/shaders/%s compiles alone, and has each snippet once', async (file, code) => {
  // A directive is followed by declarations and not the other way round, or this fails.
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
  expect(messages.map(({ type, lineNum, message }) => `${type} ${lineNum}: ${message}`)).toEqual([]);
  const source = readFileSync(shaderPath(file.replace('.wgsl', '')), 'utf8');
  expect(code.startsWith(source)).toBe(true);
  const names = [...code.matchAll(/^\/\/! uses (.+)$/gm)].map(([, name = '']) => name);
  for (const name of new Set(names)) {
    expect(code.split(readFileSync(shaderPath(name), 'utf8')), name).toHaveLength(2);
  }
});

/** The backend has the default limit of storage buffers and no more: those beyond it are variables here. */
function withinLimits({ code, buffers }: Shader): string {
  return Object.entries(buffers)
    .slice(STORAGE_BUFFERS)
    .reduce(
      (text, [name, { binding, access }]) =>
        text.replace(
          new RegExp(`@group\\(0\\) @binding\\(${binding}\\) var<storage, ${access}> ${name}: array<(\\w+)>;`),
          `var<private> ${name}: array<$1, 4>;`,
        ),
      code,
    );
}

test('a broken shader is noticed', async () => {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: '@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }' });
  expect((await module.getCompilationInfo()).messages.length).toBe(1);
  expect(await device.popErrorScope()).not.toBeNull();
});

test('every shader that has a Step begins it alike', () => {
  const steps = shaders.flatMap(({ uniforms }) => (uniforms.step === undefined ? [] : [uniforms.step]));
  expect(steps.length).toBeGreaterThan(1);
  for (const { fields } of steps)
    expect(Object.entries(fields).slice(0, 4)).toEqual(Object.entries(steps[0]?.fields ?? {}));
});

test('every shader with an activation has the one text of their formulas', () => {
  const own = shaders.filter(({ overrides }) => 'ACTIVATION' in overrides);
  expect(own.length).toBeGreaterThan(1);
  const textsOf = (code: string): string[] =>
    ['activate', 'activate_derivative'].map((name) => code.slice(code.indexOf(`fn ${name}(`)).split(/^\}/m)[0] ?? '');
  const [first] = own;
  for (const { name, code } of own) {
    expect(code, name).toContain('fn activate(');
    expect(textsOf(code), name).toEqual(textsOf(first?.code ?? ''));
  }
});

test('no shader needs more than the default limits of storage buffers, but for those whose programs say so', () => {
  const more: Readonly<Record<string, number>> = { 'dense-head': 10, 'weight-update': 9 };
  for (const { name, buffers } of shaders) {
    expect(Object.keys(buffers).length, name).toBeLessThanOrEqual(more[name] ?? STORAGE_BUFFERS);
  }
});

test('the shaders of one kernel have the same bindings, so that the types of one are those of all', () => {
  const products = shaders.filter(({ name }) => name.startsWith('matmul-'));
  const all = products.find(({ name }) => name === 'matmul-tiled');
  expect(products.length).toBeGreaterThan(2);
  for (const { name, uniforms, buffers } of products) {
    expect(uniforms, name).toEqual(all?.uniforms);
    expect(all?.buffers, name).toMatchObject(buffers);
    expect(Object.keys(buffers), name).not.toEqual([]);
  }
});

test('shaders/shaders.d.ts is what the shaders declare; `npm run build` writes it', () => {
  expect(readFileSync(new URL('../../shaders/shaders.d.ts', import.meta.url), 'utf8')).toBe(shaderDeclarations());
});

test('shaders are formatted: two spaces, no tabs, no blanks at the end, at most 128 columns', () => {
  for (const name of [...shaders.map((shader) => shader.name), ...SNIPPETS]) {
    const text = readFileSync(shaderPath(name), 'utf8');
    for (const [number, line] of text.split('\n').entries()) {
      const place = `shaders/${name}.wgsl:${number + 1}`;
      expect(/\t|\s$/.test(line), place).toBe(false);
      expect([...line].length, place).toBeLessThanOrEqual(128);
      if (!line.trim().startsWith('//')) expect((/^ */.exec(line)?.[0].length ?? 0) % 2, place).toBe(0);
    }
    expect(text, name).toMatch(/[};]\n$/);
  }
});
