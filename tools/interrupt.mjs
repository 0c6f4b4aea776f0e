// @ts-check
// What Ctrl-C does. Built-in modules only.

/** Ctrl-C. */
export class Interruption extends Error {}

/** A signal that Ctrl-C aborts; if the end takes long, a second Ctrl-C does not wait for it. */
export function interruptible() {
  const controller = new AbortController();
  let first = 0;
  process.on('SIGINT', () => {
    // npm hands on the SIGINT that the terminal has already sent: two at once are one.
    if (first > 0 && performance.now() - first > 1000) process.exit(130);
    first ||= performance.now();
    controller.abort(new Interruption('Interrupted.'));
  });
  return controller.signal;
}
