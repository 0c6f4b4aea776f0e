import { expect, test } from 'vitest';
import {
  type CheckGradientsOptions,
  Dataset,
  dense,
  type Gpu,
  Mlp,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { sharedGpu } from '../support/gpu.js';
import { clusters, hashOf } from '../support/problems.js';

const FEATURES = 6;
const BATCH = 8;
const { inputs, labels } = clusters(64, FEATURES, 3);
const x = inputs.slice(0, BATCH * FEATURES);
const y = labels.slice(0, BATCH);

async function setting(gpu: Gpu, units = 1000) {
  const model = await Mlp.create(gpu, { inputs: FEATURES, layers: [dense(units, 'tanh'), dense(3)], seed: 5 });
  const make = () =>
    model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.1 }), batchSize: BATCH });
  const data = Dataset.create(gpu, { inputs, features: FEATURES, classes: labels });
  /** Chunk by chunk, so that there are submits in between. @param before is awaited before each but the first */
  const stream = (before?: () => unknown) =>
    Dataset.stream(gpu, {
      length: 64,
      features: FEATURES,
      chunk: 2 * BATCH,
      read: async (first, count) => {
        if (first > 0) await before?.();
        return {
          inputs: inputs.slice(first * FEATURES, (first + count) * FEATURES),
          classes: labels.slice(first, first + count),
        };
      },
    });
  const [first, second] = [await make(), await make()];
  const dispose = (): void => {
    model.dispose();
    data.dispose();
  };
  return { model, first, second, data, stream, [Symbol.dispose]: dispose };
}
type Setting = Awaited<ReturnType<typeof setting>>;

const reading: Readonly<Record<string, (on: Setting) => Promise<unknown>>> = {
  gradients: ({ first }) => first.gradients(x, y),
  diagnose: async ({ first, data }) => `${await first.diagnose(data, { bins: 4 })}`,
};
// A network of 8 units is one dispatch, and adds to other tensors than one of several.
const sizes = Object.entries(reading).flatMap(([name, read]) => [8, 1000].map((units) => ({ name, read, units })));
test.for(sizes)(
  '$name between the submits of evaluate, $units units: both are what they are alone',
  async ({ read, units }) => {
    using on = await setting(await sharedGpu(), units);
    const alone = await on.first.evaluate(on.stream());
    const own = await read(on);
    const within: unknown[] = [];
    const beside = await on.first.evaluate(on.stream(async () => within.push(await read(on))));
    expect(beside).toEqual(alone);
    expect(within).toEqual([own, own, own]);
    // Started after it, and not waited for.
    const evaluation = on.first.evaluate(on.stream());
    expect(await read(on)).toEqual(own);
    expect(await evaluation).toEqual(alone);
  },
);

const options: CheckGradientsOptions = { elements: 2 };
const borrowing: Readonly<Record<string, (on: Setting) => Promise<unknown>>> = {
  checkGradients: async ({ first }) => `${await first.checkGradients(x, y, options)}`,
  lossSurface: ({ first, data }) => first.lossSurface(data, { points: 3 }),
};
test.for(Object.entries(borrowing))(
  '%s is busy while evaluate runs, and never moves what it reads',
  async ([, borrow]) => {
    using on = await setting(await sharedGpu());
    const alone = await on.first.evaluate(on.stream());
    const own = await borrow(on);
    const hash = await hashOf(on.model);
    const codes: unknown[] = [];
    const beside = on.first.evaluate(
      on.stream(async () => {
        const code = await borrow(on).then(
          () => 'ran',
          (error: { code?: string }) => error.code,
        );
        codes.push(code);
      }),
    );
    expect(await beside).toEqual(alone);
    expect(codes).toEqual(['busy', 'busy', 'busy']);
    expect(await borrow(on)).toEqual(own);
    expect(await hashOf(on.model)).toBe(hash);
    // And the other way round: of another trainer, too.
    const borrowed = borrow(on);
    for (const trainer of [on.first, on.second]) {
      await expect(trainer.evaluate(on.data)).rejects.toMatchObject({ code: 'busy' });
    }
    expect(await borrowed).toEqual(own);
    expect(await on.second.evaluate(on.stream())).toEqual(alone);
  },
);

test.for(Object.entries(borrowing))('steps of a second trainer survive %s of the first', async ([, borrow]) => {
  using on = await setting(await sharedGpu());
  using same = await setting(await sharedGpu());
  for (const { second } of [on, same]) await second.step(x, y);
  const borrowed = borrow(on);
  // It is refused, and not undone later.
  await expect(on.second.step(x, y)).rejects.toThrow('is running on this model');
  await borrowed;
  for (const { second } of [on, same]) await second.step(x, y);
  expect(await hashOf(on.model)).toBe(await hashOf(same.model));
});
