import { expect, test } from 'vitest';
import { commands } from 'vitest/browser';

test('there is an adapter, and it survives the loss of the GPU process', async () => {
  for (let round = 0; round < 4; round++) {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter?.requestDevice();
    const buffer = device?.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
    expect(buffer?.size).toBe(16);
    await commands.crashGpu();
    const lost = await device?.lost;
    expect(lost?.reason).toBe('unknown');
  }
});
