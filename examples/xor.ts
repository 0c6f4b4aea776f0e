// Exclusive or, the smallest problem that no straight line can solve: 2-4-2 with tanh, and the same network without
// activations, which is a linear map regardless of its number of layers.
// Expect all four corners right with tanh. Without activations expect a probability of ½ at each corner and a loss of
// ln 2 = 0.6931, as for a coin: no straight line does better.

import { accuracy, xor as corners, Dataset, dense, Mlp, sgd, softmaxCrossEntropy } from 'webgpu-mlp';
import { type RunOptions, silent } from './report.ts';

export interface XorResult {
  readonly activation: 'tanh' | 'linear';
  readonly loss: number;
  readonly accuracy: number;
  /** The predicted probability that the coordinates differ, at the corners (0, 0), (0, 1), (1, 0) and (1, 1). */
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
