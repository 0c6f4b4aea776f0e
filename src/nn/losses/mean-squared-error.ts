import { checkOptions } from '../../base/options.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/**
 * Mean squared error: (a − y)² for each output a and its target y; mean over batch and outputs. Gradient:
 * 2·(a − y) / (batch·outputs). Outputs and targets are (batch, outputs). PyTorch's `MSELoss`.
 * @example const trainer = await model.trainer({ loss: meanSquaredError(), optimizer: adam(), batchSize: 32 });
 */
export function meanSquaredError(): Loss;
export function meanSquaredError(options?: object): Loss {
  checkOptions('meanSquaredError', options, {}, 'bad-loss');
  return {
    spec: { type: 'meanSquaredError' },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'squaredError' }, outputs, labels, results, PER_STEP));
    },
  };
}
