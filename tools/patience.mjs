// @ts-check
// The time limits of tests, scaled to the machine: a busy or slow one gets longer.
import { availableParallelism, loadavg } from 'node:os';

/** Milliseconds that `spin` takes on a quiet core of the machine on which the tests' limits were chosen (AMD EPYC). */
const BASELINE_MS = 110;
/** Beyond this factor a test that hangs would hold the whole run up for too long. */
const LARGEST = 10;

/**
 * Runs a fixed amount of integer arithmetic.
 * @returns {number} the milliseconds it took
 */
function spin() {
  const start = performance.now();
  let state = 1;
  for (let i = 0; i < 20_000_000; i++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  // The result is used, so that no compiler leaves the loop out.
  return state === 0 ? Number.NaN : performance.now() - start;
}

/** @returns {number} */
function measure() {
  const slowdown = spin() / BASELINE_MS;
  const [lastMinute = 0] = loadavg();
  return Math.min(LARGEST, Math.max(1, slowdown, lastMinute / availableParallelism()));
}

/** The variable with which a run's processes share one measurement. */
const VARIABLE = 'WEBGPU_MLP_PATIENCE';

/** The factor by which work takes longer here and now than on a quiet machine: from 1 to 10. */
export const patience = Number(process.env[VARIABLE]) || measure();
process.env[VARIABLE] = String(patience);
