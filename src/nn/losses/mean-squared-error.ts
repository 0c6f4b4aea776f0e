import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/** (a − y)² for each output a and its target y, mean over batch and outputs; gradient 2·(a − y) / (batch·outputs). Targets are rows. */
export function meanSquaredError(): Loss {
  return {
    spec: { type: 'meanSquaredError' },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'squaredError' }, outputs, labels, results, PER_STEP));
    },
  };
}
