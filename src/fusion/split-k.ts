import { inParts } from '../kernels/matmul/parts.js';
import { partsFor } from '../kernels/matmul/variants.js';
import type { AdapterTraits } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import { Tensor, TensorStorage } from '../plan/tensor.js';
import { type Fused, isMatmul } from './match.js';

/**
 * Replaces each matmul that would leave most of a GPU idle by two dispatches: the first computes the partial sums of
 * each part of K, the second adds them.
 */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const transient: TensorStorage[] = [];
  const split = recorded.flatMap((each) => {
    const { phase, dispatch } = each;
    if (!isMatmul(dispatch) || dispatch.computes.variant !== undefined) return each;
    const { problem } = dispatch.computes;
    const parts = partsFor(problem, adapter);
    if (parts === 1) return each;
    const { M, N } = problem;
    const sums = new TensorStorage('partials', 4 * parts * M * N);
    transient.push(sums);
    const partials = new Tensor(sums, 0, [parts, M, N], 'f32');
    return inParts(dispatch, partials).map((half) => ({ phase, dispatch: half }));
  });
  if (transient.length === 0) return undefined;
  return { recorded: split, transient, note: `split: K of ${transient.length} matmuls` };
}
