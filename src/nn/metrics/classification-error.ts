import { shareRight } from './accuracy.js';
import { type Metric, wantsDecisions } from './metric.js';

/** 1 − accuracy: the share of decisions, 0 to 1, that are wrong. It costs nothing either. */
export function classificationError(): Metric<'classificationError'> {
  return {
    name: 'classificationError',
    unfit: wantsDecisions,
    value: (sums, task) => 1 - shareRight(sums, task),
  };
}
