import { checkOptions } from '../../base/options.js';
import { shareRight } from './accuracy.js';
import { type Metric, wantsDecisions } from './metric.js';

/**
 * Classification error: 1 − accuracy, the share of wrong decisions, 0 to 1. The loss kernel counts correct decisions,
 * so this metric adds no dispatch.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [classificationError()] });
 */
export function classificationError(): Metric<'classificationError'>;
export function classificationError(options?: object): Metric<'classificationError'> {
  checkOptions('classificationError', options, {}, 'bad-metric');
  return {
    name: 'classificationError',
    unfit: wantsDecisions,
    value: (sums, task) => 1 - shareRight(sums, task),
  };
}
