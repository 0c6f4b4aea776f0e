// @ts-check
// Handling of Ctrl-C. Built-in modules only.

/** Reason of the abort after Ctrl-C. */
export class Interruption extends Error {}

/** Returns a signal that Ctrl-C aborts. A second Ctrl-C ends the process at once. */
export function interruptible() {
  const controller = new AbortController();
  let first = 0;
  process.on('SIGINT', () => {
    // npm forwards the SIGINT that the terminal also sends, so two within a second count as one.
    if (first > 0 && performance.now() - first > 1000) process.exit(130);
    first ||= performance.now();
    controller.abort(new Interruption('Interrupted.'));
  });
  return controller.signal;
}
