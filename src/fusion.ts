import type { AdapterTraits, Dispatch } from './gpu/dispatch.js';
import { type Recorded, type Rewritten, written } from './gpu/plan.js';
import { BINDING_ALIGNMENT, type DType, Storage, Tensor } from './gpu/tensor.js';
import { denseHead, MOST_CLASSES } from './kernels/dense-head.js';
import { asOperand, type GatherDispatch } from './kernels/gather-rows.js';
import { type MatmulDispatch, matmul } from './kernels/matmul.js';
import type { SgdDispatch } from './kernels/sgd.js';
import type { LossDispatch } from './kernels/softmax-cross-entropy.js';
import { predictTiny, tinyNet, trainTiny } from './kernels/train-tiny.js';
import { MOST_LAYERS, weightUpdate } from './kernels/weight-update.js';

/** Rows of a prediction that a workgroup takes at a time. */
const PREDICTED_AT_ONCE = 16;

/** A step in the course of being fused. */
interface Step {
  readonly recorded: readonly Recorded[];
  readonly adapter: AdapterTraits;
  readonly arenas: readonly Storage[];
}

/** What a fusion makes of a step; or why it leaves it as it is, or nothing where there is nothing to fuse. */
type Fusion = (step: Step) => Partial<Step> | string | undefined;

/** What reads the gathered labels is settled before who reads the batch; the update takes the batch as the products do. */
const fusions: Readonly<Record<string, Fusion>> = {
  'a small network in one dispatch': fuseTiny,
  'last layer, loss and first dX': fuseHead,
  'gather into the products': fuseGather,
  'all dW and the update': fuseUpdate,
};

/** Fewer dispatches for the same step. What layers, losses and optimizers recorded decides, not who they are. */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Rewritten {
  let step: Step = { recorded, adapter, arenas: [] };
  const notes: string[] = [];
  for (const [name, fusion] of Object.entries(fusions)) {
    const fused = fusion(step);
    if (fused === undefined) continue;
    if (typeof fused === 'object') step = { ...step, ...fused };
    notes.push(typeof fused === 'string' ? `not fused: ${name} (${fused})` : `fused: ${name}`);
  }
  return { recorded: step.recorded, notes, arenas: step.arenas };
}

/** A small network needs no memory but a workgroup's, and one dispatch for many steps. */
function fuseTiny({ recorded, adapter }: Step): Partial<Step> | string | undefined {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const [gather, loss, update] = [dispatches.find(isGather), dispatches.find(isLoss), dispatches.find(isUpdate)];
  if (gather === undefined) return undefined;
  const { source, X } = gather.gather;
  const products = dispatches.filter(isProduct);
  const forward: MatmulDispatch[] = [];
  for (let input = X; ; ) {
    const next = products.find(
      ({ product: { A, transposeA } }) => !('source' in A) && A.storage === input.storage && !transposeA,
    );
    if (next === undefined || forward.includes(next)) break;
    forward.push(next);
    input = next.product.C;
  }
  const [first] = forward;
  const last = forward.at(-1);
  if (first === undefined || last === undefined) return undefined;
  // Whatever else there is, a kernel of its own would leave out.
  const known = new Set<Dispatch | undefined>([gather, loss, update, ...(loss === undefined ? forward : products)]);
  const odd = dispatches.find((dispatch) => !known.has(dispatch));
  if (loss !== undefined && odd !== undefined) return `${odd.label} is not part of it`;
  if (loss !== undefined && loss.loss.logits !== last.product.C) return 'the loss is not that of the last layer';
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
  const { storage } = first.product.B;
  const parameters = new Tensor(storage, 0, [storage.byteLength / 4], 'f32');
  if (loss === undefined) {
    const tiny = predictTiny(net, source, parameters, last.product.C, gather.gather.step);
    const rest = recorded.filter(({ dispatch }) => !known.has(dispatch));
    return { recorded: [{ phase: 'main', dispatch: tiny }, ...rest] };
  }
  const { outputs, step } = loss.loss;
  if (outputs.together === undefined) return undefined;
  const optimizer = update && { ...update.update.hyper, velocity: update.update.velocity };
  const tiny = trainTiny(
    net,
    source,
    parameters,
    { results: outputs.together, status: outputs.status },
    optimizer,
    step,
  );
  return refusal(tiny, adapter) ?? { recorded: [{ phase: 'step', dispatch: tiny }] };
}

