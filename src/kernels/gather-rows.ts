import shader from '../../shaders/data/gather-rows.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** Columns that an invocation converts. */
const COLUMNS = 4;
/** Invocations of a workgroup. */
const WORKGROUP = 64;

/**
 * The labels of rows: (rows, 1) class indices as u32, or (rows, outputs) targets or probabilities as float32. With one
 * more column, the last column holds the weight of each row as float32.
 */
export type LabelTensor = Tensor<'u32'> | Tensor;

/** A data set on the GPU, and the order in which batches take its samples. */
export interface RowSource {
  /** (samples, columns): features as bytes or float32. */
  readonly data: Tensor<'u8'> | Tensor;
  /** (samples, words): labels, as in `LabelTensor`. */
  readonly labels: LabelTensor;
  /** (samples): indices of samples, in the order in which batches take them. */
  readonly order: Tensor<'u32'>;
  /** (columns, 2): scale, then shift of each feature. */
  readonly normalization: Tensor;
  /** Scale and shift, if they are the same for all features: a matmul can then convert the rows. Default: none. */
  readonly common?: readonly [number, number] | undefined;
}

/** The labels of the rows of a batch; or the labels of a data set, and the order in which batches take them. */
export type Labels = LabelTensor | Pick<RowSource, 'labels' | 'order'>;

/** The mathematics of a dispatch that compares a batch with its labels. */
export interface LabelledComputation {
  readonly kind: 'softmax-cross-entropy' | 'elementwise-loss' | 'accumulator';
  readonly labels: Labels;
  /** Describes the same dispatch with other labels, such as those of a data set. */
  with(labels: Labels): LabelledDispatch;
}

/** A dispatch that compares the rows of a batch with their labels. */
export interface LabelledDispatch extends Dispatch {
  /** @internal */
  readonly computes: LabelledComputation;
}

/** The form in which a kernel reads labels. */
export interface LabelForm {
  readonly labels: LabelTensor;
  /** The order of a data set; `undefined` if the labels are those of the batch. */
  readonly order: Tensor<'u32'> | undefined;
  /** True for class indices, false for a number for each output. */
  readonly indices: boolean;
  /** True if the last word of a row is its weight. */
  readonly weighted: boolean;
  /** Words of a row. */
  readonly words: number;
}

/** Determines the form of the labels for (rows, outputs). @throws {ShapeError} if they have another shape */
export function labelForm(where: string, labels: Labels, rows: number, outputs: number): LabelForm {
  const order = 'order' in labels ? labels.order : undefined;
  const stored = 'order' in labels ? labels.labels : labels;
  const [count = 0, words = 0] = stored.shape;
  const indices = stored.dtype === 'u32';
  const plain = indices ? 1 : outputs;
  if ((order === undefined && count !== rows) || (words !== plain && words !== plain + 1)) {
    throw new ShapeError(
      `${where}: outputs are (${rows}, ${outputs}), but labels are ${formatShape(stored.shape)} ${stored.dtype}; they must be (${rows}, 1) u32 indices or (${rows}, ${outputs}) f32 numbers, with or without a column of weights.`,
    );
  }
  return { labels: stored, order, indices, weighted: words > plain, words };
}

/** A batch that is not stored: each kernel that reads it gathers the rows from the data set, as `gatherRows` would. */
export interface GatheredRows {
  /** The data set. */
  readonly source: RowSource & {
    /** Scale and shift of all features. */
    readonly common: readonly [number, number];
  };
  /** Rows of the batch. */
  readonly batch: number;
  /** First row in `order` and number of valid rows; `PER_STEP` in a recorded plan, which sets them at each replay. */
  readonly step: StepValues | typeof PER_STEP;
}

/** The computation of a `gatherRows`: copies rows of the source to X, and their labels to Y. */
export interface GatherComputation {
  readonly kind: 'gather';
  readonly source: RowSource;
  readonly X: Tensor;
  readonly Y: LabelTensor;
  readonly step: GatheredRows['step'];
}

/** A `gatherRows` dispatch, and the rows that it gathers. */
export interface GatherDispatch extends Dispatch {
  /** @internal */
  readonly computes: GatherComputation;
}

/** The batch as an operand that a matmul gathers, or the reason why a matmul cannot gather it. */
export function asOperand({ source, X, step }: GatherComputation): GatheredRows | string {
  const { data, common } = source;
  const [batch = 1, columns = 1] = X.shape;
  if (common === undefined) return 'features are normalised each in its own way';
  if (data.dtype === 'u8' && columns % 4 !== 0) return `${columns} bytes are no whole number of words`;
  return { source: { ...source, common }, batch, step };
}

/**
 * Describes a dispatch that gathers a batch from a data set. Rows past the number of valid rows repeat the last valid
 * one:
 * - X[b] = data[order[first + b]]·scale + shift
 * - Y[b] = labels[order[first + b]]
 *
 * Kernel: `shaders/data/gather-rows.wgsl`.
 * @param X (batch, columns), overwritten
 * @param Y (batch, words), overwritten
 * @param step `first` is the first row in `order`, `rows` the number of valid rows; `PER_STEP` in a recorded plan,
 * which sets them at each replay
 * @throws {ShapeError} if the shapes do not fit together
 * @example
 * gpu.run([gatherRows(source, X, Y, { first: 0, rows: 32, index: 0, learning_rate: 0 })]);
 */
export function gatherRows(
  source: RowSource,
  X: Tensor,
  Y: LabelTensor,
  step: StepValues | typeof PER_STEP,
): GatherDispatch {
  const { data, labels, order, normalization } = source;
  const [batch = 1, columns = 1] = X.shape;
  const words = Y.shape[1] ?? 1;
  if (
    data.shape[1] !== columns ||
    normalization.length !== 2 * columns ||
    labels.shape[1] !== words ||
    Y.shape[0] !== batch
  ) {
    throw new ShapeError(
      `gatherRows: X is ${formatShape(X.shape)} and Y is ${formatShape(Y.shape)}, but data is ${formatShape(data.shape)}, labels are ${formatShape(labels.shape)} and normalization is ${formatShape(normalization.shape)}.`,
    );
  }
  const described = dispatch(shader, {
    label: `gather-rows ${batch}×${columns} ${data.dtype}`,
    programs: [
      program(shader, { BYTES: data.dtype === 'u8', ALIGNED: columns % 4 === 0 }, [
        Math.ceil(Math.ceil(columns / COLUMNS) / WORKGROUP),
        batch,
      ]),
    ],
    uniforms: { dims: { columns, words }, step },
    buffers: { data, labels, order, normalization, X, Y },
    flops: 2 * batch * columns,
  });
  return { ...described, computes: { kind: 'gather', source, X, Y, step } };
}
