// Zero initialization: if all units of a hidden layer start with equal weights, they stay equal. The gradient of W₁ is
// proportional to W₂, so it is 0 in the first step; later all units get the same gradient, and the layer acts as one unit.
// Expect a first gradient of 0, units that are equal to the last bit after training, and moons divided by a straight line.
// From random values the same network separates the moons.

import { accuracy, Dataset, dense, Mlp, moons, sgd, softmaxCrossEntropy } from 'webgpu-mlp';
import { type RunOptions, silent } from './report.ts';

export interface ZeroInitialisationResult {
  readonly initializer: 'zeros' | 'xavierUniform';
  /** The largest |∂loss/∂W₁| of the first step. */
  readonly firstGradient: number;
  /** The largest difference between two hidden units' weights of the same input, after training. */
  readonly spread: number;
  readonly loss: number;
  readonly accuracy: number;
}

const UNITS = 8;

export async function zeroInitialisation(options: RunOptions): Promise<ZeroInitialisationResult[]> {
  const { gpu, epochs = 60, seed = 1, report = silent } = options;
  const points = moons({ samples: 256, noise: 0.1, seed });
  using data = Dataset.create(gpu, points);
  const results: ZeroInitialisationResult[] = [];
  for (const initializer of ['zeros', 'xavierUniform'] as const) {
    using model = await Mlp.create(gpu, {
      inputs: 2,
      layers: [dense(UNITS, 'sigmoid', { initializer }), dense(2, 'linear', { initializer })],
      seed,
    });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.5, momentum: 0.9 }),
      metrics: [accuracy()],
      batchSize: 32,
    });
    const first = await trainer.gradients(points.inputs.subarray(0, 2 * 32), points.classes.subarray(0, 32));
    await trainer.fit(data, { epochs, onEpoch: (epoch) => report(epoch, initializer) });
    const evaluation = await trainer.evaluate(data);
    const [W] = await model.weights();
    results.push({
      initializer,
      firstGradient: Math.max(...(first.gradients[0]?.data ?? []).map(Math.abs)),
      spread: Math.max(...rowsOf(W?.data ?? new Float32Array(0)).map((row) => Math.max(...row) - Math.min(...row))),
      ...evaluation,
    });
  }
  return results;
}

/** Splits the weights into rows: one for each input, with one weight for each hidden unit. */
function rowsOf(weights: Float32Array): Float32Array[] {
  return Array.from({ length: weights.length / UNITS }, (_, row) => weights.subarray(row * UNITS, (row + 1) * UNITS));
}
