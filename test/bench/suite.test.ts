import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { candidatesOf } from '../../bench/kernels/candidates.js';
import { SelectionError, select, suite } from '../../bench/suite.js';
import { type AdapterTraits, type Dispatch, type Program, program } from '../../src/plan/dispatch.js';
import type { Shader } from '../../src/plan/shader.js';

const names = suite.map(({ name }) => name);

describe('the suite', () => {
  test('has a name for each case', () => {
    expect(new Set(names).size).toBe(names.length);
  });

  test('measures the yardsticks before what is told as a share of them', () => {
    const last = suite.findLastIndex(({ yardstick }) => yardstick === true);
    expect(suite.slice(0, last + 1).every(({ group }) => group === 'adapter')).toBe(true);
  });

  const entry = readFileSync(new URL('../../src/kernels.ts', import.meta.url), 'utf8');
  // A module of which only types are exported has no kernel.
  const values = entry.replaceAll(/export type \{[^}]*\} from '[^']*';/g, '');
  const kernels = [...values.matchAll(/'\.\/kernels\/(?:[a-z]+\/)?([a-z-]+)\.js'/g)]
    .map(([, kernel = '']) => kernel)
    // The public `matmul` is in a file of its own.
    .map((kernel) => (kernel === 'any-adapter' ? 'matmul' : kernel));
  test('the kernels are found', () => expect(kernels).toContain('matmul'));
  test.each(kernels)('has a case for the kernel %s', (kernel) => {
    const cases = suite.filter(({ name, group }) => group === 'kernel' && name.startsWith(`${kernel} `));
    expect(cases.length).toBeGreaterThan(0);
  });

  test('has each form of the products, and the operations and bytes of each', () => {
    const found = suite.find(({ name }) => name === 'matmul TN 785×400×128 ones');
    expect(found).toMatchObject({
      flops: 2 * 785 * 400 * 128,
      bytes: 4 * (784 * 128 + 128 * 400 + 785 * 400),
      workload: { kind: 'matmul', form: 'TN', M: 784, N: 400, K: 128 },
    });
    for (const form of ['NN', 'NT', 'TN']) expect(names).toContain(`matmul ${form} 512×512×512`);
  });

  test('counts the operations and bytes of a step', () => {
    const step = suite.find(({ name }) => name === 'step 784-400-200-10 batch 128');
    // Worked out by hand for this net: 0.224 GFLOP and 11.2 MB.
    expect((step?.flops ?? 0) / 1e9).toBeCloseTo(0.224, 3);
    expect(Math.abs((step?.bytes ?? 0) / 11.2e6 - 1)).toBeLessThan(0.05);
  });
});

describe('--only', () => {
  const selected = (only: string, large = false): string[] => select(suite, only, large).map(({ name }) => name);

  test('takes a part of a name, with x for ×, in any case', () => {
    expect(selected('NT 512x512')).toEqual(['matmul NT 512×512×512']);
    expect(selected('fma')).toEqual(['adapter FMA peak']);
    expect(selected('fma,NT 512x512')).toEqual(['adapter FMA peak', 'matmul NT 512×512×512']);
  });

  test('nothing takes all that the adapter is up to', () => {
    expect(selected('', true)).toEqual(names);
    expect(selected('')).toEqual(suite.filter(({ large }) => large !== true).map(({ name }) => name));
  });

  test('an unknown name lists the known ones', () => {
    const failure = (): unknown => selected('nosuch');
    expect(failure).toThrow(SelectionError);
    expect(failure).toThrow('--only "nosuch" is in no case\'s name. The cases are:\n  adapter FMA peak\n');
    for (const name of names) expect(failure).toThrow(`\n  ${name}`);
  });

  test('a large case on a software adapter needs --full', () => {
    expect(selected('NN 4096x', true)).toEqual(['matmul NN 4096×4096×4096']);
    expect(() => selected('NN 4096x')).toThrow(/names matmul NN 4096×4096×4096: .* with --full only/);
  });
});

describe('candidates', () => {
  const shader = (name: string): Shader => ({ name, code: '', overrides: {}, uniforms: {}, buffers: {} });
  const call = (...programs: Dispatch['programs']): Dispatch => ({
    kernel: 'matmul',
    label: 'matmul',
    programs,
    uniforms: {},
    buffers: {},
    flops: 0,
  });
  const tiled = (overrides: Record<string, number | boolean>, options: Partial<Program> = {}): Program =>
    program(shader('matmul-tiled') as Shader & { overrides: Record<string, number> }, overrides, [1], options);
  const adapter: AdapterTraits = {
    software: true,
    vendor: '',
    features: new Set(),
    limits: {
      maxComputeInvocationsPerWorkgroup: 256,
      maxComputeWorkgroupStorageSize: 16384,
      maxStorageBuffersPerShaderStage: 8,
    },
    parallelWidth: 8,
  };
  const found = (...programs: Program[]) => candidatesOf(call(...programs), adapter);

  test('are named by variant, and namesakes by what tells them apart', () => {
    const quad = program(shader('matmul-quad'), {}, [1]);
    const [small, large] = [tiled({ TILE: 8, BIAS: true }), tiled({ TILE: 16, BIAS: true })];
    const names = found(quad, small, large).map(({ name }) => name);
    expect(names).toEqual(['matmul-quad', 'matmul-tiled TILE=8', 'matmul-tiled TILE=16']);
  });

  test('are those that the adapter can run, and one is the choice', () => {
    const impossible = program(shader('matmul-broadcast'), {}, [1], { suits: () => false });
    const unloved = tiled({}, { prefers: () => false });
    const quad = program(shader('matmul-quad'), {}, [1]);
    expect(found(impossible, unloved, quad).map(({ name, chosen }) => [name, chosen])).toEqual([
      ['matmul-quad', true],
      ['matmul-tiled', false],
    ]);
  });

  test('are measured for what they are, and the choice is what takes over', () => {
    const large = tiled({ TILE: 16 });
    const small = tiled({ TILE: 8 }, { later: large });
    const field = found(small, large);
    expect(field.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['matmul-tiled TILE=8', false],
      ['matmul-tiled TILE=16', true],
    ]);
    expect(field.map(({ call: { programs } }) => programs[0]?.later)).toEqual([undefined, undefined]);
  });
});
