import { MlpError } from '../base/errors.js';
import type { Owner } from '../base/owner.js';
import { batchShare } from '../kernels/batch-share.js';
import type { LabelTensor } from '../kernels/gather-rows.js';
import { runningAverage } from '../kernels/running-average.js';
import { PlanBuilder } from '../plan/builder.js';
import { PER_STEP } from '../plan/dispatch.js';
import type { BufferCopy } from '../plan/memory.js';
import type { Plan } from '../plan/plan.js';
import type { StepRecord, StepRecords } from '../plan/step-records.js';
import { Tensor } from '../plan/tensor.js';
import type { BatchSource, Shard } from './batches.js';
import { recordUpdate, type StepParts } from './step.js';
import { STEP_CAPACITY } from './submit-pace.js';

/** The session that accumulates: what its steps are recorded from, and its progress. */
interface Accumulating extends StepParts {
  readonly progress: { steps: number };
  latest: BatchSource | undefined;
  latestRows: number;
  latestRate: number;
}

/**
 * Gradient accumulation: a step has several batches, whose plans end in the mean of their gradients so far, and then one
 * update by that mean, which is a plan of its own. A batch counts by its number of rows, or by the sum of the weights of
 * their classes, so that the mean is the gradient of one large batch.
 */
export class Accumulation {
  /** Batches of a step. The last step of an epoch may have fewer. */
  readonly every: number;
  /** (batch): numbers whose mean is the loss of the step's batches so far. */
  readonly losses: Tensor;
  readonly #session: Accumulating;
  readonly #gradients: Tensor;
  /** The share of a batch in the means, and the weight of the step's batches so far. */
  readonly #share: Tensor;
  #update: Plan | undefined;
  /** Numbers of batches, after which they begin anew: a multiple of `every` that 32 bits hold. */
  readonly #numbers: number;

  private constructor(session: Accumulating, every: number, owner: Owner) {
    const { device, flatParameters } = session.model;
    this.#session = session;
    this.every = every;
    this.#numbers = every * Math.floor(2 ** 32 / every);
    this.losses = owner.own(Tensor.empty(device, [session.batch, 1], 'mean losses'));
    this.#gradients = owner.own(Tensor.empty(device, flatParameters.shape, 'mean gradients'));
    this.#share = owner.own(Tensor.empty(device, [2], 'share'));
  }

  /**
   * Allocates the means, and compiles the update.
   * @param owner of the session: disposes of both
   * @throws {MlpError} `bad-loss` if the loss does not tell its class weights; `out-of-memory`
   */
  static async create(session: Accumulating, every: number, records: StepRecords, owner: Owner): Promise<Accumulation> {
    const { loss, model, workspace } = session;
    if (loss.weighsClasses === true && loss.classWeights === undefined) {
      throw new MlpError(
        'bad-loss',
        `trainer: accumulate = ${every} needs classWeights of the loss (${loss.spec.type}), because weighsClasses is true.`,
      );
    }
    const made = await model.device.guarded('trainer', () => new Accumulation(session, every, owner));
    const builder = new PlanBuilder(undefined, workspace);
    recordUpdate(session, builder, made.#gradients);
    made.#update = owner.own(await builder.compile(model.device, 'trainer', records));
    return made;
  }

  /** Records the end of a batch's plan: the means of gradients and losses with those of the batch. */
  record(plan: PlanBuilder, gradients: Tensor, losses: Tensor, labels: LabelTensor): void {
    const { classWeights } = this.#session.loss;
    // Rows of probabilities count as rows.
    const classes =
      classWeights && labels.dtype === 'u32'
        ? { labels, weights: plan.constant('class weights of shares', classWeights) }
        : undefined;
    plan.add(batchShare(this.#share, this.every, PER_STEP, classes));
    plan.add(runningAverage(losses, this.losses, this.#share, PER_STEP, { rows: true }));
    if (this.#session.model.trainableCount > 0) {
      plan.add(runningAverage(gradients, this.#gradients, this.#share, PER_STEP));
    }
  }

  /**
   * Replays a shard's plan for consecutive batches, and the update after the last batch of each step.
   * @param first number of the first batch, within the shard
   * @param copies the copies that follow the last batch, or its update
   * @param rateOf returns the learning rate of a step of the epoch
   */
  replay(
    what: 'fit' | 'step',
    shard: Shard,
    first: number,
    wanted: number,
    copies: readonly BufferCopy[],
    rateOf: (step: number) => number,
  ): void {
    const { batch } = this.#session;
    for (let done = 0; done < wanted; ) {
      const number = shard.first + first + done;
      const within = number % this.every;
      const count = Math.min(wanted - done, this.every - within, STEP_CAPACITY);
      const records = Array.from({ length: count }, (_, i): StepRecord => {
        const begin = (first + done + i) * batch;
        const rows = Math.min(batch, shard.samples - begin);
        // Batches of a step have numbers of their own, so that each has other masks of dropout.
        const index = (this.#session.progress.steps * this.every + within + i) % this.#numbers;
        return { first: begin, rows, index, learning_rate: 0 };
      });
      done += count;
      const isStep = within + count === this.every || number + count === shard.batches;
      const last = done === wanted ? copies : [];
      shard.source.plan.run(what, records, isStep ? [] : last);
      if (isStep) this.#step(what, shard, rateOf(Math.floor(number / this.every)), last);
    }
  }

  /** Queues the update of a step. */
  #step(what: 'fit' | 'step', { source }: Shard, learning_rate: number, copies: readonly BufferCopy[]): void {
    const session = this.#session;
    const index = session.progress.steps;
    const own = session.optimizer.perStep?.(index);
    this.#update?.run(what, [{ first: 0, rows: 1, index, learning_rate, own }], copies);
    session.progress.steps += 1;
    session.latest = source;
    session.latestRows = session.batch;
    session.latestRate = learning_rate;
  }

  /** The plan of a batch, and that of the update. */
  planOf(batch: Plan): Pick<Plan, 'dispatches' | 'memory' | 'toString'> {
    const update = this.#update ?? batch;
    return {
      dispatches: [...batch.dispatches, ...update.dispatches],
      memory: batch.memory,
      toString: () => `${batch}\n\nafter each ${this.every} batches, or the last of an epoch:\n${update}`,
    };
  }
}
