import { denseHead, MOST_CLASSES } from '../kernels/dense-head.js';
import { asOperand, type GatherDispatch, type LabelledDispatch } from '../kernels/gather-rows.js';
import { product as describeProduct, isProduct, type MatmulDispatch } from '../kernels/matmul/product.js';
import type { SgdDispatch } from '../kernels/sgd.js';
import type { LossDispatch } from '../kernels/softmax-cross-entropy.js';
import { LAYER_ALIGNMENT, mayBeTiny, tinyNet } from '../kernels/tiny-net.js';
import type { Rewrite, Rewritten } from '../plan/builder.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import { type DType, Tensor, type TensorStorage } from '../plan/tensor.js';

/** Rows of a prediction that a workgroup takes at a time. */
export const PREDICTED_AT_ONCE = 16;

/** What a fusion makes of a step; or why it leaves it as it is, or nothing where there is nothing to fuse. */
type Fused = readonly Recorded[] | string | undefined;
type Fusion = (recorded: readonly Recorded[], adapter: AdapterTraits) => Fused;

/** Describes what trains a small network, or predicts with it. */
type TinyKernel = typeof import('../kernels/train-tiny.js');
/** Describes an update where its gradient is computed. */
type UpdateKernel = typeof import('../kernels/software/weight-update.js');

const fusions = (tiny: TinyKernel | undefined, update: UpdateKernel | undefined): Readonly<Record<string, Fusion>> => ({
  'a small network in one dispatch': (recorded, adapter) => fuseTiny(recorded, adapter, tiny),
  'last layer, loss and first dX': fuseHead,
  'gather into its readers': fuseGather,
  'dW and its update': (recorded, adapter) => fuseUpdate(recorded, adapter, update),
});

/**
 * Fewer dispatches for the same step; and then, on a GPU, two for a product that would leave most of it idle. What layers,
 * losses and optimizers recorded decides, not who they are.
 * The kernel of small networks is loaded where a model is so small, that of dW and its update where somebody trains on a CPU
 * adapter, and what splits products where there is a GPU.
 */
export async function loadFusions(
  parameterCount: number,
  batch: number,
  { software }: Pick<AdapterTraits, 'software'>,
  trains: boolean,
): Promise<Rewrite> {
  const isSmall = mayBeTiny(parameterCount, batch);
  const [tiny, update, split] = await Promise.all([
    isSmall ? import('../kernels/train-tiny.js') : undefined,
    software && trains ? import('../kernels/software/weight-update.js') : undefined,
    software ? undefined : import('./split-k.js'),
  ]);
  return (recorded, adapter) => {
    const fused = fuse(recorded, adapter, fusions(tiny, update));
    return split?.splitProducts(fused, adapter) ?? fused;
  };
}

function fuse(recorded: readonly Recorded[], adapter: AdapterTraits, all: Readonly<Record<string, Fusion>>): Rewritten {
  let step = recorded;
  const notes: string[] = [];
  for (const [name, fusion] of Object.entries(all)) {
    const fused = fusion(step, adapter);
    if (fused === undefined) continue;
    if (typeof fused !== 'string') step = fused;
    notes.push(typeof fused === 'string' ? `not fused: ${name} (${fused})` : `fused: ${name}`);
  }
  return { recorded: step, notes };
}

