import { expect, test, vi } from 'vitest';
import { CallExpr, detectRaces, MemoryTracker } from 'wgsl_reflect/wgsl_reflect.module.js';
import { loadShaders } from '../../shaders/plugin.ts';
import type { Shader } from '../../src/plan/shader.js';

type Overrides = Readonly<Record<string, number | boolean>>;

interface Run {
  readonly overrides: Overrides;
  /** Words of each uniform, in the order of its fields. */
  readonly uniforms: Readonly<Record<string, readonly number[]>>;
  readonly workgroups: readonly [number, number, number?];
}

// Its interpreter cannot add matrices and says so at each attempt; what they are loaded from and stored to it does follow.
for (const method of ['log', 'warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);

/** Of each buffer: more than any of these runs reads or writes. */
const ELEMENTS = 2048;
const step = [0, 3, 0, 0];
const product = (M: number, N: number, K: number, keepOffset = 0): Record<string, number[]> => ({
  dims: [M, N, K, 0, 0, keepOffset],
});

const small = { THREADS_X: 2, THREADS_Y: 2, TILE_K: 8 };

/** 2-3-4-2 in batches of 3. */
const sizes = { SIZE_0: 2, SIZE_1: 3, SIZE_2: 4, SIZE_3: 2, LAYERS: 3 };
const tiny = { THREADS: 4, BATCH: 3, VALUES: 42, GRADIENTS: 33, ACTIVATION: 1, ...sizes };

const backward = { BACKWARD: true, BELOW: true };

/** Updates: of one workgroup, of several, and adjusted. @param own numbers of `hyper` behind those that all have */
const updates = (own: number, overrides: Overrides): Run[] => {
  const hyper = (count: number): Record<string, number[]> => ({
    hyper: [count, 0, 0, 0, ...new Array<number>(own).fill(0)],
    step,
  });
  return [
    { overrides: { ...overrides, CHECKED: true }, uniforms: hyper(50), workgroups: [1, 1] },
    { overrides: { ...overrides, CHECKED: true }, uniforms: hyper(135), workgroups: [2, 2] },
    {
      overrides: { ...overrides, CLIP_NORM: true, PENALTIES: true, DECAY_WEIGHTS: true },
      uniforms: hyper(50),
      workgroups: [1, 1],
    },
    { overrides: { ...overrides, CLIP_VALUE: true }, uniforms: hyper(50), workgroups: [1, 1] },
    { overrides: { ...overrides, WHOLE: true }, uniforms: hyper(52), workgroups: [1, 1] },
  ];
};
/** Two workgroups of two sums, each in four slices. */
const sliced = { SUMS: 2, SLICES: 4 };

/** Small shapes that cross an edge, and the options that change who writes what; with one workgroup and with several. */
const runs: Record<string, readonly Run[]> = {
  add: [
    { overrides: { KEEP: true, ACTIVATION: 1 }, uniforms: { dims: [15, 0] }, workgroups: [1, 1] },
    { overrides: { ACTIVATION_GRADIENT: true, ACTIVATION: 1 }, uniforms: { dims: [530, 0] }, workgroups: [2, 2] },
  ],
  'batch-norm': [
    { overrides: { UPDATE: true }, uniforms: { dims: [4, 65, 0, 0], step }, workgroups: [2, 1] },
    {
      overrides: { ...sliced, UPDATE: true },
      uniforms: { dims: [7, 3, 0, 0], step: [0, 6, 0, 0] },
      workgroups: [2, 1],
    },
    { overrides: { ...sliced, RUNNING: true }, uniforms: { dims: [7, 3, 0, 0], step }, workgroups: [2, 1] },
  ],
  'batch-norm-backward': [
    {
      overrides: { ACTIVATION_GRADIENT: true, ACTIVATION: 1 },
      uniforms: { dims: [4, 65, 0, 0], step },
      workgroups: [2, 1],
    },
    { overrides: sliced, uniforms: { dims: [7, 3, 0, 0], step: [0, 6, 0, 0] }, workgroups: [2, 1] },
    { overrides: { ...sliced, RUNNING: true }, uniforms: { dims: [7, 3, 0, 0], step }, workgroups: [2, 1] },
  ],
  'layer-norm': [
    { overrides: {}, uniforms: { dims: [65, 4, 0] }, workgroups: [2, 1] },
    { overrides: sliced, uniforms: { dims: [3, 7, 0] }, workgroups: [2, 1] },
  ],
  'layer-norm-backward': [
    { overrides: { ACTIVATION_GRADIENT: true, ACTIVATION: 1 }, uniforms: { dims: [65, 4, 0] }, workgroups: [2, 1] },
    { overrides: sliced, uniforms: { dims: [3, 7, 0] }, workgroups: [2, 1] },
  ],
  'layer-norm-parameters': [
    { overrides: {}, uniforms: { dims: [4, 65] }, workgroups: [2, 1] },
    { overrides: sliced, uniforms: { dims: [7, 3] }, workgroups: [2, 1] },
  ],
  dropout: [
    { overrides: {}, uniforms: { dims: [15, 0, 9], step }, workgroups: [1, 1] },
    {
      overrides: { ACTIVATION_GRADIENT: true, ACTIVATION: 1 },
      uniforms: { dims: [530, 0, 9], step },
      workgroups: [2, 2],
    },
  ],
  'matmul-quad': [
    { overrides: {}, uniforms: product(3, 2, 5), workgroups: [1, 1] },
    { overrides: { TRANSPOSE_A: true, ONES_ROW: true }, uniforms: product(17, 18, 2), workgroups: [2, 1] },
    { overrides: { BIAS: true, KEEP: true }, uniforms: product(17, 18, 1, 17 * 18), workgroups: [2, 2] },
    { overrides: { LARGE: true, ACTIVATION_GRADIENT: true }, uniforms: product(33, 3, 1), workgroups: [1, 2] },
    { overrides: { LARGE: true, TALL: true }, uniforms: product(50, 3, 8), workgroups: [1, 1] },
  ],
  'weight-update': [
    {
      overrides: { TRANSPOSE_A: true, ONES_ROW: true, MOMENTUM: true },
      uniforms: { ...product(17, 18, 2), hyper: [0, 0, 0, 0], step },
      workgroups: [2, 1],
    },
    {
      overrides: { TRANSPOSE_A: true, VEC4_C: true, LARGE: true, CHECKED: true, MOMENTUM: true },
      uniforms: { ...product(33, 4, 1), hyper: [0, 0, 0, 0], step },
      workgroups: [1, 2],
    },
  ],
  'matmul-gemv': [
    { overrides: { COLUMNS: 2, SLICES: 4, VEC4_C: true }, uniforms: product(1, 8, 17), workgroups: [1, 1] },
    {
      overrides: { COLUMNS: 2, SLICES: 8, ROWS: 8, TRANSPOSE_B: true, BIAS: true },
      uniforms: product(7, 17, 5),
      workgroups: [3, 1],
    },
    { overrides: { COLUMNS: 2, SLICES: 4, ROWS: 4, KEEP: true }, uniforms: product(3, 7, 4, 21), workgroups: [1, 1] },
    { overrides: { COLUMNS: 2, SLICES: 1, ROWS: 4, ONES_ROW: true }, uniforms: product(3, 10, 4), workgroups: [2, 1] },
  ],
  'matmul-tiled': [
    { overrides: { ...small, VEC4_C: true }, uniforms: product(5, 8, 9), workgroups: [1, 1] },
    { overrides: { ...small, TRANSPOSE_A: true, ONES_ROW: true }, uniforms: product(8, 8, 3), workgroups: [1, 1] },
    { overrides: { ...small, TRANSPOSE_B: true, BIAS: true }, uniforms: product(3, 8, 8), workgroups: [1, 1] },
    { overrides: { ...small, BIAS: true, KEEP: true }, uniforms: product(9, 10, 1, 90), workgroups: [2, 2] },
    { overrides: { ...small, THREADS_X: 1, SLICES: 4 }, uniforms: product(8, 4, 33), workgroups: [1, 1] },
    {
      overrides: { ...small, THREADS_X: 1, PER_THREAD: 8, SLICES: 2 },
      uniforms: product(16, 7, 17),
      workgroups: [1, 1],
    },
    {
      overrides: { ...small, THREADS_X: 1, BANDS: true },
      uniforms: product(9, 7, 17),
      workgroups: [2, 2],
    },
    { overrides: { ...small, PARTS: 2 }, uniforms: product(5, 8, 33), workgroups: [1, 1, 2] },
  ],
  'matmul-parts': [
    { overrides: { VEC4_B: true, VEC4_C: true }, uniforms: product(3, 8, 3), workgroups: [1, 1] },
    { overrides: { BIAS: true, KEEP: true }, uniforms: product(27, 17, 2, 459), workgroups: [2, 2] },
    { overrides: { ACTIVATION_GRADIENT: true }, uniforms: product(13, 21, 1), workgroups: [2, 1] },
  ],
  'bias-activation': [
    { overrides: { BIAS: true, ACTIVATION: 1 }, uniforms: { dims: [3, 5, 0, 0] }, workgroups: [1, 1] },
    { overrides: { BACKWARD: true, ACTIVATION: 1 }, uniforms: { dims: [27, 5, 0, 0] }, workgroups: [2, 2] },
  ],
  'column-statistics': [
    { overrides: { BYTES: true }, uniforms: { dims: [5, 7, 2, 3] }, workgroups: [1, 2] },
    { overrides: {}, uniforms: { dims: [3, 70, 3, 1] }, workgroups: [2, 3] },
  ],
  'column-sum': [
    { overrides: {}, uniforms: { dims: [4, 7, 0] }, workgroups: [1, 1] },
    { overrides: {}, uniforms: { dims: [2, 70, 3] }, workgroups: [2, 1] },
  ],
  'dense-head': [
    {
      overrides: { ...backward, GROUPS: 2, BLOCKS: 2 },
      uniforms: { dims: [9, 5, 3, 0], step },
      workgroups: [2, 1],
    },
    {
      overrides: { ...backward, GROUPS: 1, CHUNKS: 2, SLICES: 4, BLOCKS: 1, PROBABILITIES: true, BIAS: true },
      uniforms: { dims: [7, 5, 6, 0], step },
      workgroups: [2, 1],
    },
  ],
  extremes: [
    { overrides: {}, uniforms: { dims: [28, 7], step }, workgroups: [1, 1] },
    { overrides: { BATCH: true }, uniforms: { dims: [280, 70], step }, workgroups: [2, 1] },
  ],
  'gather-rows': [
    { overrides: { BYTES: true }, uniforms: { dims: [5, 2], step }, workgroups: [1, 4] },
    { overrides: {}, uniforms: { dims: [9, 1], step }, workgroups: [1, 4] },
    { overrides: {}, uniforms: { dims: [260, 1], step }, workgroups: [2, 2] },
  ],
  adagrad: updates(4, {}),
  adam: updates(5, { DECOUPLED: true }),
  rmsprop: updates(5, { CENTERED: true, MOMENTUM: true }),
  'running-average': [
    { overrides: { ROWS: true }, uniforms: { hyper: [15, 0], step }, workgroups: [1, 1] },
    { overrides: { SHARED: true }, uniforms: { hyper: [530, 0], step }, workgroups: [2, 2] },
  ],
  'batch-share': [
    { overrides: { CLASS_WEIGHTS: true }, uniforms: { dims: [2, 3], step: [0, 70, 1, 0] }, workgroups: [1, 1] },
    { overrides: {}, uniforms: { dims: [1, 3], step }, workgroups: [1, 1] },
  ],
  'gradient-norm': [
    { overrides: { MASKED: true }, uniforms: { hyper: [700, 0, 0, 0, 128] }, workgroups: [2, 1] },
    { overrides: { PENALTIES: true }, uniforms: { hyper: [255, 0, 0, 0, 64] }, workgroups: [1, 1] },
    { overrides: { FINISH: true }, uniforms: { hyper: [0, 0, 0, 0, 192] }, workgroups: [1, 1] },
    { overrides: { NORM: true, MASKED: true }, uniforms: { hyper: [700, 0, 0, 0, 128] }, workgroups: [2, 1] },
  ],
  'learned-activation': [
    { overrides: { SHARED: true }, uniforms: { dims: [27, 5, 3, 0] }, workgroups: [2, 2] },
    { overrides: { BACKWARD: true, SWISH: true }, uniforms: { dims: [3, 130, 0, 5] }, workgroups: [2, 2] },
  ],
  maxout: [
    { overrides: {}, uniforms: { dims: [130, 3] }, workgroups: [2, 2] },
    { overrides: { BACKWARD: true }, uniforms: { dims: [130, 3] }, workgroups: [2, 2] },
  ],
  histogram: [
    { overrides: {}, uniforms: { dims: [28, 7, 3, 0, 0], step }, workgroups: [1, 1] },
    { overrides: { BATCH: true }, uniforms: { dims: [280, 70, 3, 0, 0], step }, workgroups: [2, 1] },
  ],
  sgd: [...updates(3, { MOMENTUM: true }), ...updates(3, {})],
  'shift-parameters': [
    { overrides: {}, uniforms: { dims: [5], step }, workgroups: [1, 1] },
    { overrides: {}, uniforms: { dims: [130], step }, workgroups: [2, 2] },
  ],
  softmax: [
    { overrides: {}, uniforms: { dims: [5, 3] }, workgroups: [1, 1] },
    { overrides: { CLASSES: true }, uniforms: { dims: [66, 2] }, workgroups: [2, 1] },
  ],
  'softmax-cross-entropy': [
    { overrides: {}, uniforms: { dims: [66, 2, 1], step: [0, 65, 0, 0] }, workgroups: [2, 1] },
    { overrides: { PROBABILITIES: true }, uniforms: { dims: [4, 3, 3], step }, workgroups: [1, 1] },
    {
      // Each invocation adds up the divisors of all rows: three of them are enough.
      overrides: { SAMPLE_WEIGHTS: true, CLASS_WEIGHTS: true, GATHERED: true, TOTALS: 3, PAIRS: true },
      uniforms: { dims: [66, 2, 2], step },
      workgroups: [2, 1],
    },
  ],
  'elementwise-loss': [
    { overrides: { PAIRS: true, LONG: true }, uniforms: { dims: [66, 2, 2], step: [0, 65, 0, 0] }, workgroups: [2, 1] },
    {
      overrides: { LOSS: 3, SAMPLE_WEIGHTS: true, GATHERED: true },
      uniforms: { dims: [4, 3, 4], step },
      workgroups: [1, 1],
    },
  ],
  'class-counts': [
    { overrides: {}, uniforms: { dims: [3, 1], step: [0, 65, 0, 0] }, workgroups: [2, 1] },
    {
      overrides: { TOP_K: 2, PROBABILITIES: true },
      uniforms: { dims: [3, 3], step: [0, 65, 0, 0] },
      workgroups: [2, 1],
    },
  ],
  'score-counts': [
    { overrides: {}, uniforms: { dims: [3, 1, 8], step: [0, 65, 0, 0] }, workgroups: [2, 1] },
    {
      overrides: { LOGISTIC: true, PROBABILITIES: true },
      uniforms: { dims: [3, 3, 8], step: [0, 65, 0, 0] },
      workgroups: [2, 1],
    },
  ],
  transpose: [
    { overrides: {}, uniforms: { dims: [3, 5] }, workgroups: [1, 1] },
    { overrides: {}, uniforms: { dims: [33, 34] }, workgroups: [2, 2] },
  ],
  'value-sums': [
    { overrides: {}, uniforms: { dims: [2, 2, 64], step: [0, 70, 0, 0] }, workgroups: [1, 2] },
    { overrides: { GATHERED: true }, uniforms: { dims: [2, 3, 3], step }, workgroups: [1, 2] },
  ],
  'train-tiny': [
    {
      overrides: { ...tiny, MOMENTUM: true, PAIRS: true },
      uniforms: { hyper: [0, 0, 0], step: [0, 5, 0, 0] },
      workgroups: [1, 1],
    },
    { overrides: { ...tiny, LOSS: false, UPDATE: false }, uniforms: { step: [0, 8, 0, 0] }, workgroups: [2, 1] },
  ],
};

/**
 * The detector does not know overrides: they become the constants that they are in a pipeline. Nor does it know subgroups:
 * a workgroup of four is a quad here, and swaps hand back what they were given, which changes no address.
 */
function withConstants({ code, overrides }: Shader, chosen: Overrides): string {
  const constants = Object.entries({ ...overrides, ...chosen }).reduce(
    (text, [name, value]) =>
      text.replace(new RegExp(`override ${name}: (\\w+) = [^;]+;`), `const ${name}: $1 = ${value};`),
    code
      .replace('enable subgroups;', '')
      .replace('subgroup_invocation_id', 'local_invocation_index')
      .replaceAll(/quadSwap[XY]/g, ''),
  );
  expect(constants).not.toMatch(/^override /m);
  return constants;
}

/** Who touched a word of a storage buffer: each workgroup has a tracker of its own. */
interface Visits {
  readonly workgroups: Set<MemoryTracker>;
  plainRead: boolean;
  plainWrite: boolean;
  atomic: boolean;
}

// The detector compares the invocations of one workgroup only. What the others touch is noted here as well.
let visits = new Map<string, Visits>();
const record = MemoryTracker.prototype.record;
MemoryTracker.prototype.record = function (buffer, offset, size, kind, atomic): void {
  for (let byte = offset; byte < offset + size; byte += 4) {
    const key = `${buffer}[${byte / 4}]`;
    const visit = visits.get(key) ?? { workgroups: new Set(), plainRead: false, plainWrite: false, atomic: false };
    visit.workgroups.add(this);
    if (atomic) visit.atomic = true;
    else if (kind === 'write') visit.plainWrite = true;
    else visit.plainRead = true;
    visits.set(key, visit);
  }
  record.call(this, buffer, offset, size, kind, atomic);
};

// The detector steps all invocations by turns, and keeps what a function has returned in its call: one value for them all,
// where each needs its own.
let invocation = 0;
Object.defineProperty(MemoryTracker.prototype, 'currentInvocation', {
  get: () => invocation,
  set: (index: number) => {
    invocation = index;
  },
});
const returned = new WeakMap<CallExpr, Map<number, unknown>>();
Object.defineProperty(CallExpr.prototype, 'cachedReturnValue', {
  get(this: CallExpr) {
    return returned.get(this)?.get(invocation) ?? null;
  },
  set(this: CallExpr, value: unknown) {
    const values = returned.get(this) ?? new Map<number, unknown>();
    returned.set(this, values.set(invocation, value));
  },
});
test('each invocation has its own value of a function', () => {
  const C = new Float32Array(4);
  const code = `@group(0) @binding(0) var<storage, read_write> C: array<f32>;
    fn twice(x: u32) -> u32 { return 2 * x; }
    @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) thread: u32) { C[thread] = f32(twice(thread)); }`;
  expect(detectRaces(code, 'main', [1, 1, 1], { 0: { 0: C } })).toEqual({ races: [], errors: [] });
  expect([...C]).toEqual([0, 2, 4, 6]);
});

/** Words of storage that two workgroups touch and one of them writes. */
function racesOfWorkgroups({ buffers }: Shader): number {
  const shared = [...visits].filter(([key, { workgroups }]) => {
    return workgroups.size > 1 && buffers[key.slice(0, key.indexOf('['))] !== undefined;
  });
  return shared.filter(([, { plainRead, plainWrite, atomic }]) => plainWrite || (plainRead && atomic)).length;
}

function races(shader: Shader, code: string, run: Run): { races: number; errors: readonly string[] } {
  const bindings: Record<string, unknown> = {};
  for (const [name, { binding, size }] of Object.entries(shader.uniforms)) {
    const words = new Uint32Array(size / 4);
    words.set(run.uniforms[name] ?? []);
    bindings[binding] = { uniform: words };
  }
  for (const { binding, type } of Object.values(shader.buffers)) {
    bindings[binding] = type?.includes('u32') ? new Uint32Array(ELEMENTS) : new Float32Array(ELEMENTS);
  }
  visits = new Map();
  const [x, y, z = 1] = run.workgroups;
  const result = detectRaces(code, 'main', [x, y, z], { 0: bindings });
  // The interpreter has one copy of a private variable for all invocations; those that ours write hold no indices.
  const shared = result.races.filter(({ bufferId }) => !code.includes(`var<private> ${bufferId} `));
  return { races: shared.length + racesOfWorkgroups(shader), errors: result.errors };
}

const shaders = loadShaders();
for (const shader of shaders) {
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

/** Mistakes that are not about barriers, within a workgroup and between two: no test says more than what it would notice. */
test.each([
  ['column-sum', 'let column = global.x;', 'let column = global.x / 2;'],
  ['column-sum', 'let column = global.x;', 'let column = global.x % 64;'],
  [
    'matmul-quad',
    'let lane = vec2u(subgroup_lane & 1, (subgroup_lane >> 1) & 1);',
    'let lane = vec2u(subgroup_lane & 1, 0);',
  ],
  ['matmul-quad', 'let first = (2 * group + lane) * tile;', 'let first = lane * tile;'],
  ['matmul-quad', 'column = 4 * (lane.x + 2 * lane.y);', 'column = 4 * lane.x;'],
  ['weight-update', 'let first = (2 * group + lane) * tile;', 'let first = 2 * group * tile;'],
  ['weight-update', 'let at = m * dims.N + four(n, dims.N, !VEC4_C);', 'let at = four(n, dims.N, !VEC4_C);'],
  ['matmul-gemv', 'let n = (group.x * COLUMNS + column) * 4;', 'let n = group.x * COLUMNS * 4;'],
  ['matmul-gemv', 'let n = (group.x * COLUMNS + column) * 4;', 'let n = column * 4;'],
  ['matmul-gemv', 'let other = thread + half *', 'let other = thread + half / 2 *'],
  ['matmul-tiled', 'let m0 = tile.y * 4 * rows4;', 'let m0 = 0u;'],
  ['matmul-tiled', 'let n0 = tile.x * 4 * columns4;', 'let n0 = 0u;'],
  ['matmul-tiled', 'if (local.z > 0) { return; }', ''],
  ['matmul-tiled', 'if (local.z / half == 1) {', 'if (local.z / half >= 1) {'],
  ['matmul-tiled', 'put_four(start + TILE_K * rows4 + 8, at', 'put_four(start, at'],
  ['matmul-tiled', 'number / height, top + number % height', 'number / height, top + number / height'],
  ['matmul-tiled', 'store_four(group.z * dims.M + m,', 'store_four(m,'],
  ['matmul-parts', '+ global.x;', '+ global.x / 2;'],
  ['matmul-parts', '+ global.x;', '+ global.x % 64;'],
  ['matmul-parts', 'let m = number / fours;', 'let m = number / fours / 2;'],
  ['matmul-parts', 'let n = number % fours * 4;', 'let n = 0u;'],
  ['bias-activation', '+ global.x;', '+ global.x / 2;'],
  ['bias-activation', '+ global.x;', '+ global.x % 64;'],
  ['learned-activation', '+ global.x;', '+ global.x / 2;'],
  ['learned-activation', '+ global.x;', '+ global.x % 64;'],
  ['learned-activation', 'dp[dims.dp_offset + column]', 'dp[dims.dp_offset]'],
  ['maxout', '+ global.x;', '+ global.x / 2;'],
  ['maxout', 'let first = i * dims.pieces;', 'let first = i;'],
  ['gather-rows', 'let column = global.x * 4;', 'let column = global.x / 2 * 4;'],
  ['gather-rows', 'let b = global.y;', 'let b = global.y / 2;'],
  ['dense-head', '(group.x * BLOCKS + local.y) * 4', 'group.x * BLOCKS * 4'],
  ['dense-head', '(group.x * BLOCKS + local.y) * 4', 'local.y * 4'],
  ['dense-head', 'row = first + local.x; row', 'row = first; row'],
  ['dense-head', 'store(row * dims.inputs + d,', 'store(row * dims.inputs + d / 2,'],
  ['add', '+ global.x);', '+ global.x / 2);'],
  ['dropout', '+ global.x;', '+ global.x % 64;'],
  ['batch-norm', 'group.x * SUMS + local.x', 'local.x'],
  ['batch-norm', 'wanted == column && local.y == 0', 'wanted == column'],
  ['batch-norm-backward', 'if (local.y == 0) {', 'if (local.y <= 1) {'],
  ['batch-norm-backward', 'if (wanted != column) { return; }', ''],
  ['layer-norm', 'if (local.x == 0) {', 'if (local.x <= 1) {'],
  ['layer-norm-backward', 'if (wanted != row) { return; }', ''],
  ['layer-norm-parameters', 'wanted == column && local.y == 0', 'local.y == 0'],
  ['sgd', '+ global.x;', '+ global.x / 2;'],
  ['sgd', '+ global.x;', '+ global.x % 64;'],
  ['adagrad', '+ global.x;', '+ global.x / 2;'],
  ['adam', '+ global.x;', '+ global.x / 2;'],
  ['rmsprop', '+ global.x;', '+ global.x / 2;'],
  ['running-average', '+ global.x);', '+ global.x / 2);'],
  ['batch-share', 'parts[thread] = part;', 'parts[thread / 2] = part;'],
  ['batch-share', 'if (thread > 0) { return; }', ''],
  ['gradient-norm', 'sums[global.x] =', 'sums[global.x % 64] ='],
  ['gradient-norm', 'parts[thread] = part;', 'parts[thread / 2] = part;'],
  ['softmax', 'let row = global.x;', 'let row = global.x / 2;'],
  ['softmax', 'let row = global.x;', 'let row = global.x % 64;'],
  ['softmax-cross-entropy', 'let row = global.x;', 'let row = global.x / 2;'],
  ['softmax-cross-entropy', 'let row = global.x;', 'let row = global.x % 64;'],
  ['train-tiny', 'i = thread; i < units * BATCH;', 'i = thread / 2; i < units * BATCH;'],
  ['train-tiny', 'row = thread; row < BATCH;', 'row = thread / 2; row < BATCH;'],
  ['train-tiny', 'i = thread; i < (inputs - 1) * BATCH;', 'i = thread / 2; i < (inputs - 1) * BATCH;'],
  ['train-tiny', 'update(w + i,', 'update(w + i / 2,'],
  ['train-tiny', 'results[done * outputs + i]', 'results[i]'],
  ['transpose', 'let top = number / across * 32;', 'let top = 0u;'],
  ['transpose', 'let left = number % across * 32;', 'let left = 0u;'],
])('%s: a race is found if %s reads %s', (name, line, mistake) => {
  const shader = shaders.find((candidate) => candidate.name === name);
  if (shader === undefined) throw new Error(`${name} is not there.`);
  expect(shader.code).toContain(line);
  const code = shader.code.replace(line, mistake);
  const found = (runs[name] ?? []).map(
    (run) => races(shader, withConstants({ ...shader, code }, run.overrides), run).races,
  );
  expect(Math.max(...found)).toBeGreaterThan(0);
});
