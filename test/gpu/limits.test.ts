import { expect, test } from 'vitest';
import { adam, confusionMatrix, dense, Gpu, LimitError, Mlp, softmaxCrossEntropy, Tensor } from '../../src/index.js';
import { nullAdapter, nullGpu } from '../support/null-gpu.js';
import { errorOf } from '../support/small-training.js';

const MIB = 2 ** 20;

/** The calls that need more than a device with default limits allows, and what their callers can do about it. */
const calls: Readonly<Record<string, readonly [remedy: string, call: (gpu: Gpu) => unknown]>> = {
  'Mlp.create': ['use narrower layers', (gpu) => Mlp.create(gpu, { inputs: 6000, layers: [dense(6000)] })],
  trainer: [
    'use a smaller batchSize or narrower layers',
    async (gpu) => {
      const model = await Mlp.create(gpu, { inputs: 2, layers: [dense(6000)] });
      const options = { loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 4, metrics: [confusionMatrix()] };
      await model.trainer(options);
    },
  ],
};
test.for(Object.entries(calls))(
  '%s on a device of an app says which limits to require',
  async ([what, [remedy, call]]) => {
    const device = await (await nullAdapter()).requestDevice();
    using gpu = Gpu.from(device);
    const error = await errorOf(() => call(gpu));
    expect(error).toBeInstanceOf(LimitError);
    const { message } = error as LimitError;
    const size = Number(message.match(/needs a buffer of (\d+) bytes/)?.[1]);
    const buffer = size > device.limits.maxBufferSize ? `, maxBufferSize: ${size}` : '';
    expect(message).toMatch(new RegExp(`^${what}: "`));
    expect(message).toContain(`but this GPU allows ${128 * MIB} (maxStorageBufferBindingSize). `);
    expect(message).toContain(
      `Request the device with requiredLimits: { maxStorageBufferBindingSize: ${size}${buffer} }, if adapter.limits are as high, or ${remedy}.`,
    );
    device.destroy();
  },
);

test('a device from Gpu.request has the limits of its adapter, so none is suggested', async () => {
  using gpu = await nullGpu();
  const elements = gpu.info.limits.maxStorageBufferBindingSize / 4 + 4;
  expect(() => Tensor.empty(gpu, [elements])).toThrow('The adapter allows no more: divide it.');
});