/** A small network needs no memory but a workgroup's, and one dispatch for many steps. */
function fuseTiny(recorded: readonly Recorded[], adapter: AdapterTraits, kernel: TinyKernel | undefined): Fused {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const [gather, loss, update] = [dispatches.find(isGather), dispatches.find(isLoss), dispatches.find(isUpdate)];
  if (gather === undefined) return undefined;
  const other = notPlain(dispatches);
  if (other !== undefined) return other;
  const { source, X } = gather.gather;
  const products = dispatches.filter(isProduct);
  const forward: MatmulDispatch[] = [];
  for (let input = X; ; ) {
    const next = products.find(
      ({ product: { A, transposeA, transposeB } }) => !('source' in A) && same(A, input) && !transposeA && !transposeB,
    );
    if (next === undefined || forward.includes(next)) break;
    forward.push(next);
    input = next.product.C;
  }
  const last = forward.at(-1);
  if (last === undefined) return products.length === 0 ? undefined : 'no product takes the batch as it is';
  // What else the step does, the one kernel would leave out.
  const known = new Set<Dispatch | undefined>([gather, loss, update, ...(loss === undefined ? forward : products)]);
  const rest = recorded.filter(({ dispatch }) => !known.has(dispatch));
  const gone = [X.storage, gather.gather.Y.storage, ...forward.slice(0, -1).map(({ product: { C } }) => C.storage)];
  const odd = rest.find(({ dispatch }) => loss !== undefined || gone.some((storage) => binds(dispatch, storage)));
  if (odd !== undefined) return `${odd.dispatch.label} is not part of it`;
  if (loss !== undefined && loss.loss.logits !== last.product.C) return 'the loss is not that of the last layer';
  if (update !== undefined && !isBackpropagation(products, forward)) return 'its gradients are not those of its layers';
  const parameters = inOrder(forward);
  if (parameters === undefined) return 'its parameters are not those of layers in their order';
  const [batch = 1, inputs = 1] = X.shape;
  const layers = forward.map(({ product: { B, bias, activation = 'linear' } }) => ({
    type: 'dense',
    units: B.shape[1] ?? 1,
    activation,
    bias: bias !== undefined,
  }));
  const rows = loss === undefined ? Math.min(batch, PREDICTED_AT_ONCE) : batch;
  const net = tinyNet(inputs, layers, rows, adapter.software);
  if (typeof net === 'string') return net;
  if (kernel === undefined) return 'its kernel has not been loaded';
  if (loss === undefined) {
    const tiny = kernel.predictTiny(net, source, parameters, last.product.C, gather.gather.step);
    return [{ phase: 'main', dispatch: tiny }, ...rest];
  }
  const { outputs, step } = loss.loss;
  if (outputs.together === undefined) return undefined;
  // A step notes the layer whose parameters are not finite, by a number of its own.
  if (update !== undefined && outputs.status.length !== forward.length + 1) return 'it has layers that do nothing';
  const optimizer = update && { ...update.update.hyper, velocity: update.update.velocity };
  const tiny = kernel.trainTiny(
    net,
    source,
    parameters,
    { results: outputs.together, status: outputs.status },
    optimizer,
    step,
  );
  return refusal(tiny, adapter) ?? [{ phase: 'step', dispatch: tiny }];
}

/** Whether the products beside those of the layers are Xᵀ·dZ of each, and dZ·Wᵀ of each but the first. */
function isBackpropagation(products: readonly MatmulDispatch[], layers: readonly MatmulDispatch[]): boolean {
  const others = products.filter((product) => !layers.includes(product));
  const known = others.filter(({ product: { A, B, transposeA, transposeB } }) =>
    layers.some(({ product: { A: X, B: W } }) =>
      transposeA ? !('source' in A || 'source' in X) && same(A, X) : transposeB === true && same(B, W),
    ),
  );
  return others.length === 2 * layers.length - 1 && known.length === others.length;
}

/** The parameters of layers, if they are [W; b] from the beginning of one tensor, each from a block on. */
function inOrder(layers: readonly MatmulDispatch[]): Tensor | undefined {
  let start = 0;
  for (const { product } of layers) {
    const { B: W, bias: b } = product;
    const isNext = W.start === start && W.storage === layers[0]?.product.B.storage;
    if (!isNext || (b !== undefined && (b.storage !== W.storage || b.start !== W.start + W.length))) return undefined;
    start = Math.ceil((start + W.length + (b?.length ?? 0)) / LAYER_ALIGNMENT) * LAYER_ALIGNMENT;
  }
  const storage = layers[0]?.product.B.storage;
  return storage && new Tensor(storage, 0, [start], 'f32');
}

