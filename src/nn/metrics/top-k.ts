import { assertOption } from '../../base/check.js';
import { classCounts } from '../../kernels/class-counts.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Accumulator, Metric } from './metric.js';

/** Top-5 accuracy, named `top5`: the same as `topK(5)`. */
export function topK(): Metric<'top5'>;
/**
 * Top-k accuracy: the share of rows, 0 to 1, whose class is among the k largest outputs (the first of equal ones). Its
 * name has the number, such as `top3`. Adds one dispatch per step.
 *
 * `Mlp.trainer` throws `bad-metric` if there are fewer than k classes.
 * @throws {MlpError} `bad-option` if k is not a positive integer
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [topK(3)] });
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
      if (link !== 'softmax') return 'needs softmax outputs. Use softmaxCrossEntropy()';
      return k > outputs ? `needs at least ${k} classes, but there are ${outputs}. Use a smaller k` : undefined;
    },
    value: ({ rows, accumulators }) => (accumulators.get(accumulator)?.[0] ?? 0) / rows,
  };
}
