import type { Gpu } from '../src/index.js';

/**
 * Watches what a device compiles from now on. A plan that is replayed often compiles faster programs behind its first
 * steps, and what is measured meanwhile is neither the one nor the other.
 */
export function watchCompilations({ device }: Gpu): { readonly settled: () => Promise<void> } {
  const running = new Set<Promise<unknown>>();
  const compile = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = (descriptor) => {
    const pipeline = compile(descriptor);
    const over = (): void => {
      running.delete(ended);
    };
    const ended: Promise<void> = pipeline.then(over, over);
    running.add(ended);
    return pipeline;
  };
  return {
    async settled() {
      do {
        await Promise.all(running);
        // Who waited for one begins the next before a task ends.
        await new Promise((resolve) => setTimeout(resolve, 0));
      } while (running.size > 0);
    },
  };
}
