import shader from '../../shaders/data/gather-rows.wgsl';
import { formatShape } from '../base/check.js';
import { ShapeError } from '../base/errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** Columns that an invocation converts, and invocations of a workgroup. */
const COLUMNS = 4;
const WORKGROUP = 64;

/**
 * Labels, with which rows are compared: (rows, 1) class indices as u32, or (rows, outputs) numbers as float32. With one more
 * column the last has the float32 weight of each row.
 */
export type LabelTensor = Tensor<'u32'> | Tensor;

/** The source of batches. */
export interface RowSource {
  /** (samples, columns): bytes or float32. */
  readonly data: Tensor<'u8'> | Tensor;
  /** (samples, words): class indices as u32 or numbers as float32, and their weights if there is one column more. */
  readonly labels: LabelTensor;
  /** Row numbers, in the order in which batches take them. */
  readonly order: Tensor<'u32'>;
  /** (columns, 2): scale and shift of each feature. */
  readonly normalization: Tensor;
  /** Scale and shift, if all features have the same: then a matmul can convert the rows where it loads them. */
  readonly common?: readonly [number, number] | undefined;
}

/** Labels of a batch's rows; or a data set's, and the order in which a batch takes them. */
export type Labels = LabelTensor | Pick<RowSource, 'labels' | 'order'>;

/** The mathematics of a dispatch that compares a batch with its labels. */
export interface LabelledComputation {
  readonly kind: 'softmax-cross-entropy' | 'elementwise-loss' | 'accumulator';
  readonly labels: Labels;
  /** Describes the same with other labels, such as those of a data set. */
  with(labels: Labels): LabelledDispatch;
}

/** A dispatch that compares a batch with its labels, and can take them from a data set instead. */
export interface LabelledDispatch extends Dispatch {
  /** @internal */
  readonly computes: LabelledComputation;
}

/** The form in which a kernel reads labels. */
export interface LabelForm {
  readonly labels: LabelTensor;
  readonly order: Tensor<'u32'> | undefined;
  /** Class indices; else a number for each output. */
  readonly indices: boolean;
  /** The last word is the row's weight. */
  readonly weighted: boolean;
  /** Of a row. */
  readonly words: number;
}

/** The form of the labels of (rows, outputs). @throws {ShapeError} if they have another shape */
export function labelForm(where: string, labels: Labels, rows: number, outputs: number): LabelForm {
  const order = 'order' in labels ? labels.order : undefined;
  const stored = 'order' in labels ? labels.labels : labels;
  const [count = 0, words = 0] = stored.shape;
  const indices = stored.dtype === 'u32';
  const plain = indices ? 1 : outputs;
  if ((order === undefined && count !== rows) || (words !== plain && words !== plain + 1)) {
    throw new ShapeError(
      `${where}: outputs are (${rows}, ${outputs}), but labels are ${formatShape(stored.shape)} ${stored.dtype}; they are (${rows}, 1) indices as u32 or (${rows}, ${outputs}) numbers as f32, and one more column has weights.`,
    );
  }
  return { labels: stored, order, indices, weighted: words > plain, words };
}

/** A batch that no dispatch has to write: each reader takes it from the source, as `gatherRows` would have written it. */
export interface GatheredRows {
  readonly source: RowSource & { readonly common: readonly [number, number] };
  /** Rows of the batch. */
  readonly batch: number;
  readonly step: StepValues | typeof PER_STEP;
}

/** The work of a `gatherRows`: rows of the source go to X, and their labels to Y. */
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

/** The batch as an operand of its readers, or why they cannot convert it themselves. */
export function asOperand({ source, X, step }: GatherComputation): GatheredRows | string {
  const { data, common } = source;
  const [batch = 1, columns = 1] = X.shape;
  if (common === undefined) return 'features are normalised each in its own way';
  if (data.dtype === 'u8' && columns % 4 !== 0) return `${columns} bytes are no whole number of words`;
  return { source: { ...source, common }, batch, step };
}

/**
 * Describes X[b] = data[order[first + b]]·scale + shift, and the labels of the same rows; `shaders/data/gather-rows.wgsl`
 * tells how.
 * @param X (batch, columns), overwritten
 * @param Y (batch, words), overwritten
 * @param step where the batch begins and how many of its rows are valid; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
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
