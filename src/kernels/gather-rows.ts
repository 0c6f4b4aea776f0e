import shader from '../../shaders/gather-rows.wgsl';
import { text } from '../check.js';
import { ShapeError } from '../errors.js';
import { type Dispatch, dispatch, type PER_STEP, program, type StepValues } from '../gpu/dispatch.js';
import type { Tensor } from '../gpu/tensor.js';

/** Columns that an invocation converts, and invocations of a workgroup. */
const COLUMNS = 4;
const WORKGROUP = 64;

/** Where a batch comes from. */
export interface RowSource {
  /** (samples, columns): bytes or float32. */
  readonly data: Tensor<'u8'> | Tensor;
  /** (samples, words): class indices, or float32 bits. */
  readonly labels: Tensor<'u32'>;
  /** Row numbers, in the order in which batches take them. */
  readonly order: Tensor<'u32'>;
  /** (columns, 2): scale and shift of each feature. */
  readonly normalization: Tensor;
  /** Scale and shift, if all features have the same: then a product can convert the rows where it loads them. */
  readonly common?: readonly [number, number] | undefined;
}

/** A batch that no dispatch has to write: each reader takes it from the source, as `gatherRows` would have written it. */
export interface GatheredRows {
  readonly source: RowSource & { readonly common: readonly [number, number] };
  /** Rows of the batch. */
  readonly batch: number;
  readonly step: StepValues | typeof PER_STEP;
}

/** A `gatherRows` dispatch, and what it does. */
export interface GatherDispatch extends Dispatch {
  readonly gather: {
    readonly source: RowSource;
    readonly X: Tensor;
    readonly Y: Tensor<'u32'>;
    readonly step: GatheredRows['step'];
  };
}

/** The batch as an operand of its readers, or why they cannot convert it themselves. */
export function asOperand({ gather: { source, X, step } }: GatherDispatch): GatheredRows | string {
  const { data, common } = source;
  const [batch = 1, columns = 1] = X.shape;
  if (common === undefined) return 'features are normalised each in its own way';
  if (data.dtype === 'u8' && columns % 4 !== 0) return `${columns} bytes are no whole number of words`;
  return { source: { ...source, common }, batch, step };
}

/**
 * Describes X[b] = data[order[first + b]]·scale + shift, and the labels of the same rows; `shaders/gather-rows.wgsl` tells how.
 * @param X (batch, columns), overwritten
 * @param Y (batch, words), overwritten
 * @param step where the batch begins and how many of its rows are valid; a plan fills it in at each replay
 * @throws {ShapeError} if the shapes do not fit together
 */
export function gatherRows(
  source: RowSource,
  X: Tensor,
  Y: Tensor<'u32'>,
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
      `gatherRows: X is ${text(X.shape)} and Y is ${text(Y.shape)}, but data is ${text(data.shape)}, labels are ${text(labels.shape)} and normalization is ${text(normalization.shape)}.`,
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
  return { ...described, gather: { source, X, Y, step } };
}
