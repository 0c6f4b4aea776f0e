import { assertOption } from '../../base/check.js';
import { classCounts } from '../../kernels/class-counts.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Accumulator, Metric } from './metric.js';

/** The share of rows, 0 to 1, whose class is among the 5 largest outputs (the first of equals), under the name `top5`. */
export function topK(): Metric<'top5'>;
/**
 * The share of rows, 0 to 1, whose class is among the k largest outputs (the first of equals), under the name `top3` for 3.
 * One more dispatch a step.
 * @throws {MlpError} if k is not a positive integer; `trainer` does if there are fewer classes
 */
export function topK<K extends number>(k: K): Metric<`top${K}`>;
export function topK(k = 5): Metric {
  assertOption('topK:', { k }, 'a positive integer');
  const accumulator: Accumulator = {
    dtype: 'u32',
    shape: () => [1, 1],
    record(plan, outputs, labels, sums) {
      if (sums.dtype === 'u32') plan.add(classCounts(outputs, labels, sums, PER_STEP, { topK: k }));
    },
  };
  return {
    name: `top${k}`,
    accumulator,
    unfit({ link, outputs }) {
      if (link !== 'softmax') return 'measures one of several classes. Use softmaxCrossEntropy()';
      return k > outputs ? `measures at least ${k} classes, but there are ${outputs}. Use a smaller k` : undefined;
    },
    value: ({ rows, accumulators }) => (accumulators.get(accumulator)?.[0] ?? 0) / rows,
  };
}
