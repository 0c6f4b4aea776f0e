import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import {
  adamUpdate,
  type Dispatch,
  defineShader,
  dispatch,
  type Gpu,
  LimitError,
  MlpError,
  PER_STEP,
  program,
  type Shader,
  ShapeError,
  sgdUpdate,
  Tensor,
} from '../../src/kernels.js';
import { PlanBuilder } from '../../src/plan/builder.js';
import { NO_STEP } from '../../src/plan/dispatch.js';
import { StepRecords } from '../../src/plan/step-records.js';
import { Workspace } from '../../src/plan/workspace.js';
import { nullGpu } from '../support/null-gpu.js';

let gpu: Gpu;
let p: Tensor;
let g: Tensor;
let used: number;
beforeAll(async () => {
  gpu = await nullGpu();
  p = Tensor.empty(gpu, [64], 'p');
  g = Tensor.empty(gpu, [64], 'g');
});
beforeEach(() => {
  used = gpu.memory.usedBytes;
});
afterAll(() => gpu.destroy());

/** Y = scale·X, or scale·X + B: with an override that leaves B unused, or without any. */
const text = (add: string): string => `
struct Dims { count: u32, scale: f32 }
${add === 'ADD' ? 'override ADD: bool = false;' : ''}
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> X: array<f32>;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read_write> Y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= dims.count) { return; }
  Y[id.x] = dims.scale * X[id.x];
  if (${add}) { Y[id.x] += B[id.x]; }
}`;
const uniforms = { dims: { count: 'u32', scale: 'f32' } } as const;
const buffers = { X: 'read', B: 'read', Y: 'read_write' } as const;
const always = defineShader({ name: 'scale', code: text('true'), uniforms, buffers });
const optional = defineShader({
  name: 'scale-or-add',
  code: text('ADD'),
  overrides: { ADD: false },
  uniforms,
  buffers,
});

/** A dispatch as JavaScript may write one: nothing checks its names. */
function call(shader: Shader, changes: Partial<Dispatch> = {}): Dispatch {
  return {
    kernel: shader.name,
    label: 'mine 64',
    programs: [program(shader, {}, [1])],
    uniforms: { dims: { count: 64, scale: 2 } },
    buffers: { X: g, B: g, Y: p },
    flops: 64,
    ...changes,
  };
}

/** Runs and replays it; either way it must be refused alike, and nothing stay behind. @param early before anything is allocated */
async function refusals(refused: Dispatch, steps?: StepRecords, early = true): Promise<MlpError[]> {
  const create = vi.spyOn(gpu.device, 'createBuffer');
  const submit = vi.spyOn(gpu.device.queue, 'submit');
  const errors: unknown[] = [];
  const attempt = async (work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
    expect(gpu.memory.usedBytes).toBe(used);
  };
  if (steps === undefined) await attempt(() => gpu.run([refused]));
  if (early) expect(create).not.toHaveBeenCalled();
  expect(submit).not.toHaveBeenCalled();
  create.mockRestore();
  submit.mockRestore();
  const workspace = new Workspace();
  for (const shared of [undefined, workspace]) {
    const builder = (): PlanBuilder => {
      const plan = new PlanBuilder(undefined, shared);
      plan.state('velocity', [64]);
      plan.constant('constant', [1, 2, 3]);
      plan.add(refused);
      return plan;
    };
    await attempt(() => builder().compile(gpu, 'test', steps));
    await attempt(() => builder().build(gpu, 'test', steps));
  }
  expect(workspace.bytes).toEqual({ state: 0, transient: 0 });
  for (const error of errors) expect(error).toBeInstanceOf(MlpError);
  return errors as MlpError[];
}

const all = (errors: readonly MlpError[]): readonly string[] => [
  ...new Set(errors.map(({ code, message }) => `${code}: ${message}`)),
];

test('a dispatch of a plan is refused where nothing replays it, and leaves nothing behind', async () => {
  const errors = await refusals(sgdUpdate(p, g, undefined, {}, PER_STEP));
  expect(errors).toHaveLength(5);
  expect(all(errors)).toEqual([
    'per-step: sgd 64: step is PER_STEP, but only a plan fills it in, and only "step". Pass { first, rows, index, learning_rate }.',
  ]);
});

test('records are of steps alone: no other uniform is PER_STEP', async () => {
  const steps = new StepRecords(gpu, 1);
  used = gpu.memory.usedBytes;
  const wrong = call(optional, { uniforms: { dims: PER_STEP } });
  const errors = await refusals(wrong, steps);
  expect(errors).toHaveLength(4);
  expect(all(errors)).toEqual([
    'per-step: mine 64: dims is PER_STEP, but only a plan fills it in, and only "step". Pass { count, scale }.',
  ]);
  steps.dispose();
});

