import { assertMethod, assertOption } from '../base/check.js';
import { DataError, NotFiniteError } from '../base/errors.js';
import { Random } from '../base/random.js';
import type { Dataset } from '../data/dataset.js';
import type { AnyMetric, Sums } from '../nn/metrics/metric.js';
import type { ScheduleState } from '../nn/schedules/schedule.js';
import type { BufferCopy } from '../plan/memory.js';
import { clear, counters, difference, NOTHING, sumsOf } from './accumulators.js';
import { type Course, checkDataset } from './batches.js';
import type { EarlyStopping } from './early-stopping.js';
import type { Evaluator } from './evaluate.js';
import type { EpochResult, FitOptions, History } from './fit-options.js';
import { Reports } from './readback.js';
import type { Stepper } from './session.js';

/** In `status`, as long as everything is finite. */
const NONE = 0xffffffff;

/**
 * Checks what `fit` is asked for.
 * @returns what trains then, and gives one entry an epoch
 * @throws {MlpError|DataError|ShapeError} before anything is queued
 */
export function prepareFit<M extends AnyMetric>(
  stepper: Stepper,
  evaluator: Evaluator<M>,
  dataset: Dataset,
  options: FitOptions<M>,
): () => Promise<History<M>> {
  const { model, loss, batch } = stepper.training;
  const { epochs, validation, signal, onEpoch, schedule, earlyStopping } = options;
  assertOption('fit:', { epochs }, 'an integer ≥ 0');
  const numbers = evaluator.of(NOTHING);
  /** What an epoch will give, for those who want to know before. */
  const outcome = validation === undefined ? numbers : { ...numbers, validation: numbers };
  if (schedule !== undefined) assertMethod('fit: schedule', schedule, 'rate', `cosine({ epochs: ${epochs} })`);
  schedule?.check?.(outcome);
  checkDataset('fit', dataset, model, loss);
  if (validation !== undefined) checkDataset('fit: validation', validation, model, loss);
  if (dataset.length < batch) {
    throw new DataError(
      `fit: batchSize = ${batch}, but the data set has ${dataset.length} samples. Make a trainer with a batchSize of at most ${dataset.length}.`,
    );
  }
  return async () => {
    const { scheduled } = stepper.progress;
    const goesOn = JSON.stringify(schedule?.spec) === JSON.stringify(scheduled?.spec);
    /** What the schedule remembers, if it is the one that went before. */
    let state = goesOn ? scheduled?.state : undefined;
    const history: History<M> = [];
    let course: Course | undefined;
    let stopping: EarlyStopping | undefined;
    try {
      if (earlyStopping !== undefined) {
        const module = await import('./early-stopping.js');
        stopping = module.earlyStopping(model, earlyStopping, outcome);
      }
      course = await stepper.open(dataset, 'step');
      for (let epoch = 1; epoch <= epochs && signal?.aborted !== true; epoch++) {
        let entry = await runEpoch(stepper, evaluator, course, dataset.length, epoch, state, options);
        if (entry === undefined) break;
        if (validation !== undefined) entry = { ...entry, validation: await evaluator.evaluate(validation) };
        if (schedule?.observe !== undefined) {
          const at = { epoch: stepper.progress.epochs, step: 0, steps: entry.steps };
          state = schedule.observe(entry, at, state);
          stepper.progress.scheduled = { spec: schedule.spec, state };
        }
        history.push(entry);
        const isOver = stopping?.observe(entry) ?? false;
        await onEpoch?.(entry);
        if (isOver) break;
      }
      if (signal?.aborted !== true) stopping?.restore();
    } finally {
      stopping?.dispose();
      course?.dispose();
    }
    return history;
  };
}

