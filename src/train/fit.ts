import { Owner } from '../base/owner.js';
import { Random } from '../base/random.js';
import type { Dataset } from '../data/dataset.js';
import { checkAlike, type DataDescription, descriptionOf } from '../model/description.js';
import type { ModelSpec } from '../model/model.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Outcome } from '../nn/schedules/monitor.js';
import type { Schedule, ScheduleState } from '../nn/schedules/schedule.js';
import type { BufferCopy } from '../plan/memory.js';
import { onDeviceLost } from '../plan/on-device-lost.js';
import { ALL_FINITE, clear, counters, difference, sumsOf, ZERO_SUMS } from './accumulators.js';
import { checkDataset, type EpochIterator } from './batches.js';
import type { EarlyStopping } from './early-stopping.js';
import type { Evaluator } from './evaluate.js';
import type { FiniteState } from './finite-state.js';
import { checkFitOptions, checkShare, type EpochResult, type FitOptions, type History } from './options.js';
import { Readbacks } from './readback.js';
import type { Session } from './session.js';

/**
 * Checks the options and data sets of `fit`.
 * @returns a function that trains, and returns one entry for each completed epoch
 * @throws {MlpError|DataError|ShapeError} if an option or a data set does not fit; nothing is queued
 */
export function prepareFit<M extends AnyMetric>(
  session: Session,
  evaluator: Evaluator<M>,
  dataset: Dataset,
  options: FitOptions<M>,
): () => Promise<History<M>> {
  const { model, loss } = session;
  const numbers = evaluator.of(ZERO_SUMS);
  const outcome = options?.validation === undefined ? numbers : { ...numbers, validation: numbers };
  checkFitOptions(options, outcome);
  checkDataset('fit', dataset, model, loss);
  const { validation } = options;
  if (typeof validation === 'number') checkShare(validation, dataset);
  else if (validation !== undefined) {
    checkDataset('fit: validation', validation, model, loss);
    checkAlike('fit', validation, learned(model.spec, dataset), 'the validation set', 'the training set');
  }
  return async () => {
    const owner = new Owner();
    try {
      const sets = setsOf(dataset, validation, model.spec.seed, owner);
      return await trainEpochs(session, evaluator, sets, options, outcome, owner);
    } finally {
      owner.dispose();
    }
  };
}

/** Description of the data of a model with that of a training set. The model keeps what it has. */
function learned({ classNames = [], encoder }: ModelSpec, dataset: Dataset): DataDescription {
  const more = dataset.classNames ?? [];
  const names = more.length > classNames.length ? more : classNames;
  return descriptionOf({
    classNames: names.length > 0 ? names : undefined,
    encoder: encoder ?? dataset.encoder,
  });
}

/** The data sets of a `fit`. */
interface DataSets {
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
}

/** The data sets of a `fit`: those given, or two parts of the one given, which `owner` disposes of. */
function setsOf(dataset: Dataset, validation: Dataset | number | undefined, seed: number, owner: Owner): DataSets {
  if (typeof validation !== 'number') return { train: dataset, validation };
  const [held, train] = dataset.split(validation, { seed });
  return { train: owner.own(train), validation: owner.own(held) };
}

