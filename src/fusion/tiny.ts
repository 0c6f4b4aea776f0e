import type { MatmulDispatch } from '../kernels/matmul/matmul.js';
import { onSoftware } from '../kernels/software/adapter.js';
import { PREDICTED_AT_ONCE, tinyNet } from '../kernels/tiny-net.js';
import { predictTiny, trainTiny } from '../kernels/train-tiny.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import type { Recorded } from '../plan/plan.js';
import { Tensor } from '../plan/tensor.js';
import { binds, type Fused, isCrossEntropy, isGather, isMatmul, isSgd, notPlain, refusal, same } from './match.js';

/** A small network needs no memory but a workgroup's, and one dispatch for many steps. */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const [gather, loss, update] = [dispatches.find(isGather), dispatches.find(isCrossEntropy), dispatches.find(isSgd)];
  if (gather === undefined) return undefined;
  const other = notPlain(dispatches);
  if (other !== undefined) return other;
  const { source, X, Y, step: gathered } = gather.computes;
  const matmuls = dispatches.filter(isMatmul);
  const forward: MatmulDispatch[] = [];
  for (let input = X; ; ) {
    const next = matmuls.find(
      ({ computes: { A, transposeA, transposeB } }) => !('source' in A) && same(A, input) && !transposeA && !transposeB,
    );
    if (next === undefined || forward.includes(next)) break;
    forward.push(next);
    input = next.computes.C;
  }
  const last = forward.at(-1);
  if (last === undefined) return matmuls.length === 0 ? undefined : 'no matmul takes the batch as it is';
  // What else the step does, the one kernel would leave out.
  const known = new Set<Dispatch | undefined>([gather, loss, update, ...(loss === undefined ? forward : matmuls)]);
  const rest = recorded.filter(({ dispatch }) => !known.has(dispatch));
  const gone = [X.storage, Y.storage, ...forward.slice(0, -1).map(({ computes: { C } }) => C.storage)];
  const odd = rest.find(({ dispatch }) => loss !== undefined || gone.some((storage) => binds(dispatch, storage)));
  if (odd !== undefined) return `${odd.dispatch.label} is not part of it`;
  if (loss !== undefined && loss.computes.logits !== last.computes.C) return 'the loss is not that of the last layer';
  if (update !== undefined && !isBackpropagation(matmuls, forward)) return 'its gradients are not those of its layers';
  const parameters = inOrder(forward);
  if (parameters === undefined) return 'its parameters are not those of layers in their order';
  const [batch = 1, inputs = 1] = X.shape;
  const layers = forward.map(({ computes: { B, bias, activation = 'linear' } }) => ({
    type: 'dense',
    units: B.shape[1] ?? 1,
    activation,
    bias: bias !== undefined,
  }));
  const rows = loss === undefined ? Math.min(batch, PREDICTED_AT_ONCE) : batch;
  const net = tinyNet(inputs, layers, rows, onSoftware(adapter));
  if (typeof net === 'string') return net;
  if (loss === undefined) {
    const tiny = predictTiny(net, source, parameters, last.computes.C, gathered);
    return { recorded: [{ phase: 'main', dispatch: tiny }, ...rest] };
  }
  const { outputs, step } = loss.computes;
  if (outputs.packed === undefined) return undefined;
  // A step notes the layer whose parameters are not finite, by a number of its own.
  if (update !== undefined && outputs.status.length !== forward.length + 1) return 'it has layers that do nothing';
  const optimizer = update && { ...update.computes.hyper, velocity: update.computes.velocity };
  const sums = { results: outputs.packed, status: outputs.status };
  const tiny = trainTiny(net, source, parameters, sums, optimizer, step);
  return refusal(tiny, adapter) ?? { recorded: [{ phase: 'step', dispatch: tiny }] };
}

/** True if the matmuls beside those of the layers are Xᵀ·dZ of each, and dZ·Wᵀ of each but the first. */
function isBackpropagation(matmuls: readonly MatmulDispatch[], layers: readonly MatmulDispatch[]): boolean {
  const others = matmuls.filter((matmul) => !layers.includes(matmul));
  const known = others.filter(({ computes: { A, B, transposeA, transposeB } }) =>
    layers.some(({ computes: { A: X, B: W } }) =>
      transposeA ? !('source' in A || 'source' in X) && same(A, X) : transposeB === true && same(B, W),
    ),
  );
  return others.length === 2 * layers.length - 1 && known.length === others.length;
}

/** The parameters of layers, if they are [W; b] from the beginning of one tensor, each from a block on. */
function inOrder(layers: readonly MatmulDispatch[]): Tensor | undefined {
  let start = 0;
  for (const { computes } of layers) {
    const { B: W, bias: b } = computes;
    const isNext = W.start === start && W.storage === layers[0]?.computes.B.storage;
    if (!isNext || (b !== undefined && (b.storage !== W.storage || b.start !== W.start + W.length))) return undefined;
    start = Math.ceil((start + W.length + (b?.length ?? 0)) / PARAMETER_BLOCK) * PARAMETER_BLOCK;
  }
  const storage = layers[0]?.computes.B.storage;
  return storage && new Tensor(storage, 0, [start], 'f32');
}
