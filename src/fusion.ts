import type { AdapterTraits, Dispatch } from './gpu/dispatch.js';
import type { Recorded, Rewritten } from './gpu/plan.js';
import type { Storage } from './gpu/tensor.js';
import { asOperand, type GatherDispatch } from './kernels/gather-rows.js';
import { type MatmulDispatch, matmul } from './kernels/matmul.js';

/** A fusion: the step with fewer dispatches, or why it stays as it is; nothing where there is nothing to fuse. */
type Fusion = (step: readonly Recorded[], adapter: AdapterTraits) => Fused | string | undefined;
interface Fused {
  readonly step: readonly Recorded[];
  readonly what: string;
}

/** In this order: what reads a batch is settled last. */
const fusions: Readonly<Record<string, Fusion>> = { 'gather into products': gatherIntoProducts };

/** Fewer dispatches for the same step. What layers, losses and optimizers recorded decides, not who they are. */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Rewritten {
  let step = recorded;
  const notes: string[] = [];
  for (const [name, fusion] of Object.entries(fusions)) {
    const fused = fusion(step, adapter);
    if (typeof fused === 'object') step = fused.step;
    if (fused !== undefined)
      notes.push(typeof fused === 'string' ? `not fused, ${name}: ${fused}` : `fused, ${name}: ${fused.what}`);
  }
  return { recorded: step, notes, arenas: [] };
}

/** A batch that only products read is taken from the data set by each of them. */
function gatherIntoProducts(step: readonly Recorded[]): Fused | string | undefined {
  const gather = step.map(({ dispatch }) => dispatch).find(isGather);
  if (gather === undefined) return undefined;
  const { X, Y } = gather.gather;
  const rows = asOperand(gather);
  if (typeof rows === 'string') return rows;
  const others = step.filter(({ dispatch }) => dispatch !== gather);
  const reader = others.find(({ dispatch }) => binds(dispatch, Y.storage));
  if (reader !== undefined) return `${reader.dispatch.label} needs the gathered labels`;
  const odd = others.find(
    ({ dispatch }) => binds(dispatch, X.storage) && !(isProduct(dispatch) && dispatch.product.A === X),
  );
  if (odd !== undefined) return `${odd.dispatch.label} reads the batch too`;
  const taken = others.map((recorded) => {
    const { dispatch, phase } = recorded;
    if (!isProduct(dispatch) || dispatch.product.A !== X) return recorded;
    const { A: _, B, C, ...options } = dispatch.product;
    return { phase, dispatch: matmul(rows, B, C, options) };
  });
  return { step: taken, what: gather.label };
}

const isGather = (dispatch: Dispatch): dispatch is GatherDispatch => 'gather' in dispatch;
const isProduct = (dispatch: Dispatch): dispatch is MatmulDispatch => 'product' in dispatch;

/** Whether a dispatch reads or writes a storage. */
function binds({ buffers }: Dispatch, storage: Storage): boolean {
  return Object.values(buffers).some((tensor) => tensor?.storage === storage);
}
