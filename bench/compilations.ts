import type { Gpu } from '../src/index.js';

/**
 * Watches the compilations of a device from now on. A plan that is replayed often compiles faster programs after its first
 * steps, and a measurement during that compilation would show neither the old nor the new programs.
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
        // Code that awaits one compilation starts the next within the same task.
        await new Promise((resolve) => setTimeout(resolve, 0));
      } while (running.size > 0);
    },
  };
}
