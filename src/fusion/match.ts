import type { GatherDispatch, LabelledDispatch } from '../kernels/gather-rows.js';
import type { MatmulDispatch } from '../kernels/matmul/matmul.js';
import type { SgdDispatch } from '../kernels/sgd.js';
import type { CrossEntropyDispatch } from '../kernels/softmax-cross-entropy.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import type { DType, Tensor, TensorStorage } from '../plan/tensor.js';

/** A step that a pass has rewritten. */
export interface FusedStep {
  readonly recorded: readonly Recorded[];
  /** The line about it in the plan's text; `fused: ` and the pass's name by default. */
  readonly note?: string;
  /** Storages that its dispatches write and read besides those that were recorded. */
  readonly transient?: readonly TensorStorage[];
}

/** The step that a pass makes of another; or the reason why it leaves it as it is; or nothing where nothing is to be fused. */
export type Fused = FusedStep | string | undefined;

/** A pass over a recorded step. The computations that were recorded decide, not the layers and losses that recorded them. */
export interface Pass {
  readonly name: string;
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

/** Kernels that end in a loss end in plain softmax-cross-entropy; the reason why a step with a loss does not. */
export function notPlain(dispatches: readonly Dispatch[]): string | undefined {
  const loss = dispatches.find(isLabelled);
  if (loss === undefined) return undefined;
  if (!isCrossEntropy(loss)) return `${loss.label} is no softmax-cross-entropy`;
  return loss.computes.more && `it has no ${loss.computes.more}`;
}

/** The reason why an adapter does better without a dispatch. */
export function refusal({ programs }: Dispatch, adapter: AdapterTraits): string | undefined {
  const possible = programs.filter(({ suits }) => suits(adapter));
  if (possible.length === 0) return 'the adapter cannot run it';
  return possible.some(({ prefers }) => prefers(adapter)) ? undefined : 'the adapter is faster without';
}

/** True if a dispatch reads or writes a storage. */
export function binds({ buffers }: Dispatch, storage: TensorStorage): boolean {
  return Object.values(buffers).some((tensor) => tensor?.storage === storage);
}

/** True for tensors that begin at the same element. */
export const same = (a: Tensor<DType>, b: Tensor<DType>): boolean => a.storage === b.storage && a.start === b.start;
