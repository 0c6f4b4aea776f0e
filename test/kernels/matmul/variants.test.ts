import { expect, test } from 'vitest';
import { type MatmulVariant, matmulPrograms, partsFor } from '../../../src/kernels/matmul/variants.js';
import { softwarePrograms } from '../../../src/kernels/software/quad.js';
import { type AdapterTraits, candidates, choose, type Dispatch } from '../../../src/plan/dispatch.js';
import { plainProblem } from '../../support/override-sets.js';

const limits = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBuffersPerShaderStage: 8,
};
const features = new Set<string>();
const nvidia: AdapterTraits = { software: false, vendor: 'nvidia', features, limits, parallelWidth: 64 };
const intel: AdapterTraits = { ...nvidia, vendor: 'intel', parallelWidth: 16 };
const unknown: AdapterTraits = { ...nvidia, vendor: '', parallelWidth: 8 };
const software: AdapterTraits = { ...unknown, software: true };
const quads: AdapterTraits = { ...software, features: new Set(['subgroups']) };
/** As small as WebGPU's compatibility mode. */
const modest: AdapterTraits = { ...unknown, limits: { ...limits, maxComputeInvocationsPerWorkgroup: 128 } };

function product(M: number, N: number, K: number): Dispatch {
  const programs = matmulPrograms({ M, N, K, ...plainProblem }, softwarePrograms);
  return { kernel: 'matmul', label: 'matmul', programs, uniforms: {}, buffers: {}, flops: 0 };
}

test.for<[string, AdapterTraits, [number, number, number], MatmulVariant, string]>([
  ['nvidia', nvidia, [4096, 4096, 4096], 'matmul-8x8-128x128', '1024 tiles'],
  ['nvidia', nvidia, [1024, 1024, 1024], 'matmul-8x8-128x64', '128 tiles, where 128 × 128 would be 64'],
  ['nvidia', nvidia, [785, 400, 128], 'matmul-4x4-32x32', '91 tiles of 64 × 64 are too few, and K too short to split'],
  ['nvidia', nvidia, [128, 400, 784], 'matmul-4x4-32x32-split', '52 tiles of the smallest are too few'],
  ['nvidia', nvidia, [8, 4096, 4096], 'matmul-gemv', 'eight rows'],
  ['nvidia', nvidia, [9, 4096, 4096], 'matmul-4x4-32x32', 'nine rows: 128 of the smallest tile, mostly empty'],
  ['intel', intel, [4096, 4096, 4096], 'matmul-4x4-64x64', 'no 8 × 8'],
  ['intel', intel, [1024, 65, 64], 'matmul-4x4-32x32', '64 × 64 would be half empty'],
  ['an unknown vendor', unknown, [512, 512, 512], 'matmul-4x4-64x64', 'no 8 × 8'],
  ['few invocations', modest, [512, 512, 512], 'matmul-4x4-32x32', '64 × 64 needs 256'],
  ['software without subgroups', software, [512, 512, 512], 'matmul-4x4-32x32', 'the one that every adapter can run'],
  ['software with subgroups', quads, [512, 512, 512], 'matmul-quad-8x8', 'quick to compile'],
  ['software without subgroups', software, [1, 400, 784], 'matmul-gemv-serial', 'one row, no barriers'],
  ['software with subgroups', quads, [1, 400, 784], 'matmul-gemv-serial', 'one row, no barriers'],
  ['software without subgroups', software, [8, 400, 784], 'matmul-4x4-32x32', 'the bits of larger batches'],
  ['software with subgroups', quads, [8, 400, 784], 'matmul-quad-8x8', 'the bits of larger batches'],
])('%s takes for %j %s: %s', ([, adapter, [M, N, K], variant]) => {
  expect(choose(product(M, N, K), adapter).variant).toBe(variant);
});

