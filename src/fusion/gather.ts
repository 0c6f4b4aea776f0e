import { asOperand } from '../kernels/gather-rows.js';
import type { Recorded } from '../plan/plan.js';
import { binds, type Fused, isGather, isLabelled, isMatmul } from './match.js';

/**
 * Removes the `gatherRows` of a step: each matmul and each loss or accumulator that reads the batch takes its rows from
 * the data set instead. The pass applies only if one of them reads the batch, and no other dispatch.
 */
export function fuse(recorded: readonly Recorded[]): Fused {
  const gather = recorded.map(({ dispatch }) => dispatch).find(isGather);
  if (gather === undefined) return undefined;
  const { X, Y } = gather.computes;
  const rows = asOperand(gather.computes);
  if (typeof rows === 'string') return rows;
  const others = recorded.filter(({ dispatch }) => dispatch !== gather);
  const direct = others.map((other): Recorded => {
    const { dispatch, phase } = other;
    if (isLabelled(dispatch) && dispatch.computes.labels === Y) {
      return { phase, dispatch: dispatch.computes.with(rows.source) };
    }
    const isReader =
      isMatmul(dispatch) && dispatch.computes.A === X && dispatch.computes.activationGradient === undefined;
    return isReader ? { phase, dispatch: dispatch.computes.with(rows) } : other;
  });
  // A batch that no dispatch reads is a prediction itself: that of a model whose only layers are dropouts, for example.
  if (direct.every((one, i) => one === others[i])) return 'nothing in the plan reads the batch';
  const otherReader = direct.find(({ dispatch }) => binds(dispatch, X.storage) || binds(dispatch, Y.storage));
  return otherReader === undefined ? { recorded: direct } : `${otherReader.dispatch.label} reads the batch too`;
}
