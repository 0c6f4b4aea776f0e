import type { Gpu } from '../src/index.js';
import { build } from './build.js';
import type { Case, Contender, Context, Report, Result } from './case.js';
import { prepare } from './contenders.js';
import { judged, resultOf, withRatios } from './judge.js';
import { type Measurement, measure, type Pace, quick, thorough } from './measure.js';
import { select, suite } from './suite.js';

/** Selection of the cases to measure. */
export interface Wanted {
  /** Part of the names of cases; '' for all cases. */
  readonly only: string;
  readonly quick: boolean;
  /** True to measure large cases on a software adapter too. */
  readonly full: boolean;
  readonly peers: boolean;
}

/** The functions that differ between a page and Node. */
export interface Surroundings {
  readonly runtime: string;
  readonly cpu?: string;
  requestGpu(): Promise<Gpu>;
  /** Milliseconds of a contender's run(1) in a new page or process. */
  cold(caseName: string, contender: string): Promise<number>;
  progress(step: Progress): void;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Name of the case that is being measured. */
  readonly name: string;
}

/** Measures the selected cases one by one. @throws {SelectionError} if no case matches, before anything is measured */
export async function runBench(wanted: Wanted, surroundings: Surroundings): Promise<Report> {
  let gpu = await surroundings.requestGpu();
  const { info } = gpu;
  const full = wanted.full || !info.software;
  const named = select(suite, wanted.only, full);
  const needed = named.some(
    ({ flops, bytes, group }) => group === 'kernel' || flops !== undefined || bytes !== undefined,
  );
  const chosen = suite.filter((each) => named.includes(each) || (needed && each.yardstick === true));
  const pace = wanted.quick ? quick : thorough;
  const results: Result[] = [];
  for (const [done, each] of chosen.entries()) {
    surroundings.progress({ done, total: chosen.length, name: each.name });
    gpu = await usable(gpu, surroundings);
    const own = each.ownDevice === true ? await surroundings.requestGpu() : undefined;
    const context = { gpu: own ?? gpu, peers: wanted.peers, full };
    const measured = await measureCase(each, context, pace, surroundings);
    own?.destroy();
    results.push(...measured.map((result) => judged(result, each, results)));
  }
  surroundings.progress({ done: chosen.length, total: chosen.length, name: '' });
  const { vendor, architecture, description, software, limits } = info;
  const report: Report = {
    schema: 1,
    date: new Date().toISOString(),
    commit: build.commit,
    settings: { quick: wanted.quick, full, only: wanted.only },
    environment: {
      adapter: { vendor, architecture, description, software },
      runtime: surroundings.runtime,
      ...(surroundings.cpu === undefined ? {} : { cpu: surroundings.cpu }),
      versions: build.versions,
      limits: plain(limits),
    },
    results,
  };
  gpu.destroy();
  return report;
}

/** Replaces a device that the failure of a contender has made unusable, so that the next case does not fail too. */
async function usable(gpu: Gpu, { requestGpu }: Surroundings): Promise<Gpu> {
  try {
    gpu.check();
    return gpu;
  } catch {
    gpu.destroy();
    return await requestGpu();
  }
}

async function measureCase(each: Case, context: Context, pace: Pace, surroundings: Surroundings): Promise<Result[]> {
  const contenders = await prepare(each, context);
  try {
    const measurements =
      each.group === 'start'
        ? await measureCold(each, contenders, pace, surroundings)
        : await measure(contenders, pace);
    const results = contenders.map((contender, number) =>
      resultOf(each, contender, measurements[number] ?? { error: 'It was not measured.' }),
    );
    return [...withRatios(each, results), ...(each.conclude?.(results) ?? [])];
  } finally {
    for (const contender of contenders) contender.dispose();
  }
}

/** Measures first steps: each sample in a new page or process, the contenders in turn. */
async function measureCold(
  { name }: Case,
  contenders: readonly Contender[],
  pace: Pace,
  { cold }: Surroundings,
): Promise<Measurement[]> {
  const racers = contenders.map((contender) => ({ contender, samples: [] as number[], error: '' }));
  for (let round = 0; round < pace.samples; round++) {
    for (const racer of racers) {
      if (racer.error !== '') continue;
      try {
        racer.samples.push(await cold(name, racer.contender.name));
      } catch (cause) {
        racer.error = cause instanceof Error ? cause.message : String(cause);
      }
    }
  }
  return racers.map(({ samples, error }) => (error === '' ? { samples } : { error }));
}

function plain(limits: GPUSupportedLimits): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') numbers[name] = value;
  }
  return numbers;
}
