import type { Dispatch } from './dispatch.js';
import type { TensorStorage } from './tensor.js';

/** Storages that a dispatch writes. */
function writtenStorages({ buffers, programs }: Dispatch): TensorStorage[] {
  const shader = programs[0]?.shader;
  return Object.entries(buffers).flatMap(([name, tensor]) =>
    tensor !== undefined && shader?.buffers[name]?.access === 'read_write' ? [tensor.storage] : [],
  );
}

/**
 * Returns the dispatches whose result is needed: a later dispatch reads it, it is kept, or it is not transient.
 * @param transient storages whose values are needed within one replay only
 * @param kept transient storages that are read from outside of the plan
 */
export function liveDispatches<Recorded extends { readonly dispatch: Dispatch }>(
  all: readonly Recorded[],
  transient: ReadonlySet<TensorStorage>,
  kept: ReadonlySet<TensorStorage>,
): readonly Recorded[] {
  const read = new Set(kept);
  const live: Recorded[] = [];
  for (const recorded of [...all].reverse()) {
    const { buffers } = recorded.dispatch;
    const isLive = writtenStorages(recorded.dispatch).some((storage) => !transient.has(storage) || read.has(storage));
    if (!isLive) continue;
    for (const tensor of Object.values(buffers)) if (tensor !== undefined) read.add(tensor.storage);
    live.push(recorded);
  }
  return live.reverse();
}

/**
 * Index of the first and the last dispatch that use each transient storage. One that is kept lives to the end of the
 * plan.
 */
export function lifetimes(
  live: readonly { readonly dispatch: Dispatch }[],
  transient: ReadonlySet<TensorStorage>,
  kept: ReadonlySet<TensorStorage>,
): Map<TensorStorage, readonly [first: number, last: number]> {
  const lives = new Map<TensorStorage, readonly [number, number]>();
  for (const [index, { dispatch }] of live.entries()) {
    for (const tensor of Object.values(dispatch.buffers)) {
      if (tensor === undefined || !transient.has(tensor.storage)) continue;
      const [first] = lives.get(tensor.storage) ?? [index];
      lives.set(tensor.storage, [first, kept.has(tensor.storage) ? live.length : index]);
    }
  }
  return lives;
}
