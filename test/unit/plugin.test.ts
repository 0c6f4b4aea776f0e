import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { reflectShader, stripComments, wgslEsbuild } from '../../shaders/plugin.ts';

const snippets = { helpers: 'fn helper() -> f32 { return 1.0; }\n', activations: 'override ACTIVATION: u32 = 0;\n' };
const shader = (body: string): string => `${body}\n@compute @workgroup_size(1) fn main() {}\n`;

test('declarations are read: overrides with defaults, uniforms with offsets, buffers with access', () => {
  const source = shader(`
override TILE: u32 = 16;
override FLAG: bool = true;
override RATE: f32 = 0.5;
struct Dims { M: u32, rate: f32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(3) var<storage, read> A: array<f32>;
@group(0) @binding(5) var<storage, read_write> C: array<vec4f>;`);
  expect(reflectShader('x', source, snippets)).toEqual({
    name: 'x',
    code: source,
    overrides: { TILE: 16, FLAG: true, RATE: 0.5 },
    uniforms: {
      dims: { binding: 0, size: 16, fields: { M: 'u32', rate: 'f32' } },
    },
    buffers: {
      A: { binding: 3, access: 'read', type: 'array<f32>' },
      C: { binding: 5, access: 'read_write', type: 'array<vec4f>' },
    },
  });
});

test('`uses activations` appends helpers and table; other shaders stay as they are', () => {
  const using = reflectShader('x', shader('//! uses activations'), snippets);
  expect(using.code).toContain('fn helper()');
  expect(using.overrides).toEqual({ ACTIVATION: 0 });
  expect(reflectShader('x', shader(''), snippets).overrides).toEqual({});
});

test.each([
  ['fn main( {}', 'shaders/x.wgsl: '],
  [shader('override TILE: u32;'), 'shaders/x.wgsl: override TILE has no literal default; give it one.'],
  [shader('@group(1) @binding(0) var<storage, read> A: array<f32>;'), 'A is in group 1; everything is in group 0.'],
  [shader('struct D { x: vec2f }\n@group(0) @binding(0) var<uniform> d: D;'), 'd.x is vec2f; a field is u32 or f32.'],
  ['fn helper() {}', 'a shader has one compute entry point.'],
])('what the runtime cannot use is refused with the file: %s', (source, message) => {
  expect(() => reflectShader('x', source, snippets)).toThrow(message);
});

test('comments go, block comments that nest too; the program stays', () => {
  expect(stripComments('a // b\n\n  /* c /* d */ e */ f /*g*/h\n// i\n  j')).toBe('a\nf  h\nj');
});

test('esbuild takes the same shaders, and nothing of wgsl_reflect reaches the bundle', async () => {
  const { outputFiles } = await build({
    stdin: { contents: "import shader from './shaders/sgd.wgsl'; console.log(shader);", resolveDir: process.cwd() },
    bundle: true,
    write: false,
    format: 'esm',
    plugins: [wgslEsbuild()],
  });
  const text = outputFiles[0]?.text ?? '';
  expect(text).toContain('atomicMin(&status[1 + owners[i / 64]],step.index);');
  expect(text).not.toContain('PyTorch'); // a comment
  expect(text).not.toMatch(/WgslReflect|WgslParser/);
});
