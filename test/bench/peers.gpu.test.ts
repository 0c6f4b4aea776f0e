import { expect, test } from 'vitest';
import type { Workload } from '../../bench/case.js';
import { peers } from '../../bench/peers/index.js';
import { LEARNING_RATE, MOMENTUM, type NetworkTask, type ProductTask, taskOf } from '../../bench/peers/task.js';
import { dense, Mlp, sgd, softmaxCrossEntropy } from '../../src/index.js';
import { exact } from '../reference/bounded.js';
import { matmul } from '../reference/matmul.js';
import '../support/bounds.js';
import { sharedGpu } from '../support/gpu.js';

// A rival that computes something else would make a race of no meaning: each has to come to this library's results.
const TOLERANCE = 1e-4;

// Six classes: with five, TensorFlow.js 4.22 on WebGL is 6e-4 away after four steps, by itself and nowhere else.
const layers = [20, 17, 33, 6];
const batch = 12;

async function model(task: NetworkTask): Promise<Mlp> {
  const made = await Mlp.create(await sharedGpu(), {
    inputs: layers[0] ?? 1,
    layers: layers.slice(1).map((units, i) => dense(units, i === layers.length - 2 ? 'linear' : 'relu')),
  });
  made.setWeights(
    task.layers.flatMap(({ W, b }, number) => [
      { name: `${number}.weight`, data: W.data },
      { name: `${number}.bias`, data: b },
    ]),
  );
  return made;
}

/** The losses of this library's first steps. */
async function ownLosses(task: NetworkTask, steps: number): Promise<number[]> {
  using own = await model(task);
  using trainer = await own.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: LEARNING_RATE, momentum: MOMENTUM }),
    batchSize: batch,
  });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    await trainer.step(task.X.data, task.labels);
    losses.push(await trainer.loss());
  }
  return losses;
}

const workloads = {
  step: { kind: 'step', layers, batch },
  firstStep: { kind: 'first-step', layers, batch },
  predict: { kind: 'predict', layers, batch },
} satisfies Record<string, Workload>;
const networkTask = taskOf(workloads.step) as NetworkTask;

// Before anything else: a peer can be cold only once in a page, and here that its results are right is all that counts.
test.each(peers)('$name: the first step from cold', async (peer) => {
  const contender = await peer.prepare(workloads.firstStep);
  await contender.run(1);
  const [expected = Number.NaN] = await ownLosses(networkTask, 1);
  expect(Math.abs(((await contender.result())[0] ?? Number.NaN) - expected)).toBeLessThan(TOLERANCE);
  await expect(contender.run(1)).rejects.toThrow('once in a page');
  contender.dispose();
});

test.each(peers)('$name: three training steps, and then three more', async (peer) => {
  const contender = await peer.prepare(workloads.step);
  const expected = await ownLosses(networkTask, 6);
  expect(Math.abs((expected[0] ?? 0) - (expected[5] ?? 0)), 'a loss that stands still proves nothing').toBeGreaterThan(
    100 * TOLERANCE,
  );
  for (const last of [2, 5]) {
    await contender.run(3);
    const loss = await contender.result();
    expect(loss.length).toBe(1);
    expect(Math.abs((loss[0] ?? Number.NaN) - (expected[last] ?? Number.NaN))).toBeLessThan(TOLERANCE);
  }
  contender.dispose();
});

test.each(peers)('$name: probabilities', async (peer) => {
  const contender = await peer.prepare(workloads.predict);
  await contender.run(2);
  using own = await model(networkTask);
  const expected = await own.predict(networkTask.X.data);
  const actual = await contender.result();
  expect(actual.length).toBe(expected.length);
  const errors = Array.from(actual, (value, i) => Math.abs(value - (expected[i] ?? Number.NaN)));
  expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
  contender.dispose();
});

const products = peers.flatMap((peer) =>
  (['NN', 'NT', 'TN'] as const).map((form) => ({ name: peer.name, peer, form })),
);
test.each(products)('$name: a product in form $form', async ({ peer, form }) => {
  const workload = { kind: 'matmul', form, M: 12, N: 20, K: 33 } as const;
  const { A, B } = taskOf(workload) as ProductTask;
  const contender = await peer.prepare(workload);
  await contender.run(9); // more than jax-js may keep waiting
  const expected = matmul(exact(A.shape, A.data), exact(B.shape, B.data), {
    transposeA: form === 'TN',
    transposeB: form === 'NT',
  });
  expect(await contender.result()).toBeWithin(expected);
  contender.dispose();
});
