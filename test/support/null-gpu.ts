import { create, globals } from 'webgpu';
import { Gpu } from '../../src/kernels.js';

// Dawn's null backend computes nothing and checks everything: real validation, real running out of memory (at 512 MiB), no GPU.
Object.assign(globalThis, globals);

// Kept: an adapter does not keep alive the instance that it comes from.
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
