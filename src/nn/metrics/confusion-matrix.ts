import { confusion, matrixOf } from './confusion.js';
import { type Metric, wantsClasses } from './metric.js';

/**
 * The number of samples of each class (rows) that were taken for each class (columns). A single logistic output has two classes: 1 where
 * it is ≥ ½. One more dispatch a step, which precision, recall and f1 share.
 */
export function confusionMatrix(): Metric<'confusionMatrix', number[][]> {
  return {
    name: 'confusionMatrix',
    accumulator: confusion,
    unfit: wantsClasses,
    value: matrixOf,
  };
}
