import type { MatmulDispatch } from '../kernels/matmul/matmul.js';
import { onSoftware } from '../kernels/software/adapter.js';
import { PREDICTED_AT_ONCE, tinyNet } from '../kernels/tiny-net.js';
import { predictTiny, trainTiny } from '../kernels/train-tiny.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import type { Recorded } from '../plan/plan.js';
import { Tensor } from '../plan/tensor.js';
import { binds, type Fused, isCrossEntropy, isGather, isMatmul, isSgd, notPlain, refusal, sameStart } from './match.js';

/**
 * Replaces the whole step of a small network by one `trainTiny`, or its forward pass by one `predictTiny`: one
 * workgroup keeps all values in its memory, and a dispatch can run many steps.
 */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const [gather, loss, update] = [dispatches.find(isGather), dispatches.find(isCrossEntropy), dispatches.find(isSgd)];
  if (gather === undefined) return undefined;
  const obstacle = notPlain(dispatches);
  if (obstacle !== undefined) return obstacle;
  const { source, X, Y, step: gathered } = gather.computes;
  const matmuls = dispatches.filter(isMatmul);
  const forward: MatmulDispatch[] = [];
  for (let input = X; ; ) {
    const next = matmuls.find(
      ({ computes: { A, transposeA, transposeB } }) =>
        !('source' in A) && sameStart(A, input) && !transposeA && !transposeB,
    );
    if (next === undefined || forward.includes(next)) break;
    forward.push(next);
    input = next.computes.C;
  }
  const last = forward.at(-1);
  if (last === undefined) return matmuls.length === 0 ? undefined : 'no matmul takes the batch as it is';
  // The one kernel computes nothing else that the step may do. A forward pass may have other dispatches too, but they
  // must not read the tensors that are no longer written.
  const known = new Set<Dispatch | undefined>([gather, loss, update, ...(loss === undefined ? forward : matmuls)]);
  const rest = recorded.filter(({ dispatch }) => !known.has(dispatch));
  const unwritten = [X.storage, Y.storage, ...forward.slice(0, -1).map(({ computes: { C } }) => C.storage)];
  const foreign = rest.find(
    ({ dispatch }) => loss !== undefined || unwritten.some((storage) => binds(dispatch, storage)),
  );
  if (foreign !== undefined) return `${foreign.dispatch.label} is not part of it`;
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
  // The kernel numbers the layers that it computes, `status` all layers of the model: both must be the same layers.
  if (update !== undefined && outputs.status.length !== forward.length + 1) return 'some layers have no dispatch';
  const optimizer = update && { ...update.computes.hyper, velocity: update.computes.velocity };
  const sums = { results: outputs.packed, status: outputs.status };
  const tiny = trainTiny(net, source, parameters, sums, optimizer, step);
  return refusal(tiny, adapter) ?? { recorded: [{ phase: 'step', dispatch: tiny }] };
}

/** True if the other matmuls of a step are Xᵀ·dZ for each layer, and dZ·Wᵀ for each layer but the first. */
function isBackpropagation(matmuls: readonly MatmulDispatch[], layers: readonly MatmulDispatch[]): boolean {
  const others = matmuls.filter((matmul) => !layers.includes(matmul));
  const known = others.filter(({ computes: { A, B, transposeA, transposeB } }) =>
    layers.some(({ computes: { A: X, B: W } }) =>
      transposeA ? !('source' in A || 'source' in X) && sameStart(A, X) : transposeB === true && sameStart(B, W),
    ),
  );
  return others.length === 2 * layers.length - 1 && known.length === others.length;
}

/**
 * One tensor with the parameters of all layers, if they lie as the kernel reads them: [W; b] of each layer, in the
 * layers' order from element 0 of one storage, each at the next multiple of `PARAMETER_BLOCK`.
 */
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
