import type { Dispatch } from './dispatch.js';
import type { TensorStorage } from './tensor.js';

/** The storages that a dispatch writes. */
function written({ buffers, programs }: Dispatch): TensorStorage[] {
  const shader = programs[0]?.shader;
  return Object.entries(buffers).flatMap(([name, tensor]) =>
    tensor !== undefined && shader?.buffers[name]?.access === 'read_write' ? [tensor.storage] : [],
  );
}

/**
 * The dispatches whose result is read by a later one, kept, or lives outside of the plan.
 * @param transient storages that live within the plan
 * @param kept those of them that are read from outside
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
    const isLive = written(recorded.dispatch).some((storage) => !transient.has(storage) || read.has(storage));
    if (!isLive) continue;
    for (const tensor of Object.values(buffers)) if (tensor !== undefined) read.add(tensor.storage);
    live.push(recorded);
  }
  return live.reverse();
}

/** For each transient storage, the first and the last dispatch that need it; of one that is kept, the end of the plan. */
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
