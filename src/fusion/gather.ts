import { asOperand } from '../kernels/gather-rows.js';
import type { Recorded } from '../plan/plan.js';
import { binds, type Fused, isGather, isLabelled, isMatmul } from './match.js';

/** A batch that only matmuls and those read who compare it with labels is taken from the data set by each of them. */
export function fuse(recorded: readonly Recorded[]): Fused {
  const gather = recorded.map(({ dispatch }) => dispatch).find(isGather);
  if (gather === undefined) return undefined;
  const { X, Y } = gather.computes;
  const rows = asOperand(gather.computes);
  if (typeof rows === 'string') return rows;
  const others = recorded.filter(({ dispatch }) => dispatch !== gather);
  const taken = others.map((other): Recorded => {
    const { dispatch, phase } = other;
    if (isLabelled(dispatch) && dispatch.computes.labels === Y) {
      return { phase, dispatch: dispatch.computes.with(rows.source) };
    }
    const takes = isMatmul(dispatch) && dispatch.computes.A === X && dispatch.computes.activationGradient === undefined;
    return takes ? { phase, dispatch: dispatch.computes.with(rows) } : other;
  });
  const odd = taken.find(({ dispatch }) => binds(dispatch, X.storage) || binds(dispatch, Y.storage));
  return odd === undefined ? { recorded: taken } : `${odd.dispatch.label} reads the batch too`;
}
