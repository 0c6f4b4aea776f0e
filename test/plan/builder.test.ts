import { afterEach, beforeEach, expect, test } from 'vitest';
import { columnSum, type Gpu, matmul, PER_STEP, sgdUpdate, Tensor } from '../../src/kernels.js';
import { PlanBuilder } from '../../src/plan/builder.js';
import { NO_STEP } from '../../src/plan/dispatch.js';
import { StepRecords } from '../../src/plan/step-records.js';
import { Workspace } from '../../src/plan/workspace.js';
import { type AllocationFailure, failingAllocation, nullGpu } from '../support/null-gpu.js';

let gpu: Gpu;
let steps: StepRecords;
let parameters: Tensor;
beforeEach(async () => {
  gpu = await nullGpu();
  steps = new StepRecords(gpu, 1);
  parameters = Tensor.empty(gpu, [64], 'parameters');
});
afterEach(() => gpu.destroy());

/** A step with states, a constant, tensors that live within it, and bindings that are left unused. */
function recorded(size: number, workspace?: Workspace): PlanBuilder {
  const plan = new PlanBuilder(undefined, workspace);
  const X = plan.state('X', [size, 64]);
  const factor = plan.constant(
    'factor',
    Array.from({ length: 64 * 64 }, () => 1),
  );
  const Y = plan.tensor('Y', [size, 64]);
  const sums = plan.tensor('sums', [64]);
  plan.add(matmul(X, factor.view(0, [64, 64]), Y));
  plan.add(columnSum(Y, sums));
  const velocity = plan.state('velocity', [64]);
  plan.add(sgdUpdate(parameters, sums, velocity, { momentum: 0.9 }, PER_STEP));
  return plan;
}

const compile = async (size: number, workspace?: Workspace): Promise<void> => {
  const plan = await recorded(size, workspace).compile(gpu, 'test', steps);
  plan.run('test', [NO_STEP]);
  plan.dispose();
};
const build = async (size: number, workspace?: Workspace): Promise<void> => {
  const plan = recorded(size, workspace).build(gpu, 'test', steps);
  plan.run('test', [NO_STEP]);
  plan.dispose();
};

const sweeps: [string, AllocationFailure, typeof compile, boolean][] = [
  ['compile, memory of its own', 'out-of-memory', compile, false],
  ['compile, a shared workspace', 'out-of-memory', compile, true],
  ['compile, memory of its own', 'exception', compile, false],
  ['compile, a shared workspace', 'exception', compile, true],
  ['build, memory of its own', 'exception', build, false],
  ['build, a shared workspace', 'exception', build, true],
];
test.for(sweeps)(
  '%s: after the n-th allocation failed (%s) nothing is left behind',
  async ([, how, make, isShared]) => {
    const workspace = isShared ? new Workspace() : undefined;
    // A plan that shares the workspace, if there is one, and has to live on.
    const neighbour = workspace && (await recorded(8, workspace).compile(gpu, 'neighbour', steps));
    const { usedBytes } = gpu.memory;
    const bytes = workspace?.bytes;
    let failures = 0;
    for (let n = 1; ; n++) {
      let error: unknown;
      const failed = await failingAllocation(gpu.device, n, how, async () => {
        await make(100 + n, workspace).catch((cause: unknown) => {
          error = cause;
        });
      });
      if (!failed) {
        expect(error).toBeUndefined();
        break;
      }
      failures += 1;
      if (how === 'exception') expect(error).toBeInstanceOf(RangeError);
      else expect(error, `allocation ${n}`).toMatchObject({ code: 'out-of-memory' });
      expect(gpu.memory.usedBytes, `allocation ${n}`).toBe(usedBytes);
      expect(workspace?.bytes).toEqual(bytes);
      neighbour?.run('test', [NO_STEP]);
      await gpu.idle();
      gpu.check();
    }
    // X, two that live within a step, and the uniforms, unless the pool has some of that size; and factor, velocity and two for
    // unused bindings, if no neighbour has them.
    expect(failures).toBeGreaterThanOrEqual(isShared ? 3 : 7);
    neighbour?.dispose();
    workspace?.dispose();
  },
);
