import type { Contender } from './case.js';

/** How long and how often a contender is measured. */
export interface Pace {
  /** Samples of each contender. */
  readonly samples: number;
  /** Work before the first sample. */
  readonly warmUpMs: number;
  /** Work in a sample, at least. */
  readonly sampleMs: number;
  /** A contender whose samples would take longer than this in all gets fewer, but never less than `fewest`. */
  readonly patienceMs: number;
  readonly fewest: number;
  /** From then on a run that does not end counts as failed. */
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
/** For a look, not for a claim. */
export const quick: Pace = { samples: 3, warmUpMs: 20, sampleMs: 5, patienceMs: 3_000, fewest: 1, timeoutMs: 60_000 };

/** From here on the way to the GPU and back is at most a few per cent of a single run, and not worth a second one. */
const LONG_RUN_MS = 100;
/** The shorter of a sample's two runs is at most a third of the longer, or its noise would count for too much. */
const FEWEST_IN_A_LONG_RUN = 3;
const MOST_IN_A_RUN = 2 ** 16;

/** Milliseconds of one run(1), a sample each; or why there are none. */
export type Measurement = { readonly samples: readonly number[] } | { readonly error: string };

export type Clock = () => number;

interface Racer {
  readonly contender: Contender;
  /** Milliseconds of runs of one, and of runs of `count`. */
  readonly short: number[];
  readonly long: number[];
  /** Repetitions in the longer of a sample's two runs; 1 where one run is long enough by itself. */
  count: number;
  wanted: number;
  error?: string;
}

/**
 * Measures contenders, one sample of each in turn, so that whatever else the machine does falls on all of them alike.
 * A sample is the slope between a run of one and a run of many, which leaves out what waiting costs.
 * One that fails is reported as such, and the others go on.
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

/** A peer's worker may die, and then nobody answers. */
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

/** Finds how often a sample repeats, and warms up on the way. */
async function calibrate(racer: Racer, pace: Pace, clock: Clock): Promise<void> {
  const start = clock();
  // Of the first run nothing is concluded: it compiles, and clears buffers.
  await racer.contender.run(1);
  let once = await timed(racer, 1, clock);
  let cost = once;
  if (once < LONG_RUN_MS) {
    let count = FEWEST_IN_A_LONG_RUN;
    for (;;) {
      // The same number again: a contender may prepare something for each.
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
 * Slopes. Each long run is set against the median of the short ones: a single short run that something else has delayed
 * would make its sample far too good.
 */
function samplesOf({ short, long, count }: Racer): number[] {
  if (count === 1) return short;
  const once = quantile(short, 0.5);
  // Where noise turns the two around, the long run alone is an upper bound.
  return long.map((many) => (many > once ? (many - once) / (count - 1) : many / count));
}

/** The value below which a share of the samples lies, between neighbours in proportion. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}
