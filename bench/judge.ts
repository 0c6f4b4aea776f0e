import { fmaPeak } from './adapter/arithmetic.js';
import { DEPENDENT } from './adapter/launch.js';
import type { Case, Contender, Result } from './case.js';
import { type Measurement, quantile } from './measure.js';

/** Converts the measurement of a contender to a result of the report. */
export function resultOf(each: Case, contender: Contender, measurement: Measurement): Result {
  const { name, compileMs, dispatches, gpuBytes, chosen, flops = each.flops, bytes = each.bytes } = contender;
  const identity = { case: each.name, group: each.group, contender: name };
  if ('error' in measurement) {
    return { ...identity, samples: [], median: 0, p25: 0, p75: 0, error: measurement.error };
  }
  const { samples } = measurement;
  const median = quantile(samples, 0.5);
  return {
    ...identity,
    samples,
    median,
    p25: quantile(samples, 0.25),
    p75: quantile(samples, 0.75),
    ...(flops === undefined ? {} : { flops, gflops: flops / median / 1e6 }),
    ...(bytes === undefined ? {} : { bytes, gbps: bytes / median / 1e6 }),
    ...(compileMs === undefined ? {} : { compileMs }),
    ...(dispatches === undefined ? {} : { dispatches }),
    ...(gpuBytes === undefined ? {} : { gpuBytes }),
    ...(chosen === undefined ? {} : { chosen }),
    ...(each.figure === undefined ? {} : { value: each.figure.value(median, contender), unit: each.figure.unit }),
  };
}

/** Adds the ratio of each result to each other result of the case. */
export function withRatios(each: Case, results: readonly Result[]): Result[] {
  if (each.group === 'adapter' || each.name.startsWith('dispatches')) return [...results];
  return results.map((result) => {
    if (result.error !== undefined) return result;
    const rivals = results.filter(({ contender, error }) => contender !== result.contender && error === undefined);
    if (rivals.length === 0) return result;
    return {
      ...result,
      ratio: Object.fromEntries(rivals.map((rival) => [rival.contender, rival.median / result.median])),
    };
  });
}

/** Adds the adapter's limit that bounds a result, and the share of it that the result reaches. `yardsticks` are the limits. */
export function judged(result: Result, { group }: Case, yardsticks: readonly Result[]): Result {
  const { flops = 0, bytes = 0, dispatches = 0, median, error } = result;
  if (group === 'adapter' || error !== undefined || (flops === 0 && bytes === 0)) return result;
  const figures = (unit: string): Result[] => yardsticks.filter((yardstick) => yardstick.unit === unit);
  const arithmetic = yardsticks.filter((yardstick) => yardstick.case === fmaPeak.name);
  const peak = Math.max(0, ...arithmetic.map(({ value = 0 }) => value));
  // The copy of the nearest size: a working set that fits in a cache is compared with the cache's bandwidth.
  const [nearest] = figures('GB/s').sort((a, b) => distance(a, bytes) - distance(b, bytes));
  const launch = figures('µs').find(({ contender }) => contender === DEPENDENT)?.value ?? 0;
  if (peak === 0 || nearest?.value === undefined) return result;
  const compute = flops / peak / 1e6;
  const memory = bytes / nearest.value / 1e6;
  const launching = (dispatches * launch) / 1000;
  const best = Math.max(compute, memory);
  const bound = launching > best ? 'launch' : compute >= memory ? 'compute' : 'memory';
  return { ...result, bound, shareOfPeak: Math.max(best, launching) / median };
}

const distance = (result: Result, bytes: number): number =>
  Math.abs(Math.log((result.bytes ?? 1) / Math.max(bytes, 1)));
