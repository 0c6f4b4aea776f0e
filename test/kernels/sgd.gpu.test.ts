import { expect, test } from 'vitest';
import { type SgdHyperparameters, sgdUpdate, Tensor } from '../../src/kernels.js';
import type { Bounded } from '../reference/bounded.js';
import * as reference from '../reference/sgd.js';
import { Guarded, randomMatrix, sharedGpu, upload } from '../support/gpu.js';

const learningRate = 0.05;
const options: SgdHyperparameters[] = [
  {},
  { momentum: 0.9 },
  { momentum: 0.9, dampening: 0.3 },
  { dampening: 0.3 },
  { momentum: 0.9, nesterov: true },
  { weightDecay: 0.01 },
  { momentum: 0.5, dampening: 0.1, weightDecay: 0.2 },
  { momentum: 0.8, nesterov: true, weightDecay: 0.03 },
];

/** That end within a vec4, and with one. */
const counts: readonly number[] = [67, 68];

test.for(options.flatMap((hyper) => counts.map((count) => ({ count, hyper }))))(
  'four steps of sgd of $count parameters with $hyper',
  async ({ count, hyper }) => {
    const gpu = await sharedGpu();
    const shape = [1, count] as const;
    let parameters: Bounded = randomMatrix(...shape, 1);
    let velocity: Bounded | undefined;
    const p = new Guarded(gpu, shape, parameters.values);
    const v = new Guarded(gpu, shape, new Float32Array(count));
    for (let index = 0; index < 4; index++) {
      const gradient = randomMatrix(...shape, 10 + index);
      const next = reference.sgd(parameters, gradient, velocity, { learningRate, ...hyper });
      [parameters, velocity] = [next.parameters, next.velocity];
      const step = { first: 0, rows: 0, index, learning_rate: learningRate };
      gpu.run([sgdUpdate(p.tensor, upload(gpu, gradient), v.tensor, hyper, step)]);
      expect(await p.read()).toBeWithin(parameters, `p after step ${index}`);
      if (hyper.momentum !== undefined) expect(await v.read()).toBeWithin(velocity, `v after step ${index}`);
    }
  },
);

test('PyTorch, by hand: momentum 0.9, rate 0.1, gradients 1 and 1', async () => {
  const gpu = await sharedGpu();
  const [p, g, v] = [Tensor.from(gpu, [1], [1]), Tensor.from(gpu, [1], [1]), Tensor.empty(gpu, [1])];
  for (const index of [0, 1]) {
    gpu.run([sgdUpdate(p, g, v, { momentum: 0.9 }, { first: 0, rows: 0, index, learning_rate: 0.1 })]);
  }
  // v: 1, 1.9; p: 0.9, 0.71
  expect((await p.read())[0]).toBeCloseTo(0.71, 6);
});

test('a parameter that is not finite is noted once, with its first step and its owner', async () => {
  const gpu = await sharedGpu();
  const status = Tensor.empty(gpu, [4], 'status', 'u32');
  status.write(new Uint32Array(4).fill(0xffffffff));
  const layerOfBlock = Tensor.empty(gpu, [3], 'layer of block', 'u32');
  layerOfBlock.write(Uint32Array.of(0, 1, 2));
  const values = new Float32Array(192);
  const p = Tensor.from(gpu, values, [192]);
  const v = Tensor.empty(gpu, [192]);
  values[70] = 3e38; // 3e38·100 is not finite; owner 1
  const g = Tensor.from(gpu, values, [192]);
  for (const index of [4, 5]) {
    gpu.run([
      sgdUpdate(p, g, v, { watch: { layerOfBlock, status } }, { first: 0, rows: 0, index, learning_rate: 100 }),
    ]);
  }
  expect([...(await status.read())]).toEqual([0xffffffff, 0xffffffff, 4, 0xffffffff]);
});

test('numbers of elements that differ are refused', async () => {
  const gpu = await sharedGpu();
  const [two, three] = [Tensor.empty(gpu, [2]), Tensor.empty(gpu, [3])];
  const step = { first: 0, rows: 0, index: 0, learning_rate: 1 };
  expect(() => sgdUpdate(two, three, Tensor.empty(gpu, [2]), {}, step)).toThrow(
    'sgd: there are 2 parameters and 3 gradients; there must be 2.',
  );
  expect(() => sgdUpdate(two, two, three, { momentum: 0.9 }, step)).toThrow(
    'sgd: there are 2 parameters and 3 elements of "tensor"; there must be 2.',
  );
});

test('without momentum there is no velocity, and it is not asked for; with it, it is', async () => {
  const gpu = await sharedGpu();
  const [p, g, v] = [Tensor.from(gpu, [1], [1]), Tensor.from(gpu, [2], [1]), Tensor.from(gpu, [7], [1])];
  const step = { first: 0, rows: 0, index: 1, learning_rate: 0.25 };
  gpu.run([sgdUpdate(p, g, undefined, { dampening: 0.5 }, step), sgdUpdate(p, g, v, {}, step)]);
  expect([await p.read(), await v.read()]).toEqual([Float32Array.of(0), Float32Array.of(7)]);
  expect(() => sgdUpdate(p, g, undefined, { momentum: 0.9 }, step)).toThrow('sgd: momentum = 0.9 needs a velocity.');
});

test("a caller's own buffer that is no whole vec4 is refused with the remedy", async () => {
  const gpu = await sharedGpu();
  const buffer = gpu.device.createBuffer({ label: 'mine', size: 20, usage: GPUBufferUsage.STORAGE });
  const mine = Tensor.wrap(buffer, [5]);
  const step = { first: 0, rows: 0, index: 0, learning_rate: 1 };
  expect(() => sgdUpdate(mine, Tensor.empty(gpu, [5]), Tensor.empty(gpu, [5]), {}, step)).toThrow(
    '"mine" has 5 elements up to the end of its buffer; make the buffer a multiple of 16 bytes.',
  );
});
