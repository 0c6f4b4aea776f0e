import type { Dataset } from '../../src/index.js';
import type { Case, Contender, Context } from '../case.js';
import { watchCompilations } from '../compilations.js';
import { createDataset, createModel, createTrainer, SETTLING_STEPS } from './model.js';
import { type Network, nameOf, stepBytes, stepFlops } from './network.js';

/** Steps per submit. Fixed, because with `auto` an epoch begins with one step per submit, which would distort short runs. */
const MOST_AT_ONCE = 64;

/**
 * Training as in an app: one epoch of `fit` over a resident data set with the requested number of steps, until its loss is on
 * the host.
 */
async function fitting(
  { gpu }: Context,
  network: Network,
  { name = 'webgpu-mlp', scale = 1, stepsPerSubmit = MOST_AT_ONCE as number | 'auto' } = {},
): Promise<Contender> {
  const compilations = watchCompilations(gpu);
  const model = await createModel(gpu, network);
  const start = performance.now();
  const trainer = await createTrainer(model, network, stepsPerSubmit);
  const compileMs = performance.now() - start;
  const datasets = new Map<number, Dataset>();
  const dataset = (steps: number): Dataset => {
    const known = datasets.get(steps) ?? createDataset(gpu, network, steps);
    datasets.set(steps, known);
    return known;
  };
  await trainer.fit(dataset(SETTLING_STEPS), { epochs: 1 });
  await compilations.settled();
  // Measured with one data set, as in an app: later data sets have additional buffers.
  const gpuBytes = gpu.memory.allocatedBytes - bytesOf(dataset(SETTLING_STEPS));
  return {
    name,
    ...(scale === 1 ? { compileMs } : {}),
    dispatches: scale * trainer.plan.dispatches.length,
    gpuBytes,
    async run(count) {
      await trainer.fit(dataset(scale * count), { epochs: 1 });
    },
    dispose() {
      model.dispose();
      for (const known of datasets.values()) known.dispose();
    },
  };
}

const bytesOf = ({ resident }: Dataset): number =>
  resident === undefined ? 0 : resident.inputs.storage.byteLength + resident.labels.storage.byteLength;

const networks: readonly (Network & { readonly large?: boolean })[] = [
  { layers: [2, 16, 2], batch: 4 },
  { layers: [784, 128, 10], batch: 32 },
  { layers: [784, 400, 200, 10], batch: 32 },
  { layers: [784, 400, 200, 10], batch: 128 },
  { layers: [784, 400, 200, 10], batch: 1024 },
  { layers: [4096, 4096, 4096, 10], batch: 128, large: true },
  { layers: [4096, 4096, 4096, 10], batch: 1024, large: true },
];

const steps: readonly Case[] = networks.map((network) => ({
  name: `step ${nameOf(network)}`,
  group: 'training',
  workload: { kind: 'step', ...network },
  flops: stepFlops(network),
  bytes: stepBytes(network),
  ownDevice: true,
  ...(network.large ? { large: true } : {}),
  prepare: async (context) => [await fitting(context, network)],
}));

const MANY = 1000;
const small: Network = { layers: [2, 16, 2], batch: 4 };

/** A thousand steps with different numbers of steps per submit: the cost of submits over a long run. */
const thousand: Case = {
  name: `${MANY} steps ${nameOf(small)}`,
  group: 'training',
  flops: MANY * stepFlops(small),
  bytes: MANY * stepBytes(small),
  prepare: async (context) => [
    await fitting(context, small, { scale: MANY, name: 'steps per submit: auto', stepsPerSubmit: 'auto' }),
    await fitting(context, small, { scale: MANY, name: `steps per submit: ${MOST_AT_ONCE}` }),
    await fitting(context, small, { scale: MANY, name: 'steps per submit: 1', stepsPerSubmit: 1 }),
  ],
};

export const training: readonly Case[] = [...steps, thousand];
