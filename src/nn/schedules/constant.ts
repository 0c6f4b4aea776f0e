import { checkOptions } from '../../base/options.js';
import type { Schedule } from './schedule.js';

/**
 * Constant schedule: rate = base, the trainer's learning rate, as without a schedule. Default `after` of `warmUp`.
 * @example await trainer.fit(dataset, { epochs: 20, schedule: constant() });
 */
export function constant(): Schedule;
export function constant(options?: object): Schedule {
  checkOptions('constant', options, {}, 'bad-schedule');
  return { spec: { type: 'constant' }, rate: (base) => base };
}
