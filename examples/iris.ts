// Iris: 150 flowers, four lengths each, three species. Each seed splits the flowers differently, 70 % for training and 30 %
// for testing, with the same share of each species, and starts from other weights. The result is the mean over the seeds.
// Expect a mean of ≥ 95 %. A test set has 45 flowers, so one flower is 2.2 %, and a single run is not conclusive.

import { accuracy, Dataset, dense, type Gpu, Mlp, sgd, softmaxCrossEntropy } from 'webgpu-mlp';
import { type Report, silent } from './report.ts';

export interface IrisOptions {
  readonly gpu: Gpu;
  /** Four lengths in cm for each flower. */
  readonly lengths: ArrayLike<number>;
  /** The species of each flower: 0, 1 or 2. */
  readonly species: ArrayLike<number>;
  readonly epochs?: number;
  /** Seeds, with one training for each. Default: ten seeds. */
  readonly seeds?: readonly number[];
  readonly report?: Report;
}

export interface IrisResult {
  /** Accuracy on the test flowers, for each seed. */
  readonly testAccuracy: readonly number[];
  readonly mean: number;
}

export const irisSeeds: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

export async function iris(options: IrisOptions): Promise<IrisResult> {
  const { gpu, lengths, species, epochs = 60, seeds = irisSeeds, report = silent } = options;
  using flowers = Dataset.create(gpu, { inputs: lengths, features: 4, classes: species });
  const testAccuracy: number[] = [];
  for (const seed of seeds) {
    const [train, test] = flowers.split(0.7, { seed, stratify: true });
    using model = await Mlp.create(gpu, {
      inputs: 4,
      normalize: await train.statistics({ per: 'feature' }), // of the training flowers only
      layers: [dense(16, 'tanh'), dense(3)],
      seed,
    });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }),
      metrics: [accuracy()],
      batchSize: 15,
    });
    await trainer.fit(train, { epochs, onEpoch: (epoch) => report(epoch, `seed ${seed}`) });
    testAccuracy.push((await trainer.evaluate(test)).accuracy);
    train.dispose();
    test.dispose();
  }
  return { testAccuracy, mean: testAccuracy.reduce((sum, share) => sum + share, 0) / testAccuracy.length };
}
