import type { MatmulDispatch } from '../kernels/matmul/matmul.js';
import { weightUpdate } from '../kernels/software/weight-update.js';
import type { AdapterTraits, Dispatch } from '../plan/dispatch.js';
import { PARAMETER_BLOCK } from '../plan/parameter-block.js';
import type { Recorded } from '../plan/plan.js';
import type { Tensor } from '../plan/tensor.js';
import { binds, type Fused, isMatmul, isSgd, refusal } from './match.js';

/**
 * Replaces each matmul that computes a dW, and the SGD update, by `weightUpdate` dispatches: they update the parameters
 * where the gradient is computed, and do not store the gradient.
 */
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
    const ownVelocity = velocity?.view(first, C.shape);
    const dispatch = weightUpdate(dW, own, ownVelocity, hyper, step, first / PARAMETER_BLOCK);
    const reason = refusal(dispatch, adapter);
    if (reason !== undefined) return reason;
    // The fused update comes after the last dispatch that reads these parameters, which must see their old values.
    const at = order.indexOf(writer);
    const last = order.map((other) => touches(other.dispatch, own)).lastIndexOf(true);
    const between = order.slice(at + 1, last + 1);
    const conflict = between.find((other) => overwrites(other.dispatch, dW));
    if (conflict !== undefined) return `${conflict.dispatch.label} overwrites what ${dW.label} reads`;
    const fused = { phase: update.phase, dispatch };
    order = [...order.slice(0, at), ...between, fused, ...order.slice(Math.max(at, last) + 1)];
  }
  return { recorded: order };
}

/** True if a dispatch reads or writes any element of a tensor. */
function touches({ buffers }: Dispatch, { storage, start, length }: Tensor): boolean {
  return Object.values(buffers).some(
    (other) => other?.storage === storage && other.start < start + length && start < other.start + other.length,
  );
}

/** True if a dispatch writes to the buffer of a matmul's operand A or B. */
function overwrites({ buffers, programs }: Dispatch, { buffers: { A, B } }: MatmulDispatch): boolean {
  return Object.entries(buffers).some(
    ([name, tensor]) =>
      (tensor?.storage === A?.storage || tensor?.storage === B?.storage) &&
      programs[0]?.shader.buffers[name]?.access === 'read_write',
  );
}