const incomplete: [string, () => Dispatch, string][] = [
  [
    'no uniform of a name',
    () => call(always, { uniforms: { dim: { count: 1, scale: 1 } } }),
    'uniforms.dims has count = undefined.',
  ],
  [
    'a uniform without one of its fields',
    () => call(always, { uniforms: { dims: { count: 64 } } }),
    'uniforms.dims has scale = undefined.',
  ],
  [
    'a text in the place of a number',
    () => call(always, { uniforms: { dims: { count: 64, scale: '2' as unknown as number } } }),
    'uniforms.dims has scale = 2.',
  ],
  ['no buffer of a name', () => call(optional, { buffers: { X: g, Y: p } }), 'buffers has no tensor for "B".'],
  [
    'an undefined buffer, which no override can leave unused',
    () => call(always, { buffers: { X: g, B: undefined, Y: p } }),
    'buffers has no tensor for "B".',
  ],
  [
    'its second program incomplete, where that is the one that is chosen',
    () => {
      const programs = [program(optional, {}, [1], { suits: () => false }), program(always, {}, [1])];
      return call(always, { programs, buffers: { X: g, B: undefined, Y: p } });
    },
    'buffers has no tensor for "B".',
  ],
];
test.for(incomplete)('a dispatch with %s is refused', async ([, make, what]) => {
  const refused = make();
  const errors = await refusals(refused);
  expect(errors).toHaveLength(5);
  const name = refused.programs.at(-1)?.shader.name;
  expect(all(errors)).toEqual([`bad-dispatch: mine 64: ${what} The shader "${name}" declares it.`]);
});

test('a grid beyond the limit, a tensor that begins anywhere and no program at all leave nothing behind either', async () => {
  const large = await refusals(call(always, { programs: [program(always, {}, [70_000])] }));
  expect(large.every((error) => error instanceof LimitError)).toBe(true);
  const shifted = await refusals(call(always, { buffers: { X: g.view(1, [8]), B: g, Y: p } }), undefined, false);
  expect(shifted.every((error) => error instanceof ShapeError)).toBe(true);
  expect(() => gpu.run([call(always, { programs: [] })])).toThrow('mine 64: this GPU can run none of its programs ().');
  expect(gpu.memory.usedBytes).toBe(used);
});

test('what is complete runs: an undefined binding that overrides leave unused, and one that a program says it leaves', async () => {
  gpu.run([call(always), call(optional, { buffers: { X: g, B: undefined, Y: p } })]);
  gpu.run([call(always, { programs: [program(always, {}, [1], { unused: ['B'] })], buffers: { X: g, Y: p } })]);
  gpu.run([
    dispatch(optional, {
      label: 'typed',
      programs: [program(optional, { ADD: true }, [1])],
      uniforms: { dims: { count: 64, scale: 1 } },
      buffers: { X: g, B: g, Y: p },
    }),
  ]);
  await gpu.idle();
  gpu.check();
  expect(gpu.memory.usedBytes).toBe(used);
});

test('uniforms are laid out as the chosen program declares them, not the first of the list', async () => {
  const swapped = defineShader({
    name: 'swapped',
    code: text('true').replace('count: u32, scale: f32', 'scale: f32, count: u32'),
    uniforms: { dims: { scale: 'f32', count: 'u32' } },
    buffers,
  });
  const write = vi.spyOn(gpu.device.queue, 'writeBuffer');
  const programs = [program(always, {}, [1], { suits: () => false }), program(swapped, {}, [1])];
  gpu.run([call(swapped, { programs })]);
  const [, , data] = write.mock.calls[0] ?? [];
  write.mockRestore();
  expect(data).toBeInstanceOf(ArrayBuffer);
  if (!(data instanceof ArrayBuffer)) return;
  const words = new DataView(data);
  expect([words.getFloat32(0, true), words.getUint32(4, true)]).toEqual([2, 64]);
});

test('a tuner measures a step with numbers of an optimizer of its own', async () => {
  const tuning = await nullGpu();
  Object.assign(tuning.tuning, { tuning: 'full' });
  const plan = new PlanBuilder();
  const steps = new StepRecords(tuning, 1);
  const start = tuning.memory.usedBytes;
  const [values, gradients, state] = [plan.state('p', [64]), plan.state('g', [64]), plan.state('m', [2, 64])];
  const hyper = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false };
  const update = adamUpdate(values, gradients, state, hyper, PER_STEP);
  const [only] = update.programs;
  if (only === undefined) throw new Error('adam has no program.');
  plan.add({ ...update, programs: [only, { ...only, variant: 'other' }] });
  const compiled = await plan.compile(tuning, 'test', steps);
  compiled.run('test', [{ ...NO_STEP, own: [0.1, 0.03] }]);
  await tuning.idle();
  tuning.check();
  compiled.dispose();
  expect(tuning.memory.usedBytes).toBe(start);
  tuning.destroy();
});
