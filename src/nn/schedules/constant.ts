import type { Schedule } from './schedule.js';

/** The trainer's learning rate, as without a schedule; `warmUp` goes on with it unless told otherwise. */
export function constant(): Schedule {
  return { spec: { type: 'constant' }, rate: (base) => base };
}
