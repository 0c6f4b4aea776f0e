import type { Dataset } from '../data/dataset.js';
import type { AnyMetric, Sums } from '../nn/metrics/metric.js';
import { clear, counters, sumsOf } from './accumulators.js';
import { checkDataset } from './batches.js';
import type { Stepper } from './session.js';
import { taskOf } from './step.js';
import { STEP_CAPACITY } from './submit-pace.js';

/** Mean loss and metrics over a data set, each metric's value under its name. */
export type Evaluation<M extends AnyMetric = never> = { readonly loss: number } & {
  readonly [Each in M as Each['name']]: ReturnType<Each['value']>;
};

/** Evaluates data sets, and says what sums come to. */
export class Evaluator<M extends AnyMetric> {
  readonly #stepper: Stepper;
  readonly #metrics: readonly M[];
  /** The evaluation that was asked for last. */
  #latest: Promise<unknown> = Promise.resolve();

  constructor(stepper: Stepper, metrics: readonly M[] = []) {
    this.#stepper = stepper;
    this.#metrics = metrics;
  }

  /** Mean loss and metrics of rows that were added up. */
  of(sums: Sums): Evaluation<M> {
    const { model, loss } = this.#stepper.training;
    const values: Record<string, unknown> = { loss: sums.loss / sums.weight };
    for (const metric of this.#metrics) values[metric.name] = metric.value(sums, taskOf(model, loss));
    return values as Evaluation<M>;
  }

  /** Mean loss and metrics over every sample of a data set; the last partial batch counts as it is. */
  async evaluate(dataset: Dataset): Promise<Evaluation<M>> {
    const { model, loss } = this.#stepper.training;
    this.#stepper.check();
    checkDataset('evaluate', dataset, model, loss);
    // One after the other: they add to the same sums.
    const turn = this.#latest.then(() => this.#evaluateNow(dataset));
    this.#latest = turn.catch(() => undefined);
    return await turn;
  }

  async #evaluateNow(dataset: Dataset): Promise<Evaluation<M>> {
    const stepper = this.#stepper;
    const { batch, model } = stepper.training;
    stepper.check();
    const course = await stepper.open(dataset, 'evaluate');
    const { results } = course.feed;
    const steps = Math.ceil(dataset.length / batch);
    stepper.check();
    try {
      clear(results);
      course.begin();
      for (let step = 0; step < steps; ) {
        const part = await course.part(step);
        stepper.check();
        for (let first = 0; first < part.steps; ) {
          first += stepper.replay('evaluate', part, first, Math.min(STEP_CAPACITY, part.steps - first));
        }
        step += part.steps;
        // No chunk comes before the one before it has been used.
        if (step < steps) await model.device.idle();
      }
      const read = await Promise.all(counters(results).map(async (tensor) => (await tensor.read()).buffer));
      return this.of(sumsOf(results, read, dataset.length));
    } finally {
      course.dispose();
    }
  }
}
