import type { Contender } from './case.js';

/** Duration and number of the measurements of a contender. */
export interface Pace {
  /** Number of samples of each contender. */
  readonly samples: number;
  /** Milliseconds of work before the first sample. */
  readonly warmUpMs: number;
  /** Minimum milliseconds of work in a sample. */
  readonly sampleMs: number;
  /** Milliseconds for all samples of a contender: a slow one gets fewer samples, but at least `fewest`. */
  readonly patienceMs: number;
  readonly fewest: number;
  /** Milliseconds after which a run counts as failed. */
  readonly timeoutMs: number;
}

export const thorough: Pace = {
  samples: 11,
  warmUpMs: 200,
  sampleMs: 20,
  patienceMs: 60_000,
  fewest: 3,
  timeoutMs: 120_000,
};
/** Pace of a quick look, too inexact to publish. */
export const quick: Pace = { samples: 3, warmUpMs: 20, sampleMs: 5, patienceMs: 3_000, fewest: 1, timeoutMs: 60_000 };

/** Milliseconds of a run from which on the round trip is at most a few per cent of it, so that one run is a sample. */
const LONG_RUN_MS = 100;
/** Minimum count of a sample's longer run: with a smaller count the noise of the shorter run would weigh too much. */
const FEWEST_IN_A_LONG_RUN = 3;
const MOST_IN_A_RUN = 2 ** 16;

/** Milliseconds of run(1) in each sample, or the reason for missing samples. */
export type Measurement = { readonly samples: readonly number[] } | { readonly error: string };

export type Clock = () => number;

interface Racer {
  readonly contender: Contender;
  /** Milliseconds of each run(1), and of each run(count). */
  readonly short: number[];
  readonly long: number[];
  /** Count of a sample's longer run; 1 if a single run is long enough. */
  count: number;
  wanted: number;
  error?: string;
}

/**
 * Measures contenders, one sample of each in turn, so that other load on the machine affects all of them alike.
 * A sample is the slope between run(1) and run(count), which excludes the cost of the round trip.
 * A contender that fails is reported with its error, and the others continue.
 */
export async function measure(
  contenders: readonly Contender[],
  pace: Pace,
  clock: Clock = () => performance.now(),
): Promise<Measurement[]> {
  const racers: Racer[] = contenders.map((contender) => ({
    contender: { ...contender, run: (count) => inTime(contender.run(count), pace.timeoutMs) },
    short: [],
    long: [],
    count: 1,
    wanted: pace.samples,
  }));
  for (const racer of racers) {
    await guarded(racer, () => calibrate(racer, pace, clock));
  }
  for (let round = 0; round < pace.samples; round++) {
    for (const racer of racers) {
      if (round >= racer.wanted) continue;
      await guarded(racer, async () => {
        racer.short.push(await timed(racer, 1, clock));
        if (racer.count > 1) racer.long.push(await timed(racer, racer.count, clock));
      });
    }
  }
  return racers.map((racer) => (racer.error === undefined ? { samples: samplesOf(racer) } : { error: racer.error }));
}

/** Rejects after a time limit: the promise of a peer whose worker has crashed never settles. */
async function inTime(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `It has not answered for ${milliseconds / 1000} s.`;
    timer = setTimeout(() => reject(new Error(message)), milliseconds);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function guarded(racer: Racer, work: () => Promise<void>): Promise<void> {
  if (racer.error !== undefined) return;
  try {
    await work();
  } catch (cause) {
    racer.error = cause instanceof Error ? cause.message : String(cause);
  }
}

async function timed({ contender }: Racer, count: number, clock: Clock): Promise<number> {
  const start = clock();
  await contender.run(count);
  return clock() - start;
}

/** Chooses the count and the number of samples of a contender, and warms it up. */
async function calibrate(racer: Racer, pace: Pace, clock: Clock): Promise<void> {
  const start = clock();
  // The first run is not timed, because it compiles and clears buffers.
  await racer.contender.run(1);
  let once = await timed(racer, 1, clock);
  let cost = once;
  if (once < LONG_RUN_MS) {
    let count = FEWEST_IN_A_LONG_RUN;
    for (;;) {
      // Run once before it is timed, because a contender may prepare something for each count.
      await racer.contender.run(count);
      cost = await timed(racer, count, clock);
      once = Math.min(once, await timed(racer, 1, clock));
      if (cost - once >= pace.sampleMs || count >= MOST_IN_A_RUN) break;
      const perRun = Math.max((cost - once) / (count - 1), 1e-6);
      const enough = 1 + Math.ceil((1.25 * pace.sampleMs) / perRun);
      count = Math.min(Math.max(enough, 2 * count), 16 * count, MOST_IN_A_RUN);
    }
    racer.count = count;
    cost += once;
  }
  while (clock() - start < pace.warmUpMs) await racer.contender.run(racer.count);
  racer.wanted = Math.min(pace.samples, Math.max(pace.fewest, Math.floor(pace.patienceMs / Math.max(cost, 1e-3))));
}

/**
 * Computes the slopes. Each long run is compared with the median of the short runs: a single short run that was delayed by
 * other load would make its sample far too small.
 */
function samplesOf({ short, long, count }: Racer): number[] {
  if (count === 1) return short;
  const once = quantile(short, 0.5);
  // If noise makes the long run the shorter one, the long run alone is an upper bound.
  return long.map((many) => (many > once ? (many - once) / (count - 1) : many / count));
}

/** The value below which a share of the samples lies, interpolated linearly between neighbours. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}
