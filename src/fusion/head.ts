import { denseHead, MOST_CLASSES } from '../kernels/dense-head.js';
import { LONGEST_SUM } from '../kernels/matmul/variants.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import { Tensor } from '../plan/tensor.js';
import { binds, type Fused, isCrossEntropy, isGather, isMatmul, notPlain, refusal, sameStart } from './match.js';

/** Replaces the last layer, the loss and the first dX by one `denseHead`, which does not store the logits. */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const call = dispatches.find(isCrossEntropy);
  const gather = dispatches.find(isGather);
  const obstacle = notPlain(dispatches);
  if (obstacle !== undefined) return obstacle;
  if (call === undefined || gather === undefined) return undefined;
  const { logits, labels, outputs, step } = call.computes;
  const { gradient, ...sums } = outputs;
  const matmuls = dispatches.filter(isMatmul);
  const last = matmuls.find(({ computes: { C } }) => C === logits);
  if (last === undefined || labels !== gather.computes.Y) return 'the logits are not those of a linear layer';
  const { A: Y, B: W, bias, activation = 'linear', transposeA, transposeB } = last.computes;
  if ('source' in Y || activation !== 'linear' || transposeA || transposeB) return 'the last layer is not linear';
  const [inputs = 1, classes = 1] = W.shape;
  if (bias !== undefined && (bias.storage !== W.storage || bias.start !== W.start + W.length)) {
    return 'the biases do not follow the weights';
  }
  const below = matmuls.find(({ computes: { A, B, transposeB: isDX } }) => A === gradient && isDX && sameStart(B, W));
  const replaced: readonly Dispatch[] = [last, call, ...(below === undefined ? [] : [below])];
  const others = dispatches.filter((dispatch) => !replaced.includes(dispatch));
  const reader = others.find((dispatch) => binds(dispatch, logits.storage));
  if (reader !== undefined) return `${reader.label} reads the logits too`;
  if (inputs > LONGEST_SUM) return `sums of ${inputs} products are added up in runs`;
  if (classes > MOST_CLASSES) return `${classes} classes are more than ${MOST_CLASSES}`;
  const needsGradient = below !== undefined || others.some((dispatch) => binds(dispatch, gradient.storage));
  const head = denseHead(
    Y,
    new Tensor(W.storage, W.start, [inputs + (bias === undefined ? 0 : 1), classes], 'f32'),
    gather.computes.source,
    needsGradient ? { ...sums, gradient, dX: below?.computes.C } : sums,
    step,
    below?.computes.activationGradient,
  );
  const reason = refusal(head, adapter);
  if (reason !== undefined) return reason;
  const withHead = recorded.map(({ phase, dispatch }) => ({ phase, dispatch: dispatch === call ? head : dispatch }));
  return { recorded: withHead.filter(({ dispatch }) => !replaced.includes(dispatch)) };
}
