// Exclusive or, the smallest problem that no straight line can solve: 2-4-2 with tanh, and the same network without
// activations, which is one linear map however many layers it has.
// Expect all four corners right with tanh. Without, each corner ends at a probability of ½ and the loss at ln 2 = 0.6931,
// that of a coin: no line does better.

import { accuracy, xor as corners, Dataset, dense, Mlp, sgd, softmaxCrossEntropy } from 'webgpu-mlp';
import { type RunOptions, silent } from './report.ts';

export interface XorResult {
  readonly activation: 'tanh' | 'linear';
  readonly loss: number;
  readonly accuracy: number;
  /** For the corners (0, 0), (0, 1), (1, 0) and (1, 1): the probability that the coordinates differ. */
  readonly probabilities: readonly number[];
}

export async function xor({ gpu, epochs = 200, seed = 1, report = silent }: RunOptions): Promise<XorResult[]> {
  const points = corners();
  using data = Dataset.create(gpu, points);
  const results: XorResult[] = [];
  for (const activation of ['tanh', 'linear'] as const) {
    using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(4, activation), dense(2)], seed });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.2, momentum: 0.9 }),
      metrics: [accuracy()],
      batchSize: 4,
    });
    await trainer.fit(data, { epochs, onEpoch: (epoch) => report(epoch, activation) });
    const evaluation = await trainer.evaluate(data);
    const probabilities = await model.predict(points.inputs);
    results.push({ activation, ...evaluation, probabilities: [...probabilities].filter((_, i) => i % 2 === 1) });
  }
  return results;
}