/** Logits stay in the workgroup that compares them with the labels, and that goes back through the last layer. */
function fuseHead({ recorded, adapter }: Step): Partial<Step> | string | undefined {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const call = dispatches.find(isLoss);
  const gather = dispatches.find(isGather);
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
    W.view(0, [inputs + (bias === undefined ? 0 : 1), classes]),
    gather.gather.source,
    needed ? { ...sums, gradient, dX: below?.product.C } : sums,
    step,
    below?.product.gate,
  );
  const why = refusal(head, adapter);
  if (why !== undefined) return why;
  const replaced = recorded.map(({ phase, dispatch }) => ({ phase, dispatch: dispatch === call ? head : dispatch }));
  return { recorded: replaced.filter(({ dispatch }) => !gone.includes(dispatch)) };
}

/** A batch that only products read is taken from the data set by each of them. */
function fuseGather({ recorded }: Step): Partial<Step> | string | undefined {
  const gather = recorded.map(({ dispatch }) => dispatch).find(isGather);
  if (gather === undefined) return undefined;
  const { X, Y } = gather.gather;
  const rows = asOperand(gather);
  if (typeof rows === 'string') return rows;
  const others = recorded.filter(({ dispatch }) => dispatch !== gather);
  const reader = others.find(({ dispatch }) => binds(dispatch, Y.storage));
  if (reader !== undefined) return `${reader.dispatch.label} needs the gathered labels`;
  const odd = others.find(
    ({ dispatch }) => binds(dispatch, X.storage) && !(isProduct(dispatch) && dispatch.product.A === X),
  );
  if (odd !== undefined) return `${odd.dispatch.label} reads the batch too`;
  const taken = others.map((other) => {
    const { dispatch, phase } = other;
    if (!isProduct(dispatch) || dispatch.product.A !== X) return other;
    const { A: _, B, C, ...options } = dispatch.product;
    return { phase, dispatch: matmul(rows, B, C, options) };
  });
  return { recorded: taken };
}

/** Gradients that only the update reads are never written. */
function fuseUpdate({ recorded, adapter, arenas }: Step): Partial<Step> | string | undefined {
  const dispatches = recorded.map(({ dispatch }) => dispatch);
  const call = dispatches.find(isUpdate);
  if (call === undefined) return undefined;
  const { parameters, gradients, velocity, hyper, step } = call.update;
  const products = dispatches.filter(isProduct).filter(({ product: { C } }) => C.storage === gradients.storage);
  const other = dispatches.find(
    (dispatch) =>
      dispatch !== call && binds(dispatch, gradients.storage) && !products.includes(dispatch as MatmulDispatch),
  );
  if (other !== undefined) return `${other.label} has to do with the gradients too`;
  if (hyper.watch === undefined || products.length > MOST_LAYERS) return `${products.length} layers are too many`;
  const layers = products.map(({ product }) => product).sort((a, b) => a.C.start - b.C.start);
  const between = [...layers.slice(1).flatMap(({ A }) => ('source' in A ? [] : [A])), ...layers.map(({ B }) => B)];
  const packed = pack(new Set(between.map(({ storage }) => storage)), dispatches);
  if (packed === undefined) return 'what lies between the layers does not fit two buffers';
  const update = weightUpdate(
    layers.map(({ A, B, C, onesRow = false }, number) => ({
      A: number === 0 || 'source' in A ? A : packed.place(A),
      dZ: packed.place(B),
      start: C.start - gradients.start,
      bias: onesRow,
    })),
    parameters,
    velocity,
    hyper,
    hyper.watch.status,
    step,
  );
  const why = refusal(update, adapter);
  if (why !== undefined) return why;
  packed.settle();
  const gone: readonly Dispatch[] = products;
  const replaced = recorded.map(({ phase, dispatch }) => ({ phase, dispatch: dispatch === call ? update : dispatch }));
  return {
    recorded: replaced.filter(({ dispatch }) => !gone.includes(dispatch)),
    arenas: [...arenas, ...packed.arenas],
  };
}

