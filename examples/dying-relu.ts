// Dying relu: if a unit's z is below 0 for every sample, its gradient is 0 for every sample, so the unit never changes. Biases
// of −2 put all hidden units into this state, as one step with too large a learning rate can. leakyRelu has a slope below 0.
// Expect 16 dead units of 16 with relu, and a network that cannot separate the two moons. With leakyRelu expect no dead unit,
// fewer and fewer units that are below 0 for every sample, and separated moons.

import { accuracy, Dataset, dense, Mlp, moons, type Points, sgd, softmaxCrossEntropy, type Weight } from 'webgpu-mlp';
import { type RunOptions, silent } from './report.ts';

export interface DyingReluResult {
  readonly activation: 'relu' | 'leakyRelu';
  readonly units: number;
  /** Number of hidden units whose z is below 0 for every sample: before training, and after each epoch. */
  readonly below: readonly number[];
  /** Number of dead hidden units after training: their output is the same for every sample, so they get no gradient. */
  readonly dead: number;
  readonly loss: number;
  readonly accuracy: number;
}

const UNITS = 16;
const ACTIVATIONS = { relu: 'relu', leakyRelu: { type: 'leakyRelu', alpha: 0.1 } } as const;

export async function dyingRelu(options: RunOptions): Promise<DyingReluResult[]> {
  const { gpu, epochs = 60, seed = 1, report = silent } = options;
  const points = moons({ samples: 256, noise: 0.1, seed });
  using data = Dataset.create(gpu, points);
  const results: DyingReluResult[] = [];
  for (const activation of ['relu', 'leakyRelu'] as const) {
    const biasInitializer = { type: 'constant', value: -2 } as const;
    using model = await Mlp.create(gpu, {
      inputs: 2,
      layers: [dense(UNITS, ACTIVATIONS[activation], { initializer: 'xavierUniform', biasInitializer }), dense(2)],
      seed,
    });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.2, momentum: 0.9 }),
      metrics: [accuracy()],
      batchSize: 32,
    });
    const below = [unitsBelowZero(await model.weights(), points)];
    await trainer.fit(data, {
      epochs,
      onEpoch: async (epoch) => {
        report(epoch, activation);
        below.push(unitsBelowZero(await model.weights(), points));
      },
    });
    const { layers } = await trainer.diagnose(data);
    const dead = layers[0]?.deadUnits.length ?? 0;
    results.push({ activation, units: UNITS, below, dead, ...(await trainer.evaluate(data)) });
  }
  return results;
}

/** Counts the hidden units whose z = x·W + b is below 0 for every sample. */
function unitsBelowZero([W, b]: readonly Weight[], { inputs, classes }: Points): number {
  const z = (unit: number, x = 0, y = 0): number =>
    x * (W?.data[unit] ?? 0) + y * (W?.data[UNITS + unit] ?? 0) + (b?.data[unit] ?? 0);
  const isBelow = (unit: number): boolean =>
    classes.every((_, row) => z(unit, inputs[2 * row], inputs[2 * row + 1]) < 0);
  return Array.from({ length: UNITS }, (_, unit) => unit).filter(isBelow).length;
}
