import type { LabelTensor } from '../../kernels/gather-rows.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import type { Link } from '../output.js';

/** The task that is measured: a model's outputs, and what its loss makes of them. */
export interface Task {
  /** Of a sample. */
  readonly outputs: number;
  readonly link: Link;
}

/** Sums over rows, as they have come back from the GPU. Every row counts alike: the weights of samples are the loss' alone. */
export interface Sums {
  readonly loss: number;
  /** The divisor of the loss: the rows, or what their classes weigh. */
  readonly weight: number;
  /** Rows whose largest output is that of their label; of a logistic link, outputs on their label's side. */
  readonly correct: number;
  readonly rows: number;
  /** The sums of each accumulator, in the order of its tensor. */
  readonly accumulators: ReadonlyMap<Accumulator, Float64Array>;
  /** @deprecated The earlier name of `accumulators`. */
  readonly tallies: ReadonlyMap<Accumulator, Float64Array>;
}

/**
 * The count of metrics beside the loss: one more dispatch in each step, for all metrics that give the same object. It adds to a
 * tensor of its own, which starts as zeros for each epoch and each evaluation.
 */
export interface Accumulator {
  readonly dtype: 'u32' | 'f32';
  shape(batch: number, task: Task): readonly number[];
  /** @param outputs what the loss takes: logits, or values. @param sums of `dtype` and `shape` */
  record(plan: PlanBuilder, outputs: Tensor, labels: LabelTensor, sums: Tensor | Tensor<'u32'>, task: Task): void;
  /** The sums since an earlier report; without it, the difference of each element. */
  since?(now: Float64Array, before: Float64Array): Float64Array;
}

/** @deprecated The earlier name of `Accumulator`. */
export type Tally = Accumulator;

/** A number that is reported beside the loss, under its name. A value: what it counts, and what follows from that. */
export interface Metric<Name extends string = string, Value = number> {
  readonly name: Name;
  /** Its sums, if those of the loss are not enough. */
  readonly accumulator?: Accumulator;
  /** @deprecated The earlier name of `accumulator`. */
  readonly tally?: Accumulator;
  /** The reason why it cannot measure a task, if it cannot, and what to do. */
  unfit(task: Task): string | undefined;
  value(sums: Sums, task: Task): Value;
}

/** A metric of any name and value. */
export type AnyMetric = Metric<string, unknown>;

/** For metrics of decisions: of any loss but regression's. */
export function wantsDecisions({ link }: Task): string | undefined {
  return link === 'identity'
    ? 'measures classes, but the loss learns values. Use r2() or mae(), or a loss of classes'
    : undefined;
}

/** For metrics of classes: of softmax's, or of a single logistic output's two. */
export function wantsClasses(task: Task): string | undefined {
  return task.link === 'logistic' && task.outputs > 1
    ? `measures one class a sample, but each of the ${task.outputs} outputs decides on its own. Use accuracy()`
    : wantsDecisions(task);
}