/** Trains epoch by epoch. @param outcome an example of an epoch's result @param owner gets what is allocated */
async function trainEpochs<M extends AnyMetric>(
  session: Session,
  evaluator: Evaluator<M>,
  { train, validation }: DataSets,
  options: FitOptions<M>,
  outcome: Outcome,
  owner: Owner,
): Promise<History<M>> {
  const { model } = session;
  const { epochs, signal, onEpoch, schedule, restart, earlyStopping, onNotFinite } = options;
  let { updates } = model.access;
  let stopping: EarlyStopping | undefined;
  if (earlyStopping !== undefined) {
    const module = await import('./early-stopping.js');
    stopping = owner.own(await module.earlyStopping(model, earlyStopping, outcome));
  }
  await session.targets?.learn(train);
  const iterator = owner.own(await session.open(train, 'step'));
  const { accumulators } = iterator.source;
  const readbacks = await model.device.guarded('fit', () =>
    owner.own(new Readbacks(model.device, [accumulators.status, ...counters(accumulators)])),
  );
  if (restart === true) {
    session.progress.scheduleStart = session.progress.epochs;
    session.progress.scheduled = undefined;
  }
  const finite = onNotFinite === 'restore' ? owner.own(await keptState(session)) : undefined;
  session.check();
  model.learns(learned(model.spec, train));
  const isOutdated = (): boolean => model.access.updates !== updates;
  const followOthers = (): boolean => {
    if (!isOutdated()) return false;
    updates = model.access.updates;
    stopping?.forget();
    finite?.keep('they were after an update during a pause');
    return true;
  };
  const { scheduled, scheduleStart = 0 } = session.progress;
  const continues = JSON.stringify(schedule?.spec) === JSON.stringify(scheduled?.spec);
  // A schedule that continues from an earlier `fit` keeps its state.
  let state = continues ? scheduled?.state : undefined;
  const history: History<M> = [];
  for (let epoch = 1; epoch <= epochs && signal?.aborted !== true; epoch++) {
    const trained = await runEpoch(session, evaluator, iterator, readbacks, train.length, epoch, state, options, {
      finite,
      isOutdated,
      followOthers,
    });
    if (trained === undefined) break;
    const entry = validation === undefined ? trained : { ...trained, validation: await evaluator.evaluate(validation) };
    if (schedule?.observe !== undefined) {
      const at = { epoch: session.progress.epochs - scheduleStart, step: 0, steps: entry.steps };
      state = schedule.observe(entry, at, state);
      session.progress.scheduled = { spec: schedule.spec, state };
    }
    finite?.keep(`they were after epoch ${epoch}`);
    history.push(entry);
    const isOver = !followOthers() && stopping?.observe(entry) === true;
    await onEpoch?.(entry);
    // The function may have disposed of the model.
    if (epoch < epochs || stopping !== undefined) session.check();
    if (isOver) break;
  }
  if (!followOthers() && signal?.aborted !== true) stopping?.restore();
  return history;
}

/** Keeps the state of a session for `onNotFinite: "restore"`. */
async function keptState(session: Session): Promise<FiniteState> {
  const { finiteState } = await import('./finite-state.js');
  return await finiteState(session);
}

/** The state of a fit around its epochs. */
interface AroundEpochs {
  /** The latest finite state, with `onNotFinite: "restore"`. */
  readonly finite: FiniteState | undefined;
  /** True if others have updated the model, during a pause, since `followOthers` was called. */
  readonly isOutdated: () => boolean;
  /** Takes the model as others have left it. @returns true if they have updated it */
  readonly followOthers: () => boolean;
}

/**
 * Trains one epoch: shuffles, replays the plan, and reports shortly after the device.
 * @returns `undefined` if it was aborted
 */
