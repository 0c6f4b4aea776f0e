import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Tuning, TuningStorage } from '../../src/gpu/tuning-cache.js';
import { Gpu } from '../../src/index.js';
import { matmul } from '../../src/kernels.js';
import { PlanBuilder } from '../../src/plan/builder.js';
import type { Dispatch, Program } from '../../src/plan/dispatch.js';
import { patient } from '../support/patience.js';

// `auto` has one second for a plan. A slower clock gives it as much work on a busy machine as a quiet one does in a second.
beforeEach(() => {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() / patient(1));
});
afterEach(() => vi.restoreAllMocks());

/** A product and how it may be run, the order being that of the rules. */
function product(builder: PlanBuilder, order: (slow: Program, fast: Program) => Program[]): Dispatch {
  const [A, B, C] = [builder.state('A', [64, 64]), builder.state('B', [64, 64]), builder.state('C', [64, 64])];
  const dispatch = matmul(A, B, C);
  const [program] = dispatch.programs;
  if (program === undefined) throw new Error('matmul has no program.');
  const [x, y, z] = program.workgroups;
  // Thirty times the workgroups, all but the first part of them beyond the edge: the same result for thirty times the work.
  const slow = { ...program, variant: 'slow', workgroups: [x, 30 * y, z] } as const;
  return { ...dispatch, programs: order(slow, { ...program, variant: 'fast' }) };
}

const slowFirst = (slow: Program, fast: Program): Program[] => [slow, fast];
const fastFirst = (slow: Program, fast: Program): Program[] => [fast, slow];

/** The variant that a plan takes. */
async function chosen(gpu: Gpu, order: typeof slowFirst): Promise<string | undefined> {
  const builder = new PlanBuilder();
  builder.add(product(builder, order));
  const plan = await builder.compile(gpu, 'test');
  const [planned] = plan.dispatches;
  plan.dispose();
  return planned?.variant;
}

/** A storage as a page has it, and what is in it. */
function memory(): TuningStorage & { readonly entries: Map<string, string> } {
  const entries = new Map<string, string>();
  return {
    entries,
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => {
      entries.set(key, value);
    },
  };
}

test('without tuning the first program is taken', async () => {
  using gpu = await Gpu.request();
  expect(await chosen(gpu, slowFirst)).toBe('slow');
});

test.for<Tuning>(['auto', 'full'])('%s tuning takes the fastest, and keeps the first where it is', async (tuning) => {
  for (const order of [slowFirst, fastFirst]) {
    using gpu = await Gpu.request({ tuning });
    expect(await chosen(gpu, order)).toBe('fast');
  }
});

test('a choice is remembered for the adapter and the shape, and gives its memory back', async () => {
  const storage = memory();
  using gpu = await Gpu.request({ tuning: 'auto', tuningStorage: storage });
  const before = gpu.memory.usedBytes;
  await chosen(gpu, slowFirst);
  expect(gpu.memory.usedBytes).toBe(before);
  const [[key = '', variant] = []] = [...storage.entries];
  expect(key).toContain(gpu.info.architecture);
  expect(key).toContain('matmul NN 64×64×64');
  expect(variant).toBe('fast');

  // What was measured once is believed, whatever the clock would say now.
  storage.entries.set(key, 'slow');
  expect(await chosen(gpu, slowFirst)).toBe('fast');
  using next = await Gpu.request({ tuning: 'auto', tuningStorage: storage });
  expect(await chosen(next, slowFirst)).toBe('slow');
});

test('what a storage cannot keep, or what it names is not there: measured again', async () => {
  const storage = {
    getItem: () => 'gone',
    setItem: () => {
      throw new DOMException('full', 'QuotaExceededError');
    },
  };
  using gpu = await Gpu.request({ tuning: 'auto', tuningStorage: storage });
  expect(await chosen(gpu, slowFirst)).toBe('fast');
});

test('in a plan that is replayed often, what is worth compiling takes over', async () => {
  using gpu = await Gpu.request();
  const variants = async (size: number): Promise<() => string | undefined> => {
    const builder = new PlanBuilder();
    const [A, B, C] = ['A', 'B', 'C'].map((label) => builder.state(label, [size, size]));
    if (A === undefined || B === undefined || C === undefined) throw new Error('three tensors were made');
    builder.add(matmul(A, B, C));
    const plan = await builder.compile(gpu, 'test');
    return () => {
      plan.run('test');
      return plan.dispatches[0]?.variant;
    };
  };
  const [small, large] = [await variants(32), await variants(256)];
  expect([small(), large()]).toEqual(['matmul-quad-8x8', 'matmul-quad-8x8']);
  await expect.poll(large, { interval: 1, timeout: patient(20_000) }).toBe('matmul-quad-32x16');
  expect(small()).toBe('matmul-quad-8x8');
});

test('a device that is lost stops tuning', async () => {
  using gpu = await Gpu.request({ tuning: 'full' });
  const choosing = chosen(gpu, slowFirst);
  gpu.device.destroy();
  await expect(choosing).rejects.toThrow('The GPU device was lost');
});
