import type { Dataset } from '../data/dataset.js';
import type { AnyMetric, Sums } from '../nn/metrics/metric.js';
import { clear, counters, type ReadSums, sumsOf } from './accumulators.js';
import { checkDataset } from './batches.js';
import { type Evaluation, taskOf } from './options.js';
import type { Session } from './session.js';
import { STEP_CAPACITY } from './submit-pace.js';

/** Evaluates data sets, and says what sums come to. */
export class Evaluator<M extends AnyMetric> {
  readonly #session: Session;
  readonly #metrics: readonly M[];
  /** The evaluation that was asked for last. */
  #latest: Promise<unknown> = Promise.resolve();

  constructor(session: Session, metrics: readonly M[] = []) {
    this.#session = session;
    this.#metrics = metrics;
  }

  /** Mean loss and metrics of rows that were added up. */
  of(sums: ReadSums): Evaluation<M> {
    const { model, loss } = this.#session;
    // Metrics of an app's own may read the sums by the earlier name.
    const seen: Sums = { ...sums, tallies: sums.accumulators };
    const values: Record<string, unknown> = { loss: sums.loss / sums.weight };
    for (const metric of this.#metrics) values[metric.name] = metric.value(seen, taskOf(model, loss));
    return values as Evaluation<M>;
  }

  /** Mean loss and metrics over every sample of a data set; the last partial batch counts as it is. */
  async evaluate(dataset: Dataset): Promise<Evaluation<M>> {
    const { model, loss } = this.#session;
    this.#session.check();
    checkDataset('evaluate', dataset, model, loss);
    // One after the other: they add to the same sums.
    const turn = this.#latest.then(() => this.#evaluateNow(dataset));
    this.#latest = turn.catch(() => undefined);
    return await turn;
  }

  async #evaluateNow(dataset: Dataset): Promise<Evaluation<M>> {
    const session = this.#session;
    const { batch, model } = session;
    session.check();
    const iterator = await session.open(dataset, 'evaluate');
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
        // No chunk comes before the one before it has been used.
        if (step < steps) await model.device.idle();
      }
      const read = await Promise.all(counters(accumulators).map(async (tensor) => (await tensor.read()).buffer));
      return this.of(sumsOf(accumulators, read, dataset.length));
    } finally {
      iterator.dispose();
    }
  }
}
