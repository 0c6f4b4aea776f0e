// Workarounds for browsers that notice finished GPU work late. Each says what was measured, and when it can go.

/**
 * Chrome's GPU process looks for finished work when commands come, and 2 ms after it has last looked. Empty submits make it
 * look sooner: after so many milliseconds, then as many more; 3 ms on, its own timer is as good. Only for a caller that waits
 * for one value: turns of the event loop would take a core from whoever computes, and training waits for nothing.
 * Measured on Chrome 156 with its software adapter, November 2026: a read of 4 bytes takes 0.6 ms instead of 2.4.
 * Can go when the bench's `round trip` takes as long without it.
 */
const CHROME_MS: readonly number[] = [0, 1, 1, 1];

/**
 * Firefox looks for finished work when commands come, and else on a timer of 100 ms (bugzilla.mozilla.org, bug 1870699).
 * Whoever waits there, training too, needs empty submits until the work is done: soon at first, then ever further apart.
 * Measured by others on Firefox 153, August 2026 (github.com/ekzhang/jax-js, pull request 124): waiting for an empty queue takes
 * 103.9 ms, and as long for one dispatch as for a hundred. Not measured here, where there is no Firefox with WebGPU.
 * Can go when bug 1870699 is closed in every Firefox that has WebGPU.
 */
const FIREFOX_MS = { first: 0.5, factor: 1.5, most: 16 } as const;

const isFirefox = (): boolean => typeof navigator !== 'undefined' && navigator.userAgent.includes('Firefox/');

/** Milliseconds before each nudge. @param awaited true if a caller waits for this work and nothing else */
function* delays(awaited: boolean, firefox: boolean): Generator<number, void> {
  if (!firefox) {
    if (awaited) yield* CHROME_MS;
    return;
  }
  const { first, factor, most } = FIREFOX_MS;
  for (let delay: number = first; ; delay = Math.min(delay * factor, most)) yield delay;
}

/**
 * Sends empty submits until the work is done, as far as this browser needs them.
 * @param work settles when the queue's work is done
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
