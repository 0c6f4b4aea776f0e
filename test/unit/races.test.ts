import { expect, test, vi } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadShaders } from '../../shaders/plugin.ts';
import type { Shader } from '../../src/gpu/shader.js';

type Overrides = Readonly<Record<string, number | boolean>>;

interface Run {
  readonly overrides: Overrides;
  /** Words of each uniform, in the order of its fields. */
  readonly uniforms: Readonly<Record<string, readonly number[]>>;
  /** Elements of each buffer; 64 where none are given. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number];
}

// Its interpreter cannot add matrices and says so at each attempt; what they are loaded from and stored to it does follow.
for (const method of ['log', 'warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);

const step = [0, 3, 0, 0];
const product = (M: number, N: number, K: number): Record<string, number[]> => ({ dims: [M, N, K, 0, 0, 0] });

/** Small shapes that cross an edge, and the options that change who writes what. */
const runs: Record<string, readonly Run[]> = {
  'matmul-direct': [
    { overrides: {}, uniforms: product(3, 2, 5), workgroups: [1, 1] },
    { overrides: { TRANSPOSE_A: true, ONES_ROW: true, VEC4_A: true }, uniforms: product(17, 3, 2), workgroups: [1, 1] },
    { overrides: { BIAS: true, GATE: true }, uniforms: product(2, 17, 1), workgroups: [2, 1] },
  ],
  'matmul-tiled': [
    { overrides: { THREADS: 2, TILE_K: 4 }, uniforms: product(5, 7, 9), workgroups: [1, 1] },
    {
      overrides: { THREADS: 2, TILE_K: 2, TRANSPOSE_A: true, ONES_ROW: true },
      uniforms: product(8, 8, 3),
      workgroups: [1, 1],
    },
    {
      overrides: { THREADS: 2, TILE_K: 4, TRANSPOSE_B: true, BIAS: true },
      uniforms: product(3, 8, 8),
      workgroups: [1, 1],
    },
  ],
  'bias-activation': [
    { overrides: { BIAS: true, ACTIVATION: 1 }, uniforms: { dims: [3, 5, 0, 0] }, workgroups: [1, 1] },
    { overrides: { BACKWARD: true, ACTIVATION: 1 }, uniforms: { dims: [3, 5, 0, 0] }, workgroups: [1, 1] },
  ],
  'column-sum': [{ overrides: {}, uniforms: { dims: [4, 7] }, workgroups: [1, 1] }],
  'gather-rows': [
    { overrides: { BYTES: true }, uniforms: { dims: [5, 2], step }, workgroups: [1, 4] },
    { overrides: {}, uniforms: { dims: [9, 1], step }, workgroups: [1, 4] },
  ],
  sgd: [{ overrides: { CHECKED: true }, uniforms: { hyper: [50, 0, 0, 0], step }, workgroups: [1, 1] }],
  softmax: [
    { overrides: {}, uniforms: { dims: [5, 3] }, workgroups: [1, 1] },
    { overrides: { CLASSES: true }, uniforms: { dims: [5, 3] }, workgroups: [1, 1] },
  ],
  'softmax-cross-entropy': [
    { overrides: {}, uniforms: { dims: [4, 3], step }, workgroups: [1, 1] },
    { overrides: { PROBABILITIES: true }, uniforms: { dims: [4, 3], step }, workgroups: [1, 1] },
  ],
};

/** The detector does not know overrides: they become the constants that they are in a pipeline. */
function withConstants({ code, overrides }: Shader, chosen: Overrides): string {
  return Object.entries({ ...overrides, ...chosen }).reduce(
    (text, [name, value]) =>
      text.replace(new RegExp(`override ${name}: (\\w+) = [^;]+;`), `const ${name}: $1 = ${value};`),
    code,
  );
}

function races(shader: Shader, code: string, run: Run): { races: number; errors: readonly string[] } {
  const bindings: Record<string, unknown> = {};
  for (const [name, { binding, size }] of Object.entries(shader.uniforms)) {
    const words = new Uint32Array(size / 4);
    words.set(run.uniforms[name] ?? []);
    bindings[binding] = { uniform: words };
  }
  for (const [name, { binding, type }] of Object.entries(shader.buffers)) {
    const length = run.sizes?.[name] ?? 512;
    bindings[binding] =
      type.includes('u32') || type.includes('atomic') ? new Uint32Array(length) : new Float32Array(length);
  }
  const result = detectRaces(code, 'main', [...run.workgroups, 1], { 0: bindings });
  return { races: result.races.length, errors: result.errors };
}

for (const shader of loadShaders()) {
  const planned = runs[shader.name] ?? [];
  test(`${shader.name}: no two invocations race`, () => {
    expect(planned.length).toBeGreaterThan(0);
    for (const run of planned) {
      expect(races(shader, withConstants(shader, run.overrides), run), JSON.stringify(run.overrides)).toEqual({
        races: 0,
        errors: [],
      });
    }
  });

  const barriers = [...shader.code.matchAll(/^ *workgroupBarrier\(\);.*$/gm)];
  for (const [number, { index, 0: line }] of barriers.entries()) {
    test(`${shader.name}: without its barrier ${number + 1} there is a race, and it is found`, () => {
      const code = shader.code.slice(0, index) + shader.code.slice(index + line.length);
      const found = planned.map((run) => races(shader, withConstants({ ...shader, code }, run.overrides), run).races);
      expect(Math.max(...found)).toBeGreaterThan(0);
    });
  }
}

test('two invocations that write one element are found', () => {
  const shader = loadShaders().find(({ name }) => name === 'column-sum');
  if (shader === undefined) throw new Error('column-sum is not there.');
  const code = shader.code.replace('sums[column] = sum;', 'sums[0] = sum;');
  expect(races(shader, code, { overrides: {}, uniforms: { dims: [4, 7] }, workgroups: [1, 1] }).races).toBeGreaterThan(
    0,
  );
});
