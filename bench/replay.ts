import type { Pipeline } from '../src/gpu/pipeline.js';
import type { Gpu, Tensor } from '../src/index.js';
import { PlanBuilder } from '../src/plan/builder.js';
import { choose, type Dispatch, NO_STEP, type StepValues } from '../src/plan/dispatch.js';
import type { BufferCopy } from '../src/plan/memory.js';
import type { Contender } from './case.js';

/** Milliseconds of compilation by pipeline: contenders share pipelines, and each is compiled only once. */
const compileTimes = new WeakMap<Pipeline, number>();

/** Compiles the chosen program of a dispatch unless it is compiled; returns the milliseconds that its compilation took. */
async function compileTime(gpu: Gpu, dispatch: Dispatch): Promise<number> {
  const pipeline = gpu.pipelines.get(choose(dispatch, gpu.info));
  let time = compileTimes.get(pipeline);
  if (time === undefined) {
    // Otherwise the time would include work that was queued before.
    await gpu.idle();
    const start = performance.now();
    await pipeline.ready();
    time = performance.now() - start;
    compileTimes.set(pipeline, time);
  }
  return time;
}

/**
 * A contender that replays dispatches in order, in one pass of one submit. Each dispatch sees the writes of those before it.
 * @param tensors disposed of together with the contender
 */
export async function replay(
  gpu: Gpu,
  name: string,
  dispatches: readonly Dispatch[],
  tensors: readonly Pick<Tensor, 'dispose'>[],
  more: Partial<Contender> = {},
): Promise<Contender & { submit(count: number, copies?: readonly BufferCopy[]): void }> {
  let compileMs = 0;
  for (const dispatch of dispatches) compileMs += await compileTime(gpu, dispatch);
  const plan = record(dispatches).build(gpu, name);
  const submit = (count: number, copies?: readonly BufferCopy[]): void =>
    plan.run(name, new Array<StepValues>(count).fill(NO_STEP), copies);
  return {
    name,
    compileMs,
    dispatches: dispatches.length,
    ...more,
    submit,
    async run(count) {
      submit(count);
      await gpu.idle();
      gpu.check();
    },
    dispose() {
      plan.dispose();
      for (const tensor of tensors) tensor.dispose();
    },
  };
}

function record(dispatches: readonly Dispatch[]): PlanBuilder {
  const builder = new PlanBuilder();
  for (const dispatch of dispatches) builder.add(dispatch);
  return builder;
}