/** Logits stay in the workgroup that compares them with the labels, and that goes back through the last layer. */
function fuseHead(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const call = dispatches.find(isLoss);
  const gather = dispatches.find(isGather);
  const other = notPlain(dispatches);
  if (other !== undefined) return other;
  if (call === undefined || gather === undefined) return undefined;
  const { logits, labels, step } = call.loss;
  const { gradient, ...sums } = call.loss.outputs;
  const last = dispatches.filter(isProduct).find(({ product: { C } }) => C === logits);
  if (last === undefined || labels !== gather.gather.Y) return 'the logits are not those of a linear layer';
  const { A: Y, B: W, bias, activation = 'linear', transposeA, transposeB } = last.product;
  if ('source' in Y || activation !== 'linear' || transposeA || transposeB) return 'the last layer is not linear';
  const [inputs = 1, classes = 1] = W.shape;
  if (bias !== undefined && (bias.storage !== W.storage || bias.start !== W.start + W.length)) {
    return 'the biases do not follow the weights';
  }
  const below = dispatches
    .filter(isProduct)
    .find(({ product: { A, B, transposeB: isDX } }) => A === gradient && isDX && same(B, W));
  const gone: readonly Dispatch[] = [last, call, ...(below === undefined ? [] : [below])];
  const others = dispatches.filter((dispatch) => !gone.includes(dispatch));
  const reader = others.find((dispatch) => binds(dispatch, logits.storage));
  if (reader !== undefined) return `${reader.label} reads the logits too`;
  if (classes > MOST_CLASSES) return `${classes} classes are more than ${MOST_CLASSES}`;
  const needed = below !== undefined || others.some((dispatch) => binds(dispatch, gradient.storage));
  const head = denseHead(
    Y,
    new Tensor(W.storage, W.start, [inputs + (bias === undefined ? 0 : 1), classes], 'f32'),
    gather.gather.source,
    needed ? { ...sums, gradient, dX: below?.product.C } : sums,
    step,
    below?.product.gate,
  );
  const why = refusal(head, adapter);
  if (why !== undefined) return why;
  const replaced = recorded.map(({ phase, dispatch }) => ({ phase, dispatch: dispatch === call ? head : dispatch }));
  return replaced.filter(({ dispatch }) => !gone.includes(dispatch));
}

/** Kernels that end in a loss end in plain softmax-cross-entropy; why this is no such step, if there is a loss. */
function notPlain(dispatches: readonly Dispatch[]): string | undefined {
  const loss = dispatches.find(isLabelled);
  if (loss === undefined) return undefined;
  if (!isLoss(loss)) return `${loss.label} is no softmax-cross-entropy`;
  return loss.loss.more && `it has no ${loss.loss.more}`;
}

/** A batch that only products and those read who compare it with labels is taken from the data set by each of them. */
function fuseGather(recorded: readonly Recorded[]): Fused {
  const gather = recorded.map(({ dispatch }) => dispatch).find(isGather);
  if (gather === undefined) return undefined;
  const { X, Y } = gather.gather;
  const rows = asOperand(gather);
  if (typeof rows === 'string') return rows;
  const others = recorded.filter(({ dispatch }) => dispatch !== gather);
  const taken = others.map((other) => {
    const { dispatch, phase } = other;
    if (isLabelled(dispatch) && dispatch.labelled.labels === Y) {
      return { phase, dispatch: dispatch.labelled.with(rows.source) };
    }
    if (!isProduct(dispatch) || dispatch.product.A !== X || dispatch.product.gate !== undefined) return other;
    const { A: _, B, C, ...options } = dispatch.product;
    return { phase, dispatch: describeProduct(rows, B, C, options) };
  });
  const odd = taken.find(({ dispatch }) => binds(dispatch, X.storage) || binds(dispatch, Y.storage));
  return odd === undefined ? taken : `${odd.dispatch.label} reads the batch too`;
}