test.for<[string, AdapterTraits, [number, number, number], number, string]>([
  ['nvidia', nvidia, [32, 10, 784], 12, 'one workgroup; of 25 steps two for each part'],
  ['nvidia', nvidia, [32, 10, 100000], 128, 'as many as fill 64 cores twice'],
  ['nvidia', nvidia, [128, 256, 784], 4, '32 workgroups are for half of the cores'],
  ['nvidia', nvidia, [128, 257, 784], 1, '36 are for more than half'],
  ['nvidia', nvidia, [32, 10, 512], 8, 'K just long enough'],
  ['nvidia', nvidia, [32, 10, 511], 1, 'K too short'],
  ['nvidia', nvidia, [9, 10, 784], 12, 'nine rows'],
  ['nvidia', nvidia, [8, 10, 784], 1, 'eight rows are a gemv'],
  ['intel', intel, [33, 32, 784], 12, 'two workgroups; K ends before the cores do'],
  ['intel', intel, [96, 64, 784], 6, 'six workgroups: 36 fill 16 cores twice, and 30 would not'],
  ['an unknown vendor', unknown, [128, 33, 784], 1, 'eight workgroups, eight cores'],
  ['few invocations', modest, [32, 10, 784], 12, 'another tile computes the parts'],
  ['software', software, [32, 10, 784], 1, 'no workgroups to fill'],
])('%s, %j: parts of %j: %i, %s', ([, adapter, [M, N, K], parts]) => {
  expect(partsFor({ M, N, K }, adapter)).toBe(parts);
});

test.for<[[number, number, number], MatmulVariant | undefined, string]>([
  [[512, 512, 512], 'matmul-quad-32x16', 'whole tiles'],
  [[128, 400, 784], 'matmul-quad-32x16', '4 % beyond the edges'],
  [[400, 200, 128], 'matmul-quad-32x16', '20 % beyond the edges, but 14 % with the next smaller tile'],
  [[96, 96, 512], 'matmul-quad-16x16', 'a quarter beyond the edges'],
  [[32, 400, 784], 'matmul-quad-16x16', 'half of each tall tile would be'],
  [[1024, 10, 256], undefined, 'more than half of every larger tile would be'],
  [[128, 10, 200], undefined, 'too small to be worth it'],
])('from small quads, at %j, takes over: %s, %s', ([[M, N, K], variant]) => {
  const call = product(M, N, K);
  const { later } = choose(call, quads);
  expect(later?.variant).toBe(variant);
  // It is one of those that can be tried, by which the bench knows it.
  expect(candidates(call, quads).filter((program) => program === later)).toHaveLength(later === undefined ? 0 : 1);
});

test('the dW of layers of any width share their first program', () => {
  const dW = (M: number, N: number): Dispatch['programs'][number] => {
    const fours = { vec4B: N % 4 === 0, vec4C: N % 4 === 0 };
    const form = { ...plainProblem, ...fours, transposeA: true, onesRow: true };
    return choose(
      { ...product(1, 1, 1), programs: matmulPrograms({ M, N, K: 128, ...form }, softwarePrograms) },
      quads,
    );
  };
  const [wide, narrow] = [dW(401, 200), dW(201, 10)];
  expect([wide.variant, wide.overrides]).toEqual([narrow.variant, narrow.overrides]);
  expect([wide.later?.overrides.VEC4_C, narrow.later]).toEqual([true, undefined]);
});

test('a tuner may try everything that an adapter can run', () => {
  const order = (adapter: AdapterTraits, M: number): string[] =>
    candidates(product(M, 4096, 4096), adapter).map(({ variant }) => variant);
  expect(new Set(order(software, 8))).toEqual(new Set(order(nvidia, 8)));
  expect(order(nvidia, 8).length).toBe(8);
  expect(order(nvidia, 9)).not.toContain('matmul-gemv');
  const lacks = order(unknown, 8).filter((name) => !order(modest, 8).includes(name));
  expect(lacks).toEqual(['matmul-8x8-128x128', 'matmul-4x4-64x64', 'matmul-4x4-32x32-split']);
});

test('an adapter that can run none is told so', () => {
  const none = { ...product(1, 1, 1), programs: [] };
  expect(() => choose(none, software)).toThrow('matmul: this GPU can run none of its programs ().');
});
