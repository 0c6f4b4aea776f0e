import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DisposedError, dense, Mlp, MlpError } from '../../src/index.js';
import { defineShader, dispatch, Gpu, matmul, program, ShapeError, Tensor } from '../../src/kernels.js';
import { PlanBuilder } from '../../src/plan/builder.js';
import { failingAllocation, nullAdapter, nullGpu } from '../support/null-gpu.js';

let gpu: Gpu;
beforeEach(async () => {
  gpu = await nullGpu();
});
afterEach(() => gpu.destroy());

/** The largest storage buffer of the null backend, which has room for less than four of them. */
const LARGE = 2 ** 27;

const allocate = (count: number): Tensor[] =>
  Array.from({ length: count }, (_, i) => Tensor.empty(gpu, [LARGE / 4], `large ${i}`));

/** The error that the next call throws, once the device has told of it. */
async function unreported(): Promise<MlpError> {
  const error = await vi.waitUntil(() => {
    try {
      gpu.check();
      return undefined;
    } catch (cause) {
      return cause;
    }
  });
  if (!(error instanceof MlpError)) throw new Error(`check threw ${String(error)}.`);
  return error;
}

/** Whatever reaches the device's own event, as what nobody guards does. */
function uncaptured(): string[] {
  const events: string[] = [];
  gpu.device.addEventListener('uncapturederror', ({ error }) => events.push(error.message));
  return events;
}

/** Turns of the event loop in which a late error would arrive: a read has been there and back. */
async function settled(): Promise<void> {
  const tensor = Tensor.empty(gpu, [4]);
  await tensor.read();
  tensor.dispose();
  await gpu.idle();
}

test('running out of memory where nobody guards makes one call throw; then the Gpu works on', async () => {
  const tensors = allocate(5);
  const error = await unreported();
  expect(error.code).toBe('out-of-memory');
  expect(error.message).toMatch(
    /^The GPU is out of memory; \d+ bytes are in use here\. Use a smaller batch, or dispose of something\. Out of memory/,
  );
  gpu.check();
  for (const tensor of tensors) tensor.dispose();
  expect(gpu.memory).toEqual({ allocatedBytes: 0, usedBytes: 0, pooledBytes: 0, buffers: 0 });
  const tensor = Tensor.from(gpu, [1, 2, 3, 4], [4]);
  expect((await tensor.read()).length).toBe(4);
  await settled();
  gpu.check();
});

test('each call that can throw throws it, and once', async () => {
  const calls: [string, () => unknown][] = [
    ['run', () => gpu.run([])],
    ['allocate', () => Tensor.empty(gpu, [1])],
    ['read', () => gpu.read({ size: 4, label: '' }, 0, 4)],
    ['guard', () => gpu.guard('test', () => 1)],
    ['guarded', () => gpu.guarded('test', () => 1)],
    ['create', () => Mlp.create(gpu, { inputs: 2, layers: [dense(2)] }).then((model) => model.dispose())],
  ];
  for (const [name, call] of calls) {
    const events = uncaptured();
    gpu.device.createBuffer({ size: 4, usage: 0 });
    await vi.waitUntil(() => events.length > 0);
    const error: unknown = await (async () => call())().catch((cause: unknown) => cause);
    expect(error, name).toMatchObject({ code: 'validation' });
    expect(String(error)).toContain(
      'WebGPU refused a call, which is a bug in this library unless a shader or a buffer',
    );
    gpu.check();
  }
});

// The numbers, and two for bindings that the product leaves unused.
test.for([1, 2, 3])('after allocation %d of run failed, one call throws, and run works again', async (n) => {
  const [A, B, C] = [Tensor.empty(gpu, [8, 8]), Tensor.empty(gpu, [8, 8]), Tensor.empty(gpu, [8, 8])];
  const { usedBytes } = gpu.memory;
  const run = async (): Promise<void> => gpu.run([matmul(A, B, C)]);
  expect(await failingAllocation(gpu.device, n, 'out-of-memory', run)).toBe(true);
  expect(await unreported()).toMatchObject({ code: 'out-of-memory' });
  gpu.check();
  await run();
  await settled();
  gpu.check();
  expect(gpu.memory.usedBytes).toBe(usedBytes);
});

test('a guarded error goes to its caller, frees what was allocated, and makes no other call throw', async () => {
  const events = uncaptured();
  const [kept] = allocate(1);
  const before = gpu.memory;
  const error: unknown = await gpu.guarded('test', () => allocate(4)).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'out-of-memory' });
  expect(String(error)).toMatch(
    /MlpError: test: The GPU is out of memory; \d+ bytes are in use here\. Use a smaller batch/,
  );
  expect(gpu.memory).toEqual(before);
  const invalid = gpu.guarded('test', () => gpu.device.createBuffer({ size: 4, usage: 0 }));
  await expect(invalid).rejects.toMatchObject({
    code: 'validation',
    message: expect.stringMatching(/^test: (?!WebGPU)/),
  });
  await settled();
  gpu.check();
  expect(events).toEqual([]);
  // What did not fit is not handed out again: a buffer of that size works.
  const [next] = await gpu.guarded('test', () => allocate(1));
  next?.write(Float32Array.of(1));
  await settled();
  gpu.check();
  kept?.dispose();
});

test('what runs out of memory is not handed out again, guarded or not, released early or late', async () => {
  const filler = allocate(3);
  const guarded = gpu.guard('test', () => allocate(2));
  expect(await guarded.fault).toMatchObject({ code: 'out-of-memory' });
  for (const tensor of guarded.value) tensor.dispose();
  // Still more in use than idle, so that the pool would keep some.
  for (const tensor of allocate(2)) tensor.dispose();
  expect(await unreported()).toMatchObject({ code: 'out-of-memory' });
  filler.pop()?.dispose();
  const [fits] = await gpu.guarded('test', () => allocate(1));
  fits?.write(Float32Array.of(1));
  await settled();
  gpu.check();
});