/** A gradient that nobody but the update wants is not stored: where it is computed, it changes the parameters. */
function fuseUpdate(recorded: readonly Recorded[], adapter: AdapterTraits, kernel: UpdateKernel | undefined): Fused {
  const update = recorded.filter(({ phase }) => phase === 'update').at(-1);
  if (update === undefined) return undefined;
  if (!isUpdate(update.dispatch)) return `${update.dispatch.label} is not plain sgd`;
  if (kernel === undefined) return 'the adapter is not known to be faster with it';
  const { parameters, gradients, velocity, hyper, step } = update.dispatch.update;
  const rest = recorded.filter((other) => other !== update);
  let order: readonly Recorded[] = rest;
  for (const writer of rest.filter(({ dispatch }) => binds(dispatch, gradients.storage))) {
    const { dispatch: dW } = writer;
    if (!isProduct(dW) || dW.product.C.storage !== gradients.storage) return `${dW.label} has gradients of its own`;
    const { C, variant } = dW.product;
    if (variant !== undefined) return `${dW.label} is to be computed by ${variant}`;
    const first = C.start - gradients.start;
    const own = parameters.view(first, C.shape);
    const moving = velocity?.view(first, C.shape);
    const dispatch = kernel.weightUpdate(dW, own, moving, hyper, step, first / LAYER_ALIGNMENT);
    const why = refusal(dispatch, adapter);
    if (why !== undefined) return why;
    // Until the last one has read them, the parameters are those of before.
    const at = order.indexOf(writer);
    const last = order.map((other) => touches(other.dispatch, own)).lastIndexOf(true);
    const between = order.slice(at + 1, last + 1);
    const odd = between.find((other) => overwrites(other.dispatch, dW));
    if (odd !== undefined) return `${odd.dispatch.label} overwrites what ${dW.label} reads`;
    const fused = { phase: update.phase, dispatch };
    order = [...order.slice(0, at), ...between, fused, ...order.slice(Math.max(at, last) + 1)];
  }
  return order;
}

const isGather = (dispatch: Dispatch): dispatch is GatherDispatch => 'gather' in dispatch;
const isLoss = (dispatch: Dispatch): dispatch is LossDispatch => 'loss' in dispatch;
const isLabelled = (dispatch: Dispatch): dispatch is LabelledDispatch => 'labelled' in dispatch;
const isUpdate = (dispatch: Dispatch): dispatch is SgdDispatch => 'update' in dispatch;

/** Why an adapter does better without a dispatch. */
function refusal({ programs }: Dispatch, adapter: AdapterTraits): string | undefined {
  const possible = programs.filter(({ suits }) => suits(adapter));
  if (possible.length === 0) return 'the adapter cannot run it';
  return possible.some(({ prefers }) => prefers(adapter)) ? undefined : 'the adapter is faster without';
}

/** Whether a dispatch reads or writes a part of what a tensor has. */
function touches({ buffers }: Dispatch, { storage, start, length }: Tensor): boolean {
  return Object.values(buffers).some(
    (other) => other?.storage === storage && other.start < start + length && start < other.start + other.length,
  );
}

/** Whether a dispatch writes an operand of a product. */
function overwrites({ buffers, programs }: Dispatch, { buffers: { A, B } }: MatmulDispatch): boolean {
  return Object.entries(buffers).some(
    ([name, tensor]) =>
      (tensor?.storage === A?.storage || tensor?.storage === B?.storage) &&
      programs[0]?.shader.buffers[name]?.access === 'read_write',
  );
}

/** Whether a dispatch reads or writes a storage. */
function binds({ buffers }: Dispatch, storage: TensorStorage): boolean {
  return Object.values(buffers).some((tensor) => tensor?.storage === storage);
}

const same = (a: Tensor<DType>, b: Tensor<DType>): boolean => a.storage === b.storage && a.start === b.start;
