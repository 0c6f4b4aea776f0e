import { build, type Plugin } from 'esbuild';
import { expect, test } from 'vitest';
import { minify, reflectShader, shortNames, stripComments, wgslEsbuild } from '../../shaders/plugin.ts';

const snippets = { activations: 'fn helper() -> f32 { return 1.0; }\noverride ACTIVATION: u32 = 0;\n' };
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

const layered = {
  bottom: 'fn bottom() {}\n',
  middle: '//! uses bottom\nfn middle() { bottom(); }\n',
  other: 'fn other() {}\n',
  top: '//! uses middle\n//! uses bottom\nfn top() { middle(); bottom(); }\n',
};

test('what a snippet uses is appended too, each once and in the order of the folder', () => {
  const source = shader('//! uses top');
  expect(reflectShader('x', source, layered).code).toBe(`${source}\n${layered.bottom}${layered.middle}${layered.top}`);
  const both = shader('//! uses other\n//! uses middle\n//! uses bottom');
  expect(reflectShader('x', both, layered).code).toBe(`${both}\n${layered.bottom}${layered.middle}${layered.other}`);
});

test.each([
  [
    { a: '//! uses b\n', b: '//! uses c\n', c: '//! uses b\n' },
    'shaders/x.wgsl: lib/b.wgsl uses lib/c.wgsl uses lib/b.wgsl, which is a circle.',
  ],
  [{ a: '//! uses a\n' }, 'shaders/x.wgsl: lib/a.wgsl uses lib/a.wgsl, which is a circle.'],
  [{ a: '//! uses b\n' }, 'shaders/x.wgsl: lib/a.wgsl: "//! uses b" is not known. Known: "//! uses a".'],
])('snippets that cannot be appended are named: %j', (texts, message) => {
  expect(() => reflectShader('x', shader('//! uses a'), texts)).toThrow(message);
});

const uniform = (type: string): string => `@group(0) @binding(0) var<uniform> d: ${type};`;

test.each([
  ['fn main( {}', 'shaders/x.wgsl:1: Expected'],
  [shader('\n\nfn f() -> f32 { return 1.0 }'), "shaders/x.wgsl:3: Expected ';' after statement"],
  [shader('//! uses activation'), '"//! uses activation" is not known. Known: "//! uses activations".'],
  [
    shader('override TILE: u32;'),
    'shaders/x.wgsl: override TILE has no default that is a decimal literal, true or false.',
  ],
  [shader('override TILE: u32 = 0x10u;'), 'override TILE has no default that is a decimal literal, true or false.'],
  [shader('override TILE: u32 = 4 * 4;'), 'override TILE has no default that is a decimal literal, true or false.'],
  [shader('@id(1) override TILE: u32 = 16;'), 'override TILE has an attribute; pipelines find it by its name.'],
  [shader('@group(1) @binding(0) var<storage, read> A: array<f32>;'), 'A is in group 1; everything is in group 0.'],
  [shader('@group(0) @binding(0) var t: texture_2d<f32>;'), 't is neither a uniform nor a storage buffer.'],
  [shader('@group(0) @binding(0) var s: sampler;'), 's is neither a uniform nor a storage buffer.'],
  [
    shader('@group(0) @binding(0) var t: texture_storage_2d<r32float, read_write>;'),
    't is neither a uniform nor a storage buffer.',
  ],
  [
    shader('@group(0) @binding(1) var<storage, read> A: array<f32>;\n@group(0) @binding(1) var<uniform> d: D;'),
    'd and A are both at binding 1.',
  ],
  [shader(uniform('u32')), 'd is a uniform, but not a struct.'],
  [shader(uniform('array<vec4f, 4>')), 'd is a uniform, but not a struct.'],
  [shader(`struct D { x: vec2f }\n${uniform('D')}`), 'd.x is vec2f; a field is u32 or f32.'],
  [shader(`struct D { @size(16) a: u32, b: u32 }\n${uniform('D')}`), 'd.b is at byte 16; fields follow each other'],
  [shader(`struct D { a: u32, @align(16) b: u32 }\n${uniform('D')}`), 'd.b is at byte 16; fields follow each other'],
  ['fn helper() {}', 'a shader has one entry point, the compute shader main.'],
  ['@compute @workgroup_size(1) fn other() {}', 'a shader has one entry point, the compute shader main.'],
  [shader('@fragment fn colour() {}'), 'a shader has one entry point, the compute shader main.'],
])('what the runtime cannot use is refused with the file: %s', (source, message) => {
  expect(() => reflectShader('x', source, snippets)).toThrow(message);
});

test.each([
  ['override X: f32 = 1e-3;', 0.001],
  ['override X: f32 = -0.1f;', -0.1],
  ['  override X = 7u;', 7],
  ['/* override X: u32 = 9; */ override X: u32 = 7; // not 8', 7],
  ['override\n  X: bool = true;', true],
])('a default is read exactly: %s', (source, value) => {
  expect(reflectShader('x', shader(source), snippets).overrides).toEqual({ X: value });
});

