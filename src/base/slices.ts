/** Work that is done in steps; each step yields its cost. */
export type Sliced<T> = Generator<number, T, undefined>;

/** Cost of the work between two pauses. A random number has a cost of 1, and takes some 0.2 µs. */
export const SLICE_COST: number = 2 ** 16;

/** Does all work at once. */
export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Does the work in slices, and lets other tasks run between them, such as input and drawing of a page. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  let cost = 0;
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    cost += value;
    if (cost < SLICE_COST) continue;
    cost = 0;
    await nextTask();
  }
}

/** Resolves in a later task. A timer would wait longer, and a second on a hidden page. */
export function nextTask(): Promise<void> {
  const { scheduler } = globalThis as { readonly scheduler?: { yield?(): Promise<void> } };
  if (typeof scheduler?.yield === 'function') return scheduler.yield();
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      // An open port keeps Node running.
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
