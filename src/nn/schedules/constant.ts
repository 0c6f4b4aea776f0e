import type { Schedule } from './schedule.js';

/**
 * Constant schedule: rate = base, the trainer's learning rate, as without a schedule. Default `after` of `warmUp`.
 * @example await trainer.fit(dataset, { epochs: 20, schedule: constant() });
 */
export function constant(): Schedule {
  return { spec: { type: 'constant' }, rate: (base) => base };
}
