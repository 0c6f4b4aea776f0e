import type { GatherDispatch, LabelledDispatch } from '../kernels/gather-rows.js';
import type { MatmulDispatch } from '../kernels/matmul/matmul.js';
import type { SgdDispatch } from '../kernels/sgd.js';
import type { CrossEntropyDispatch } from '../kernels/softmax-cross-entropy.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import type { DType, Tensor, TensorStorage } from '../plan/tensor.js';

/** A step that a pass has rewritten. */
export interface FusedStep {
  /** The dispatches of the step, in the order in which they run. */
  readonly recorded: readonly Recorded[];
  /** The line about this pass in the plan's text. Default: `fused: ` and the name of the pass. */
  readonly note?: string;
  /** Storages that the pass adds: the rewritten dispatches write and read them within the step. */
  readonly transient?: readonly TensorStorage[];
}

/**
 * The result of a pass: the rewritten step; or the reason why the step stays as it is; or `undefined` for a step with
 * nothing to fuse.
 */
export type Fused = FusedStep | string | undefined;

/**
 * A pass over a recorded step. It matches the computations of the dispatches, and knows nothing of the layers and
 * losses that recorded them.
 */
export interface Pass {
  /** The name in the plan's text. */
  readonly name: string;
  /** Rewrites a step for an adapter. */
  fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused;
}

export const isMatmul = (dispatch: Dispatch): dispatch is MatmulDispatch => dispatch.computes?.kind === 'matmul';
export const isGather = (dispatch: Dispatch): dispatch is GatherDispatch => dispatch.computes?.kind === 'gather';
export const isSgd = (dispatch: Dispatch): dispatch is SgdDispatch => dispatch.computes?.kind === 'sgd';
export const isCrossEntropy = (dispatch: Dispatch): dispatch is CrossEntropyDispatch =>
  dispatch.computes?.kind === 'softmax-cross-entropy';

const LABELLED: readonly unknown[] = ['softmax-cross-entropy', 'elementwise-loss', 'accumulator'];
export const isLabelled = (dispatch: Dispatch): dispatch is LabelledDispatch =>
  LABELLED.includes(dispatch.computes?.kind);

/**
 * The reason why the loss of a step cannot be part of a fused kernel, which computes only softmax-cross-entropy without
 * options; `undefined` if it can, or if there is no loss.
 */
export function notPlain(dispatches: readonly Dispatch[]): string | undefined {
  const loss = dispatches.find(isLabelled);
  if (loss === undefined) return undefined;
  if (!isCrossEntropy(loss)) return `${loss.label} is no softmax-cross-entropy`;
  return loss.computes.more && `it has no ${loss.computes.more}`;
}

/** The reason not to use a dispatch on an adapter: the adapter cannot run it, or prefers none of its programs. */
export function refusal({ programs }: Dispatch, adapter: AdapterTraits): string | undefined {
  const possible = programs.filter(({ suits }) => suits(adapter));
  if (possible.length === 0) return 'the adapter cannot run it';
  return possible.some(({ prefers }) => prefers(adapter)) ? undefined : 'the adapter is faster without';
}

/** True if a dispatch reads or writes a tensor in the storage. */
export function binds({ buffers }: Dispatch, storage: TensorStorage): boolean {
  return Object.values(buffers).some((tensor) => tensor?.storage === storage);
}

/** True for two tensors that begin at the same element of one storage. */
export const sameStart = (a: Tensor<DType>, b: Tensor<DType>): boolean =>
  a.storage === b.storage && a.start === b.start;
