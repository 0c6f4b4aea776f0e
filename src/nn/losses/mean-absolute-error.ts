import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/**
 * |a − y| for each output a and its target y, mean over batch and outputs; gradient sign(a − y) / (batch·outputs), 0 at 0.
 * As PyTorch's L1Loss. Targets are rows.
 */
export function meanAbsoluteError(): Loss {
  return {
    spec: { type: 'meanAbsoluteError' },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'absoluteError' }, outputs, labels, results, PER_STEP));
    },
  };
}