test('guard: the verdict never rejects, and is about its own calls, whatever others do meanwhile', async () => {
  const events = uncaptured();
  const good = gpu.guard('good', () => Tensor.empty(gpu, [4]));
  const bad = gpu.guard('bad', () => gpu.device.createBuffer({ size: 4, usage: 0 }));
  const better = gpu.guard('better', () => Tensor.empty(gpu, [4]));
  expect(await good.fault).toBeUndefined();
  expect(await bad.fault).toMatchObject({ code: 'validation', message: expect.stringMatching(/^bad: /) });
  expect(await better.fault).toBeUndefined();
  expect(good.value.length).toBe(4);
  gpu.check();
  expect(events).toEqual([]);
});

test.for(['guard', 'guarded'] as const)(
  '%s: a build that throws leaves no buffer, no scope and no work',
  async (how) => {
    const push = vi.spyOn(gpu.device, 'pushErrorScope');
    const pop = vi.spyOn(gpu.device, 'popErrorScope');
    const work = vi.fn();
    const kept = Tensor.empty(gpu, [64]);
    const before = gpu.memory;
    const build = (): never => {
      const early = Tensor.empty(gpu, [64]);
      Tensor.empty(gpu, [128]);
      early.dispose();
      gpu.defer(work);
      throw new ShapeError('mine');
    };
    await expect((async () => gpu[how]('test', build))()).rejects.toThrow(ShapeError);
    expect(push).toHaveBeenCalledTimes(2);
    expect(pop).toHaveBeenCalledTimes(2);
    expect(gpu.memory.usedBytes).toBe(before.usedBytes);
    gpu.run([]);
    expect(work).not.toHaveBeenCalled();
    // Work of a build that succeeds is done, and cancelled by its own cancellation alone.
    const cancel = await gpu.guarded('test', () => {
      gpu.defer(work);
      return gpu.defer(() => work('cancelled'));
    });
    cancel();
    gpu.run([]);
    expect(work.mock.calls).toEqual([[]]);
    await settled();
    kept.dispose();
  },
);

test('a buffer that a failing build released, and another build took, stays the other build’s', async () => {
  const kept = Tensor.empty(gpu, [256]);
  const failing = gpu.guarded('test', () => {
    Tensor.empty(gpu, [64]).dispose();
    gpu.device.createBuffer({ size: 4, usage: 0 });
  });
  const theirs = Tensor.empty(gpu, [64], 'theirs');
  await expect(failing).rejects.toMatchObject({ code: 'validation' });
  theirs.write(Float32Array.of(1));
  await settled();
  gpu.check();
  expect(gpu.memory.usedBytes).toBe(4 * (256 + 64));
  kept.dispose();
});

test('a model that does not fit leaves nothing behind, and a smaller one works', async () => {
  const [first, second] = allocate(2);
  const before = gpu.memory;
  const filler = allocate(2);
  const large = Mlp.create(gpu, { inputs: 32_000, layers: [dense(1000)] });
  await expect(large).rejects.toMatchObject({
    code: 'out-of-memory',
    message: expect.stringMatching(/^Mlp\.create: The GPU is out of memory; \d+ bytes are in use/),
  });
  for (const tensor of filler) tensor.dispose();
  expect(gpu.memory.usedBytes).toBe(before.usedBytes);
  using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(3)] });
  expect((await model.predict([1, 2, 3, 4])).length).toBe(3);
  await settled();
  gpu.check();
  first?.dispose();
  second?.dispose();
});

test('a shader that does not compile is one error, with its line, and the Gpu works on', async () => {
  const events = uncaptured();
  const Y = Tensor.empty(gpu, [4]);
  const before = gpu.memory;
  const code =
    '@group(0) @binding(0) var<storage, read_write> Y: array<f32>;\n@compute @workgroup_size(1) fn main() { wrong(); }';
  const broken = defineShader({ name: 'broken', code, buffers: { Y: 'read_write' } });
  const programs = [program(broken, {}, [1])];
  const plan = (): PlanBuilder => {
    const builder = new PlanBuilder();
    builder.state('velocity', [64]);
    builder.add(dispatch(broken, { label: 'broken', programs, uniforms: {}, buffers: { Y } }));
    return builder;
  };
  for (let attempt = 0; attempt < 2; attempt++) {
    const error: unknown = await plan()
      .compile(gpu, 'test')
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'shader' });
    expect(String(error)).toMatch(
      /The shader broken does not compile on this GPU: error 2:41 unresolved call target 'wrong'/,
    );
    gpu.check();
  }
  expect(gpu.memory.usedBytes).toBe(before.usedBytes);
  await settled();
  gpu.check();
  expect(events).toEqual([]);
});

test("errors on an app's own device are the app's", async () => {
  const device = await (await nullAdapter()).requestDevice();
  const shared = Gpu.from(device);
  const events: string[] = [];
  device.addEventListener('uncapturederror', ({ error }) => events.push(error.message));
  device.createBuffer({ size: 4, usage: 0 });
  await vi.waitUntil(() => events.length > 0);
  shared.check();
  await expect(shared.guarded('test', () => device.createBuffer({ size: 4, usage: 0 }))).rejects.toMatchObject({
    code: 'validation',
  });
  expect(events).toHaveLength(1);
  shared.destroy();
  await expect(shared.guarded('test', () => 1)).rejects.toThrow(DisposedError);
  device.destroy();
});