/** Storages in two buffers, such that no dispatch reads one of a buffer and writes another. */
interface Packed {
  readonly arenas: readonly Storage[];
  /** The same tensor as a part of its arena. */
  place(tensor: Tensor): Tensor;
  /** Makes the storages parts of the arenas. */
  settle(): void;
}

function pack(storages: ReadonlySet<Storage>, dispatches: readonly Dispatch[]): Packed | undefined {
  const rivals = new Map([...storages].map((storage) => [storage, new Set<Storage>()] as const));
  for (const dispatch of dispatches) {
    const results = new Set(written(dispatch));
    const bound = Object.values(dispatch.buffers).flatMap((tensor) => tensor?.storage ?? []);
    for (const result of results) {
      for (const operand of bound) {
        if (results.has(operand)) continue;
        rivals.get(result)?.add(operand);
        rivals.get(operand)?.add(result);
      }
    }
  }
  const sides = new Map<Storage, number>();
  const assign = (storage: Storage, side: number): boolean => {
    const known = sides.get(storage);
    if (known !== undefined) return known === side;
    sides.set(storage, side);
    return [...(rivals.get(storage) ?? [])].every((rival) => !storages.has(rival) || assign(rival, 1 - side));
  };
  for (const storage of storages) {
    if (!sides.has(storage) && !assign(storage, 0)) return undefined;
  }
  const offsets = new Map<Storage, number>();
  const arenas = [0, 1].map((side) => {
    let end = 0;
    for (const storage of storages) {
      if (sides.get(storage) !== side) continue;
      offsets.set(storage, end);
      end = Math.ceil((end + storage.byteLength) / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
    }
    return new Storage('between layers', end);
  });
  const arenaOf = (storage: Storage): Storage => arenas[sides.get(storage) ?? 0] ?? storage;
  return {
    arenas,
    place: ({ storage, start, shape, dtype, label }) =>
      new Tensor(arenaOf(storage), (offsets.get(storage) ?? 0) / 4 + start, shape, dtype, label),
    settle() {
      for (const storage of storages) storage.place(arenaOf(storage), offsets.get(storage));
    },
  };
}

const isGather = (dispatch: Dispatch): dispatch is GatherDispatch => 'gather' in dispatch;
const isProduct = (dispatch: Dispatch): dispatch is MatmulDispatch => 'product' in dispatch;
const isLoss = (dispatch: Dispatch): dispatch is LossDispatch => 'loss' in dispatch;
const isUpdate = (dispatch: Dispatch): dispatch is SgdDispatch => 'update' in dispatch;

/** Why an adapter does better without a dispatch. */
function refusal({ programs }: Dispatch, adapter: AdapterTraits): string | undefined {
  const possible = programs.filter(({ suits }) => suits(adapter));
  if (possible.length === 0) return 'the adapter cannot run it';
  return possible.some(({ prefers }) => prefers(adapter)) ? undefined : 'the adapter is faster without';
}

/** Whether a dispatch reads or writes a storage. */
function binds({ buffers }: Dispatch, storage: Storage): boolean {
  return Object.values(buffers).some((tensor) => tensor?.storage === storage);
}

const same = (a: Tensor<DType>, b: Tensor<DType>): boolean => a.storage === b.storage && a.start === b.start;
