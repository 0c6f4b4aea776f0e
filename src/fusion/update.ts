import type { MatmulDispatch } from '../kernels/matmul/matmul.js';
import { weightUpdate } from '../kernels/software/weight-update.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import type { Recorded } from '../plan/plan.js';
import type { Tensor } from '../plan/tensor.js';
import { binds, type Fused, isMatmul, isSgd, refusal } from './match.js';

/** A gradient that nobody but the update wants is not stored: where it is computed, it changes the parameters. */
export function fuse(recorded: readonly Recorded[], adapter: AdapterTraits): Fused {
  const update = recorded.filter(({ phase }) => phase === 'update').at(-1);
  if (update === undefined) return undefined;
  if (!isSgd(update.dispatch)) return `${update.dispatch.label} is not plain sgd`;
  const { parameters, gradients, velocity, hyper, step } = update.dispatch.computes;
  const rest = recorded.filter((other) => other !== update);
  let order: readonly Recorded[] = rest;
  for (const writer of rest.filter(({ dispatch }) => binds(dispatch, gradients.storage))) {
    const { dispatch: dW } = writer;
    if (!isMatmul(dW) || dW.computes.C.storage !== gradients.storage) return `${dW.label} has gradients of its own`;
    const { C, variant } = dW.computes;
    if (variant !== undefined) return `${dW.label} is to be computed by ${variant}`;
    const first = C.start - gradients.start;
    const own = parameters.view(first, C.shape);
    const moving = velocity?.view(first, C.shape);
    const dispatch = weightUpdate(dW, own, moving, hyper, step, first / PARAMETER_BLOCK);
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
  return { recorded: order };
}

/** True if a dispatch reads or writes a part of what a tensor has. */
function touches({ buffers }: Dispatch, { storage, start, length }: Tensor): boolean {
  return Object.values(buffers).some(
    (other) => other?.storage === storage && other.start < start + length && start < other.start + other.length,
  );
}

/** True if a dispatch writes an operand of a matmul. */
function overwrites({ buffers, programs }: Dispatch, { buffers: { A, B } }: MatmulDispatch): boolean {
  return Object.entries(buffers).some(
    ([name, tensor]) =>
      (tensor?.storage === A?.storage || tensor?.storage === B?.storage) &&
      programs[0]?.shader.buffers[name]?.access === 'read_write',
  );
}
