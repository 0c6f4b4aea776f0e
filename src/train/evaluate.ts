import type { Dataset } from '../data/dataset.js';
import type { AnyMetric, Sums } from '../nn/metrics/metric.js';
import { clear, counters, meanLoss, type ReadSums, sumsOf } from './accumulators.js';
import { checkDataset, type EpochUse } from './batches.js';
import { type Evaluation, taskOf } from './options.js';
import type { Session } from './session.js';
import { STEP_CAPACITY } from './submit-pace.js';

/** Evaluates data sets, and computes the mean loss and the metrics from sums. */
export class Evaluator<M extends AnyMetric> {
  readonly #session: Session;
  readonly #metrics: readonly M[];
  /** Settles at the end of the last evaluation in the queue. */
  #latest: Promise<unknown> = Promise.resolve();

  constructor(session: Session, metrics: readonly M[] = []) {
    this.#session = session;
    this.#metrics = metrics;
  }

  /** Computes the mean loss and the metrics from sums over rows. */
  of(sums: ReadSums): Evaluation<M> {
    const { model, loss } = this.#session;
    // An app's own metrics may read the accumulators under their earlier name, `tallies`.
    const named: Sums = { ...sums, tallies: sums.accumulators };
    const values: Record<string, unknown> = { loss: meanLoss(sums) };
    for (const metric of this.#metrics) values[metric.name] = metric.value(named, taskOf(model, loss));
    return values as Evaluation<M>;
  }

  /**
   * Computes the mean loss and the metrics over all samples of a data set. The last batch may be partial.
   * @param averaged true to take the averaged parameters
   */
  async evaluate(dataset: Dataset, averaged = false): Promise<Evaluation<M>> {
    const { model, loss, progress } = this.#session;
    this.#session.check();
    checkDataset('evaluate', dataset, model, loss);
    // Evaluations run one after the other, because they add to the same accumulators.
    const use = averaged && progress.steps > 0 ? 'average' : 'evaluate';
    const turn = this.#latest.then(() => this.#evaluateNow(dataset, use));
    this.#latest = turn.catch(() => undefined);
    return await turn;
  }

  async #evaluateNow(dataset: Dataset, use: EpochUse): Promise<Evaluation<M>> {
    const session = this.#session;
    const { batch, model } = session;
    session.check();
    const iterator = await session.open(dataset, use);
    const { accumulators } = iterator.source;
    const steps = Math.ceil(dataset.length / batch);
    session.check();
    try {
      clear(accumulators);
      iterator.begin();
      for (let step = 0; step < steps; ) {
        const shard = await iterator.shard(step);
        session.check();
        for (let first = 0; first < shard.steps; ) {
          first += session.replay('evaluate', shard, first, Math.min(STEP_CAPACITY, shard.steps - first));
        }
        step += shard.steps;
        // The host sends no further chunk before the device has used this one.
        if (step < steps) await model.device.idle();
      }
      const read = await Promise.all(counters(accumulators).map(async (tensor) => (await tensor.read()).buffer));
      return this.of(sumsOf(accumulators, read, dataset.length));
    } finally {
      iterator.dispose();
    }
  }
}
