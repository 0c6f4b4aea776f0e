// Regression on a sine, from −π to π: a hidden layer of n relu units gives a piecewise linear function with n bends, so more
// units can approximate the sine better. By the universal approximation theorem they can approximate any continuous function.
// Expect three straight pieces with 2 units, the sine's shape from 8 units on, and an error with 32 units that is less than a
// hundredth of the error with 2 units.

import { adam, cosine, Dataset, dense, Mlp, meanSquaredError } from 'webgpu-mlp';
import { type RunOptions, silent } from './report.ts';

export interface SineOptions extends RunOptions {
  /** Number of hidden units of each network. */
  readonly units?: readonly number[];
}

export interface SineResult {
  readonly x: readonly number[];
  readonly target: readonly number[];
  readonly networks: readonly {
    readonly units: number;
    /** Mean squared error. */
    readonly error: number;
    /** The network's output for each x. */
    readonly y: readonly number[];
  }[];
}

const POINTS = 256;

export async function sine(options: SineOptions): Promise<SineResult> {
  const { gpu, units: sizes = [2, 4, 8, 32], epochs = 200, seed = 1, report = silent } = options;
  const x = Array.from({ length: POINTS }, (_, i) => Math.PI * ((2 * i) / (POINTS - 1) - 1));
  const target = x.map(Math.sin);
  using data = Dataset.create(gpu, { inputs: x, features: 1, targets: target });
  const networks: SineResult['networks'][number][] = [];
  for (const units of sizes) {
    using model = await Mlp.create(gpu, {
      inputs: 1,
      layers: [dense(units, 'relu', { biasInitializer: { type: 'uniform', low: -2, high: 2 } }), dense(1)],
      seed,
    });
    using trainer = await model.trainer({
      loss: meanSquaredError(),
      optimizer: adam({ learningRate: 0.05 }),
      batchSize: 64,
    });
    await trainer.fit(data, {
      epochs,
      schedule: cosine({ epochs }),
      onEpoch: (epoch) => report(epoch, `${units} units`),
    });
    const { loss: error } = await trainer.evaluate(data);
    networks.push({ units, error, y: [...(await model.predict(x))] });
  }
  return { x, target, networks };
}
