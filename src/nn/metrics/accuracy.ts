import { type Metric, type Sums, type Task, wantsDecisions } from './metric.js';

/** The share of decisions that are right: one a row, or with a logistic link one an output. */
export function shareRight({ correct, rows }: Sums, { link, outputs }: Task): number {
  return correct / (link === 'logistic' ? rows * outputs : rows);
}

/**
 * The share of rows, 0 to 1, whose largest output (the first of equals) is that of their label. With binaryCrossEntropy the
 * share of outputs that are on their target's side of ½. The loss kernel counts it: it costs nothing.
 */
export function accuracy(): Metric<'accuracy'> {
  return { name: 'accuracy', unfit: wantsDecisions, value: shareRight };
}
