import type { Metric } from './metric.js';

/** The share of rows, 0 to 1, whose largest output (the first of equals) is that of their label. */
export function accuracy(): Metric<'accuracy'> {
  return { spec: { type: 'accuracy' }, value: ({ correct, rows }) => correct / rows };
}
