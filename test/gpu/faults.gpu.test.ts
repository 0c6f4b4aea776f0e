import { expect, test } from 'vitest';
import { dense, Gpu, Mlp, Tensor } from '../../src/index.js';

test('a model beyond the memory that there is says so, leaves nothing behind, and the Gpu works on', async () => {
  using gpu = await Gpu.request();
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.info.limits;
  const largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  // The limits are raised as far as the adapter goes: a buffer within them may be more than there is, on some after a few others.
  const held: GPUBuffer[] = [];
  const usage = GPUBufferUsage.STORAGE;
  for (let full = false; !full && held.length < 64; ) {
    gpu.device.pushErrorScope('out-of-memory');
    const buffer = gpu.device.createBuffer({ size: largest, usage });
    full = (await gpu.device.popErrorScope()) !== null;
    if (!full) held.push(buffer);
  }
  expect(held.length).toBeLessThan(64);
  using tensor = Tensor.from(gpu, [1, 2, 3, 4], [4]);
  const before = gpu.memory;
  // Weights and biases are one buffer of that size, to the byte.
  const units = 2 ** 14;
  const create = Mlp.create(gpu, { inputs: largest / 4 / units - 1, layers: [dense(units)] });
  await expect(create).rejects.toMatchObject({ code: 'out-of-memory' });
  await expect(create).rejects.toThrow(
    /^Mlp\.create: The GPU is out of memory; \d+ bytes are in use here\. Use a smaller batch, or dispose/,
  );
  expect(gpu.memory).toEqual(before);
  gpu.check();
  for (const buffer of held) buffer.destroy();
  expect([...(await tensor.read())]).toEqual([1, 2, 3, 4]);
  using model = await Mlp.create(gpu, { inputs: 4, layers: [dense(3)] });
  expect((await model.predict([1, 2, 3, 4])).length).toBe(3);
});
