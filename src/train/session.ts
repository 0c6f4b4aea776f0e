import { DisposedError, ShapeError } from '../base/errors.js';
import type { Dataset } from '../data/dataset.js';
import { checkSamples } from '../data/samples.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { BufferCopy } from '../plan/memory.js';
import { type StepRecord, StepRecords } from '../plan/step-records.js';
import { type Course, checkLabels, type Feed, Feeds, type Part, residentCourse } from './batches.js';
import type { Progress } from './checkpoint.js';
import type { Training } from './step.js';
import { Pace, STEP_CAPACITY } from './submit-pace.js';

/** Brings batches to the GPU, replays what was recorded for them, and counts. */
export class Stepper {
  readonly training: Training;
  readonly pace: Pace;
  /** Where training is. */
  progress: { -readonly [Name in keyof Progress]: Progress[Name] };
  /** Whether an epoch has begun that is not over. */
  midEpoch = false;
  /** Of the step that was compiled or replayed last. */
  latest: Feed | undefined;
  /** Of the last step; 0 before the first. */
  latestRows = 0;
  /** The learning rate of the last step. */
  latestRate: number;
  /** Whether there can be no further step. */
  disposed = false;
  readonly #records: StepRecords;
  readonly #feeds: Feeds;

  constructor(training: Training, stepsPerSubmit: number | 'auto' | undefined) {
    const { learningRate } = training.optimizer.spec;
    this.training = training;
    this.pace = new Pace(stepsPerSubmit);
    this.progress = { steps: 0, epochs: 0, learningRate };
    this.latestRate = learningRate;
    this.#records = new StepRecords(training.model.device, STEP_CAPACITY);
    this.#feeds = new Feeds(training, this.#records);
  }

  /** @throws {DisposedError|DeviceLostError} */
  check(): void {
    if (this.disposed) throw new DisposedError('This trainer has been disposed. Make a new one with model.trainer().');
    this.training.model.device.check();
  }

  /** Compiles the step that is likeliest to come. */
  async prepare(): Promise<void> {
    this.latest = await this.#feeds.prepare();
  }

  /** The course of a data set. Few are streamed: what brings their chunks is loaded where one is. */
  async open(dataset: Dataset, purpose: 'step' | 'evaluate'): Promise<Course> {
    const { resident } = dataset;
    if (resident !== undefined) {
      return residentCourse(await this.#feeds.of(dataset, resident, purpose), dataset, this.training.batch);
    }
    const { StreamedCourse } = await import('./stream.js');
    return await StreamedCourse.open(this.training, this.#feeds, dataset, purpose);
  }

  /**
   * Checks a minibatch and queues its upload.
   * @returns a part of one step
   * @throws {ShapeError|DataError} before anything is queued
   */
  upload(
    what: 'step' | 'gradients',
    inputs: Uint8Array | Float32Array | ArrayLike<number>,
    targets: ArrayLike<number>,
    weights: ArrayLike<number> | undefined,
  ): Part {
    const { model, loss, batch } = this.training;
    const features = model.spec.inputs;
    const rows = inputs.length / features;
    const labelled = loss.link === 'softmax' && targets.length === rows ? { classes: targets } : { targets };
    const samples = checkSamples(what, { inputs, features, ...labelled, ...(weights && { weights }) });
    if (rows > batch) {
      throw new ShapeError(`${what}: ${rows} samples came, but batchSize = ${batch}. Pass at most that many.`);
    }
    const indices = samples.labels instanceof Uint32Array;
    checkLabels(what, { ...samples, indices }, model, loss);
    const dtype = samples.inputs instanceof Uint8Array ? 'u8' : 'f32';
    const feed = this.#feeds.ofBatch(dtype, [indices ? 'u32' : 'f32', samples.words], what);
    model.device.write(feed.source.data.buffer, 0, samples.inputs);
    model.device.write(feed.source.labels.buffer, 0, samples.labels);
    return { feed, samples: rows, first: 0, steps: 1 };
  }

  /**
   * Replays a feed's plan for batches of a part from number `first` on, in one submit.
   * @param wanted how many; a plan that takes runs gets fewer where there are more rates among them than records
   * @param copies to be made behind `done` batches of the part
   * @param rateOf the learning rate of a step of the epoch
   * @returns how many there were
   */
  replay(
    what: Purpose | 'fit',
    part: Part,
    first: number,
    wanted: number,
    copies?: (done: number) => readonly BufferCopy[],
    rateOf: (step: number) => number = () => this.progress.learningRate,
  ): number {
    const { feed, samples } = part;
    const { batch } = this.training;
    this.check();
    feed.dataset?.check(what);
    const { records, count } = this.#stepRecords(part, first, wanted, rateOf);
    feed.plan.run(what, records, copies?.(first + count));
    if (what === 'fit' || what === 'step') {
      this.progress.steps += count;
      this.latest = feed;
      this.latestRows = Math.min(batch, samples - (first + count - 1) * batch);
      this.latestRate = records.at(-1)?.learning_rate ?? this.latestRate;
    }
    return count;
  }

  /** Frees what training needs; the model keeps its weights. */
  dispose(): void {
    this.disposed = true;
    const { workspace, owners, results, adjusting } = this.training;
    const tensors = Object.values(results).flatMap(({ tallies, ...others }) => [
      ...Object.values(others),
      ...tallies.values(),
    ]);
    for (const part of [this.#feeds, this.#records, workspace, owners, adjusting, ...tensors]) part?.dispose();
  }

  /** A record for each replay: of one step, or where the plan takes runs, of as many as have the same rate. */
  #stepRecords(
    { feed: { plan }, samples, first: before }: Part,
    first: number,
    wanted: number,
    rateOf: (step: number) => number,
  ): { readonly records: readonly StepRecord[]; readonly count: number } {
    const { batch, optimizer } = this.training;
    const records: StepRecord[] = [];
    let count = 0;
    for (; count < wanted; count++) {
      const step = first + count;
      const begin = step * batch;
      const rows = Math.min(batch, samples - begin);
      const learning_rate = rateOf(before + step);
      const last = records.at(-1);
      if (plan.takesRuns && last?.learning_rate === learning_rate) {
        records[records.length - 1] = { ...last, rows: last.rows + rows };
      } else if (records.length < STEP_CAPACITY) {
        const index = this.progress.steps + count;
        records.push({ first: begin, rows, index, learning_rate, own: optimizer.perStep?.(index) });
      } else break;
    }
    return { records, count };
  }
}
