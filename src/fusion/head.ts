import { denseHead, MOST_CLASSES } from '../kernels/dense-head.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import { Tensor } from '../plan/tensor.js';
import { binds, type Fused, isCrossEntropy, isGather, isMatmul, notPlain, refusal, same } from './match.js';

/** Logits stay in the workgroup that compares them with the labels, and that goes back through the last layer. */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const call = dispatches.find(isCrossEntropy);
  const gather = dispatches.find(isGather);
  const other = notPlain(dispatches);
  if (other !== undefined) return other;
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
  const below = matmuls.find(({ computes: { A, B, transposeB: isDX } }) => A === gradient && isDX && same(B, W));
  const gone: readonly Dispatch[] = [last, call, ...(below === undefined ? [] : [below])];
  const others = dispatches.filter((dispatch) => !gone.includes(dispatch));
  const reader = others.find((dispatch) => binds(dispatch, logits.storage));
  if (reader !== undefined) return `${reader.label} reads the logits too`;
  if (classes > MOST_CLASSES) return `${classes} classes are more than ${MOST_CLASSES}`;
  const needed = below !== undefined || others.some((dispatch) => binds(dispatch, gradient.storage));
  const head = denseHead(
    Y,
    new Tensor(W.storage, W.start, [inputs + (bias === undefined ? 0 : 1), classes], 'f32'),
    gather.computes.source,
    needed ? { ...sums, gradient, dX: below?.computes.C } : sums,
    step,
    below?.computes.activationGradient,
  );
  const why = refusal(head, adapter);
  if (why !== undefined) return why;
  const replaced = recorded.map(({ phase, dispatch }) => ({ phase, dispatch: dispatch === call ? head : dispatch }));
  return { recorded: replaced.filter(({ dispatch }) => !gone.includes(dispatch)) };
}
