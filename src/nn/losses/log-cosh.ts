import { checkOptions } from '../../base/options.js';
import { elementwiseLossRows } from '../../kernels/elementwise-loss.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Loss } from './loss.js';

/**
 * ln cosh(a − y) for each output a and its target y, mean over batch and outputs: (a − y)²/2 near a target,
 * |a − y| − ln 2 far away. Gradient: tanh(a − y) / (batch·outputs). Outputs and targets are (batch, outputs).
 * Keras' `LogCosh`.
 * @example const trainer = await model.trainer({ loss: logCosh(), optimizer: adam(), batchSize: 32 });
 */
export function logCosh(): Loss;
export function logCosh(options?: object): Loss {
  checkOptions('logCosh', options, {}, 'bad-loss');
  return {
    spec: { type: 'logCosh' },
    link: 'identity',
    record(plan, outputs, labels, results) {
      plan.add(elementwiseLossRows({ name: 'logCosh' }, outputs, labels, results, PER_STEP));
    },
  };
}
