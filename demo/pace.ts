const stillness = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * Calls `draw` soon, but not again within the pace: ten times a second, or once where reduced motion is preferred.
 * A hidden page draws when it is seen again.
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
