// Workarounds for browsers that report finished GPU work late. Each names its bug, the measurement and when to delete it.

/**
 * Delays in milliseconds between the empty submits for Chrome, whose GPU process checks for finished work when it receives
 * commands and otherwise only every 2 ms (`kHandleMoreWorkPeriodMs` in Chromium). An empty submit causes a check. After 3 ms
 * Chrome's own timer is as fast. Applied only when a caller waits for one read: during training nothing waits, and the timer
 * callbacks would take time from a CPU core that computes.
 * Measured on Chrome 156 with its software adapter, November 2026: a read of 4 bytes takes 0.6 ms instead of 2.4 ms.
 * Delete it when the benchmark `round trip` (bench/adapter/launch.ts) is as fast without it.
 */
const CHROME_MS: readonly number[] = [0, 1, 1, 1];

/**
 * Delays in milliseconds between the empty submits for Firefox, which checks for finished work when it receives commands and
 * otherwise only every 100 ms (bugzilla.mozilla.org, bug 1870699). Every wait, in training too, therefore sends empty submits
 * until the work is done; each delay is `factor` times the previous one, up to `most`.
 * Measured by others on Firefox 153, August 2026 (github.com/ekzhang/jax-js, pull request 124): a wait for an empty queue takes
 * 103.9 ms, and a wait for one dispatch takes as long as for a hundred. Not measured here for lack of a Firefox with WebGPU.
 * Delete it when bug 1870699 is fixed in every Firefox that has WebGPU.
 */
const FIREFOX_MS = { first: 0.5, factor: 1.5, most: 16 } as const;

/** False outside of browsers, where an app may define a `navigator` with nothing but `gpu`. */
const isFirefox = (): boolean => {
  const agent: string | undefined = typeof navigator === 'undefined' ? undefined : navigator.userAgent;
  return agent?.includes('Firefox/') === true;
};

/** Milliseconds to wait before each empty submit. @param awaited true if a caller waits for this work and nothing else */
function* delays(awaited: boolean, firefox: boolean): Generator<number, void> {
  if (!firefox) {
    if (awaited) yield* CHROME_MS;
    return;
  }
  const { first, factor, most } = FIREFOX_MS;
  for (let delay: number = first; ; delay = Math.min(delay * factor, most)) yield delay;
}

/**
 * Sends the empty submits that this browser needs, at most until the work is done.
 * @param work promise that settles when the queue's work is done
 * @param awaited true if a caller waits for this work and nothing else
 */
export function wake(
  queue: Pick<GPUQueue, 'submit'>,
  work: Promise<unknown>,
  awaited: boolean,
  firefox: boolean = isFirefox(),
): void {
  const pauses = delays(awaited, firefox);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    const { value, done } = pauses.next();
    if (done !== true) timer = setTimeout(nudge, value);
  };
  const nudge = (): void => {
    queue.submit([]);
    wait();
  };
  const end = (): void => clearTimeout(timer);
  wait();
  work.then(end, end);
}
