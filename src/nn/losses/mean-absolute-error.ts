import { checkOptions } from '../../base/options.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/**
 * Mean absolute error: |a − y| for each output a and its target y; mean over batch and outputs. Gradient:
 * sign(a − y) / (batch·outputs), where sign(0) = 0. Outputs and targets are (batch, outputs). PyTorch's `L1Loss`.
 * @example const trainer = await model.trainer({ loss: meanAbsoluteError(), optimizer: adam(), batchSize: 32 });
 */
export function meanAbsoluteError(): Loss;
export function meanAbsoluteError(options?: object): Loss {
  checkOptions('meanAbsoluteError', options, {}, 'bad-loss');
  return {
    spec: { type: 'meanAbsoluteError' },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'absoluteError' }, outputs, labels, results, PER_STEP));
    },
  };
}