/** One epoch: shuffles, replays the plan, and reports a little behind the GPU. @returns `undefined` if it was aborted */
async function runEpoch<M extends AnyMetric>(
  stepper: Stepper,
  evaluator: Evaluator<M>,
  course: Course,
  samples: number,
  epoch: number,
  state: ScheduleState | undefined,
  { signal, shuffle = true, onNotFinite = 'stop', onStep, schedule }: FitOptions<M>,
): Promise<EpochResult<M> | undefined> {
  const { pace, training } = stepper;
  const { batch, model } = training;
  const steps = Math.ceil(samples / batch);
  const { feed } = course;
  const { status } = feed.results;
  const { steps: firstStep, epochs } = stepper.progress;
  stepper.progress.epochs += 1;
  feed.dataset?.check('fit');
  course.begin(shuffle ? new Random(model.spec.seed, epochs + 1) : undefined);
  clear(feed.results);
  status.write(new Uint32Array(status.length).fill(NONE));
  // A signal may outlive many epochs: what listens to it goes with this one.
  const over = new AbortController();
  const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve, { signal: over.signal }));
  const ended = Promise.race([aborted, model.device.lost]).then(() => undefined);
  const reports = new Reports(model.device, [status, ...counters(feed.results)]);
  const rateOf = (step: number): number => {
    const { learningRate } = stepper.progress;
    return schedule?.rate(learningRate, { epoch: epochs, step, steps }, state) ?? learningRate;
  };
  // A pause puts it off, too.
  let started = performance.now();
  let reported = { sums: NOTHING, time: started };
  let queued = 0;
  pace.begin(feed.plan);
  stepper.midEpoch = true;

  /** Passes on what has come back since the last call. */
  const deliver = async (): Promise<void> => {
    // Of several reports that came together the last one says it all: sums and status only grow.
    const report = reports.take().at(-1);
    if (report === undefined) return;
    const { tag: step, time, values } = report;
    const [statusRead, ...sumsRead] = values as [ArrayBuffer, ...ArrayBuffer[]];
    const before = reported;
    const sums = sumsOf(feed.results, sumsRead, Math.min(step * batch, samples));
    if (onNotFinite === 'stop') refuseNotFinite(stepper, new Uint32Array(statusRead), firstStep, epoch, before.sums);
    reported = { sums, time };
    const since = difference(sums, before.sums);
    if (since.rows === 0) return;
    const samplesPerSecond = (1000 * since.rows) / Math.max(time - before.time, 1e-3);
    await onStep?.({ ...evaluator.of(since), epoch, step, steps, samplesPerSecond });
  };

  try {
    while (queued < steps && signal?.aborted !== true) {
      const next = course.part(queued);
      const part = next instanceof Promise ? await Promise.race([next, ended]) : next;
      stepper.check();
      if (part === undefined) continue;
      if (pace.pause !== undefined) {
        await reports.settled();
        await deliver();
        const from = performance.now();
        // Whatever else ends fit ends the pause too.
        if (!signal?.aborted) await Promise.race([pace.pause, ended]);
        stepper.check();
        const until = performance.now();
        started += until - from;
        reported = { ...reported, time: until };
        continue;
      }
      const first = queued - part.first;
      const copies = (done: number): BufferCopy[] => reports.copies(part.first + done, part.first + done === steps);
      const count = stepper.replay('fit', part, first, Math.min(pace.steps, part.steps - first), copies, rateOf);
      reports.map();
      queued += count;
      await pace.submitted(count, model.device.idle());
      stepper.check();
      await deliver();
    }
    await reports.settled();
    stepper.check();
    await deliver();
  } finally {
    stepper.midEpoch = false;
    over.abort();
    reports.dispose();
  }
  if (queued < steps) return undefined;
  const seconds = (performance.now() - started) / 1000;
  return { ...evaluator.of(reported.sums), epoch, steps, learningRate: stepper.latestRate, seconds };
}

/** Looks at what `status` was. @param before sums of the report before @throws {NotFiniteError} that names step and layer */
function refuseNotFinite(
  { training, latestRate }: Stepper,
  status: Uint32Array,
  firstStep: number,
  epoch: number,
  before: Sums,
): void {
  const step = Math.min(...status);
  if (step === NONE) return;
  const layer = status.indexOf(step) - 1;
  const what =
    layer < 0 ? 'the loss' : `a parameter of layer ${layer} (${training.model.layers[layer]?.layer.spec.type ?? ''})`;
  const last = before.rows > 0 ? ` The mean loss before was ${before.loss / before.weight}.` : '';
  throw new NotFiniteError(
    `fit: ${what} is not finite after step ${step} (epoch ${epoch}, its step ${step - firstStep}) at learning rate ${latestRate}.${last} Use a smaller learning rate, normalise the inputs, or look for extreme values in the data.`,
    step,
    layer < 0 ? 'loss' : `${layer}`,
  );
}
