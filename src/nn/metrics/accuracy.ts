import { checkOptions } from '../../base/options.js';
import { type Metric, type Sums, type Task, wantsDecisions } from './metric.js';

/** The share of correct decisions. There is one decision per row, or with a logistic link one per output. */
export function shareRight({ correct, rows }: Sums, { link, outputs }: Task): number {
  return correct / (link === 'logistic' ? rows * outputs : rows);
}

/**
 * Accuracy: the share of rows, 0 to 1, whose largest output (the first of equal ones) is at the label's class. With
 * binaryCrossEntropy it is the share of outputs whose probability is on the same side of ½ as the target. The loss
 * kernel counts correct decisions, so this metric adds no dispatch.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [accuracy()] });
 */
export function accuracy(): Metric<'accuracy'>;
export function accuracy(options?: object): Metric<'accuracy'> {
  checkOptions('accuracy', options, {}, 'bad-metric');
  return { name: 'accuracy', unfit: wantsDecisions, value: shareRight };
}