async function runEpoch<M extends AnyMetric>(
  session: Session,
  evaluator: Evaluator<M>,
  iterator: EpochIterator,
  readbacks: Readbacks,
  samples: number,
  epoch: number,
  state: ScheduleState | undefined,
  { signal, shuffle = true, onNotFinite, onStep, schedule }: FitOptions<M>,
  { finite, isOutdated, followOthers }: AroundEpochs,
): Promise<EpochResult<M> | undefined> {
  const { pace, batch, model, every } = session;
  const batches = Math.ceil(samples / batch);
  const steps = Math.ceil(batches / every);
  const { source } = iterator;
  const { status } = source.accumulators;
  const { steps: firstStep, epochs, scheduleStart = 0 } = session.progress;
  followOthers();
  session.progress.epochs += 1;
  source.dataset?.check('fit');
  iterator.begin(shuffle ? new Random(model.spec.seed, epochs + 1) : undefined);
  clear(source.accumulators);
  status.write(new Uint32Array(status.length).fill(ALL_FINITE));
  // The signal and the device may outlive many epochs, so the listeners on them are removed at the end of this epoch.
  const over = new AbortController();
  const ended = new Promise<undefined>((resolve) => {
    const end = (): void => resolve(undefined);
    signal?.addEventListener('abort', end, { signal: over.signal });
    over.signal.addEventListener('abort', onDeviceLost(model.device, end));
  });
  const rateOf = (step: number): number => {
    const { learningRate } = session.progress;
    return schedule?.rate(learningRate, { epoch: epochs - scheduleStart, step, steps }, state) ?? learningRate;
  };
  if ([0, Math.floor(steps / 2), steps - 1].every((step) => rateOf(step) === 0)) warnOfEnd(session, epoch, schedule);
  // A pause moves the start, so that `seconds` excludes the pause.
  let started = performance.now();
  let reported = { sums: ZERO_SUMS, time: started, step: 0 };
  /** Batches that are queued. */
  let queued = 0;
  pace.begin(source.plan);
  session.midEpoch = true;

  /** Checks a copy of `status`. @throws {NotFiniteError} unless all is finite, or `onNotFinite` is `"ignore"` */
  const check = async (copy: Uint32Array): Promise<void> => {
    if (onNotFinite === 'ignore' || copy.every((word) => word === ALL_FINITE)) return;
    const { notFinite } = await import('./finite-state.js');
    throw notFinite(session, copy, firstStep, epoch, reported.sums, finite);
  };
  /** Reports the sums that have arrived since the last call. */
  const deliver = async (): Promise<void> => {
    // The latest of several readbacks includes the others: sums accumulate, and `status` keeps the first failure.
    const report = readbacks.take().at(-1);
    if (report === undefined) return;
    const { tag: done, time, values } = report;
    const [statusRead, ...sumsRead] = values as [ArrayBuffer, ...ArrayBuffer[]];
    const before = reported;
    const sums = sumsOf(source.accumulators, sumsRead, Math.min(done * batch, samples));
    await check(new Uint32Array(statusRead));
    const step = done === batches ? steps : Math.floor(done / every);
    // A step of several batches is reported as a whole.
    if (step === before.step) return;
    reported = { sums, time, step };
    const since = difference(sums, before.sums);
    const samplesPerSecond = (1000 * since.rows) / Math.max(time - before.time, 1e-3);
    await onStep?.({ ...evaluator.of(since), epoch, step, steps, samplesPerSecond });
  };

  try {
    while (queued < batches && signal?.aborted !== true) {
      const next = iterator.shard(queued);
      const shard = next instanceof Promise ? await Promise.race([next, ended]) : next;
      session.check();
      if (shard === undefined) continue;
      if (isOutdated()) {
        // The state of the steps so far must be known to be finite before it is kept.
        await check(await status.read());
        followOthers();
      }
      if (pace.pause !== undefined) {
        await readbacks.settled();
        await deliver();
        const from = performance.now();
        // The signal, and the loss of the device, also end the pause.
        if (!signal?.aborted) await Promise.race([pace.pause, ended]);
        if (!signal?.aborted) await Promise.race([model.access.regained(session), ended]);
        session.check();
        const until = performance.now();
        started += until - from;
        reported = { ...reported, time: until };
        continue;
      }
      const first = queued - shard.first;
      const copies = (done: number): BufferCopy[] =>
        readbacks.copies(shard.first + done, shard.first + done === batches);
      const count = session.replay('fit', shard, first, Math.min(pace.steps, shard.steps - first), copies, rateOf);
      readbacks.map();
      queued += count;
      await pace.submitted(count, model.device.idle());
      session.check();
      await deliver();
    }
    await readbacks.settled();
    session.check();
    await deliver();
  } finally {
    session.midEpoch = false;
    over.abort();
  }
  if (queued < batches) return undefined;
  const seconds = (performance.now() - started) / 1000;
  return { ...evaluator.of(reported.sums), epoch, steps, learningRate: session.latestRate, seconds };
}

/** Warns, once for each trainer, that a schedule has come to its end, so that an epoch changes nothing. */
function warnOfEnd(session: Session, epoch: number, schedule: Schedule | undefined): void {
  if (session.toldOfEnd || session.progress.learningRate === 0) return;
  session.toldOfEnd = true;
  console.warn(
    `fit: the schedule ${schedule?.spec.type} has come to its end: its learning rate in epoch ${epoch} is 0, so the model does not learn. Pass { restart: true } to begin the schedule again, or no schedule.`,
  );
}
