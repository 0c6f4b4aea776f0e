import { create, globals } from 'webgpu';
import { Gpu } from '../../src/kernels.js';

// Dawn's null backend computes nothing and needs no GPU, but validates everything and runs out of memory (at 512 MiB).
Object.assign(globalThis, globals);

// Kept in a variable, since an adapter does not keep its instance alive.
const instance = create(['backend=null']);

/** A fresh adapter of the null backend. */
export async function nullAdapter(): Promise<GPUAdapter> {
  const adapter = await instance.requestAdapter();
  if (adapter === null) throw new Error("Dawn's null backend has no adapter.");
  return adapter;
}

/** A device of our own on the null backend. */
export async function nullGpu(): Promise<Gpu> {
  return Gpu.request({ adapter: await nullAdapter() });
}

/** The failure of one call of `createBuffer`: a buffer that does not fit, reported as WebGPU does, or an exception. */
export type AllocationFailure = 'out-of-memory' | 'exception';

/**
 * Makes the n-th `createBuffer` of a device on the null backend fail while `work` runs.
 * @param n from 1 on
 * @returns true if there was an n-th
 */
export async function failingAllocation(
  device: GPUDevice,
  n: number,
  how: AllocationFailure,
  work: () => Promise<void>,
): Promise<boolean> {
  const usage = GPUBufferUsage.STORAGE;
  // With these buffers allocated, the largest buffer that is allowed no longer fits.
  const fillers = [2 ** 28, 2 ** 27].map((size) => device.createBuffer({ size, usage }));
  let calls = 0;
  const { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    calls += 1;
    if (calls !== n) return createBuffer.call(device, descriptor);
    if (how === 'exception') throw new RangeError('createBuffer failed');
    const buffer = createBuffer.call(device, { ...descriptor, size: 2 ** 28 });
    Object.defineProperty(buffer, 'size', { value: descriptor.size });
    return buffer;
  };
  try {
    await work();
  } finally {
    device.createBuffer = createBuffer;
    for (const filler of fillers) filler.destroy();
  }
  return calls >= n;
}
