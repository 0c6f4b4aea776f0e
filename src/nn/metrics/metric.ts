import type { LabelTensor } from '../../kernels/gather-rows.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { Link } from '../output.js';

/** The task that a metric measures: the model's outputs and their meaning. */
export interface Task {
  /** Number of outputs per sample. */
  readonly outputs: number;
  /** Meaning of the outputs, given by the loss. */
  readonly link: Link;
  /**
   * Units of the targets of each output in one unit of the outputs, by which accumulators and losses differ from the
   * values of an app: the standard deviations, if the model standardizes its targets. Default: 1 for each output.
   */
  readonly targetScale?: readonly number[] | undefined;
}

/** Sums over rows, read back from the GPU. The weights of samples affect only `loss`. */
export interface Sums {
  /** Sum of the losses. */
  readonly loss: number;
  /** Divisor of `loss`: the number of rows, or the sum of their class weights. */
  readonly weight: number;
  /**
   * Number of rows whose largest output is at the label's class; with a logistic link, number of outputs whose
   * probability is on the same side of ½ as the label.
   */
  readonly correct: number;
  /** Number of rows. */
  readonly rows: number;
  /** Elements of each accumulator's tensor. */
  readonly accumulators: ReadonlyMap<Accumulator, Float64Array>;
  /** @deprecated The earlier name of `accumulators`. */
  readonly tallies: ReadonlyMap<Accumulator, Float64Array>;
}

/**
 * Sums that a metric needs beyond those of the loss. An accumulator records one dispatch per step, which adds to a
 * tensor of its own. The tensor is zero at the start of each epoch and each evaluation. Metrics that have the same
 * object as their accumulator share it.
 */
export interface Accumulator {
  /** Element type of the tensor. */
  readonly dtype: 'u32' | 'f32';
  /** Shape of the tensor, for batches of `batch` rows. */
  shape(batch: number, task: Task): readonly number[];
  /**
   * Records the dispatch that adds a batch to `sums`.
   * @param outputs (batch, outputs): logits or values, as the loss takes them
   * @param labels as the loss takes them
   * @param sums the tensor, of `dtype` and `shape`
   */
  record(plan: PlanBuilder, outputs: Tensor, labels: LabelTensor, sums: Tensor | Tensor<'u32'>, task: Task): void;
  /** Sums since an earlier report, from the sums at both times. Default: the difference of each element. */
  since?(now: Float64Array, before: Float64Array): Float64Array;
}

/** @deprecated The earlier name of `Accumulator`. */
export type Tally = Accumulator;

/** A metric, which is reported beside the loss: an immutable value that computes a result from sums. */
export interface Metric<Name extends string = string, Value = number> {
  /** Name of the result in reports. */
  readonly name: Name;
  /** Sums that the metric needs beyond those of the loss. Default: none. */
  readonly accumulator?: Accumulator | undefined;
  /** @deprecated The earlier name of `accumulator`. Default: none. */
  readonly tally?: Accumulator | undefined;
  /**
   * Returns the reason why the metric cannot measure a task, and a remedy: the rest of a sentence that begins with the
   * metric's name, without the final period. Returns undefined if it can.
   */
  unfit(task: Task): string | undefined;
  /** Computes the result. */
  value(sums: Sums, task: Task): Value;
}

/** A metric of any name and type of result. */
export type AnyMetric = Metric<string, unknown>;

/** `Metric.unfit` of metrics that count decisions: they need a classification loss. */
export function wantsDecisions({ link }: Task): string | undefined {
  return link === 'identity'
    ? 'measures classes, but the loss learns values. Use r2() or mae(), or a classification loss'
    : undefined;
}

/**
 * `Metric.unfit` of metrics per class: they need softmax outputs, or a single logistic output, which has two classes.
 */
export function wantsClasses(task: Task): string | undefined {
  return task.link === 'logistic' && task.outputs > 1
    ? `measures one class a sample, but each of the ${task.outputs} outputs decides on its own. Use accuracy()`
    : wantsDecisions(task);
}