test.each([
  ['a // b\n\n  /* c /* d */ e */ f /*g*/h\n// i\n  j', 'a\nf  h\nj'],
  ['a /*/ b */ c // /* d\ne', 'a   c\ne'],
  ['a // b\rc // d\u2028e', 'a\nc\ne'],
  ['let x = y / *p;', 'let x=y / *p;'],
  ['let x = y * *p - -z;', 'let x=y**p - -z;'],
  ['var a: array<vec4<f32>> = b[i] ;', 'var a:array<vec4<f32>> =b[i];'],
  ['if (a >= b && c <= d) { e += f; }', 'if(a >= b&&c <=d){e+=f;}'],
])('comments and blanks go, the program stays: %j', (code, stripped) => {
  expect(stripComments(code)).toBe(stripped);
  expect(stripComments(stripped)).toBe(stripped);
});

test.each([
  ['fn f(first: u32, second: u32,) -> f32 { return 1.0; }', 'fn A(a:u32,b:u32)->f32{return 1.;}\n'],
  ['fn f() { let x = 0.50 * 0.0 - 10.0e-3 + 2.5f - -1; }', 'fn A(){let a=.5*0.-10.e-3+2.5f- -1;}\n'],
  ['fn f(v: vec4f) -> f32 { let x = v; return x.x / x.w; }', 'fn A(a:vec4f)->f32{let b=a;return b.x/b.w;}\n'],
  ['fn f(p: ptr<function, f32>) { let y = 8 / *p; }', 'fn A(a:ptr<function,f32>){let b=8/ *a;}\n'],
  ['struct S { x1: u32, many: f32, } var<private> s: S;', 'struct A{d:u32,c:f32}\nvar<private>B:A;\n'],
  [
    'override SIZE: u32 = 4; const TWICE = SIZE * 2u; fn f() -> u32 { return TWICE; }',
    'override SIZE:u32=4;\nconst A=SIZE*2u;\nfn B()->u32{return A;}\n',
  ],
  [
    'fn add(a: f32) -> f32 { return a; } fn f() { var sum = max(1.5, 2); { let sum = add(3.0); } sum += 1; }',
    'fn A(a:f32)->f32{return a;}\nfn B(){var a=max(1.5,2);{let a=A(3.);}a+=1;}\n',
  ],
  [
    '@compute @workgroup_size(64) fn main(@builtin(local_invocation_id) local: vec3u) { let i = local.x; }',
    '@compute@workgroup_size(64)fn main(@builtin(local_invocation_id)a:vec3u){let b=a.x;}\n',
  ],
  ['var<workgroup> a: array<f32, 4>; fn f() { let b = 1 < 2; if (a[0] > a[1]) { a[2] >>= 1u; } }', undefined],
])('minify says the same in fewer letters: %s', (code, expected) => {
  const short = minify(code, shortNames([code]));
  if (expected !== undefined) expect(short).toBe(expected);
  expect(short.length).toBeLessThan(code.length);
  expect(minify(short, shortNames([short]))).toBe(short);
});

test('minify calls a name alike in all modules that share it, and leaves what one of them has of the language', () => {
  const [host, other] = [
    'fn f() -> u32 { return shared_one(length); } var<private> length: u32;',
    'fn g(v: vec2f) { length(v); }',
  ];
  const snippet = 'fn shared_one(x: u32) -> u32 { return x; }';
  const short = shortNames([host + snippet, other]);
  const [called] = /\w+(?=\(length)/.exec(minify(host, short)) ?? [];
  expect(called).toMatch(/^[A-Z]$/);
  expect(minify(snippet, short)).toBe(`fn ${called}(a:u32)->u32{return a;}\n`);
  expect(minify(other, short)).toMatch(/^fn [A-Z]\(a:vec2f\){length\(a\);}\n$/);
});

test('esbuild takes the same shaders, and nothing of wgsl_reflect reaches the bundle', async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: "import shader from './shaders/optimizer/sgd.wgsl'; console.log(shader);",
      resolveDir: process.cwd(),
    },
    bundle: true,
    write: false,
    format: 'esm',
    plugins: [wgslEsbuild()],
  });
  const text = outputFiles[0]?.text ?? '';
  expect(text).toMatch(/atomicMin\(&\w+\[1\+\w+\[\w>>4\]\],\w+\.\w\);/);
  expect(text).not.toContain('PyTorch'); // a comment
  expect(text).not.toMatch(/WgslReflect|WgslParser/);
});

test('of a library in one file a bundler takes the shaders that are used, whatever is appended to the others', async () => {
  const bundle = async (contents: string, plugins: Plugin[]): Promise<string> => {
    const stdin = { contents, resolveDir: process.cwd() };
    const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', plugins });
    return outputFiles[0]?.text ?? '';
  };
  const names = ['optimizer/sgd', 'layer/bias-activation'].map(
    (name, i) => `export { default as s${i} } from './shaders/${name}.wgsl';`,
  );
  const library = await bundle(names.join('\n'), [wgslEsbuild()]);
  expect(library).toContain('switch ACTIVATION');
  const text = await bundle(`${library.slice(0, library.lastIndexOf('export {'))}\nconsole.log(sgd_default);`, []);
  expect(text).toContain('velocity');
  expect(text).not.toContain('switch ACTIVATION');
});
