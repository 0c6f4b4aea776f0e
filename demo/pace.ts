const stillness = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * Limits how often `draw` is called: ten times a second, or once a second if the user prefers reduced motion.
 * A hidden page draws when it is visible again.
 */
export function paced(draw: () => void): () => void {
  let due = false;
  let last = Number.NEGATIVE_INFINITY;
  const run = (): void => {
    if (document.hidden) {
      document.addEventListener('visibilitychange', run, { once: true });
      return;
    }
    due = false;
    last = performance.now();
    draw();
  };
  return () => {
    if (due) return;
    due = true;
    setTimeout(run, Math.max(0, last + (stillness.matches ? 1000 : 100) - performance.now()));
  };
}
