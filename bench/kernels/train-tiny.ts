import { Random } from '../../src/base/random.js';
import { type Gpu, Tensor } from '../../src/index.js';
import { type TinyNet, trainTiny } from '../../src/kernels/train-tiny.js';
import type { Dispatch } from '../../src/plan/dispatch.js';
import { type DType, upload } from '../../src/plan/tensor.js';
import type { Case } from '../case.js';
import { nameOf, samples, stepBytes, stepFlops } from '../training/network.js';
import { replays } from './candidates.js';
import { randomTensor } from './operands.js';

/** Steps in a dispatch: as many as a trainer puts in one submit. */
const STEPS = 64;
/** Workgroup sizes that are compared, beside the one that the kernel chooses on this adapter. */
const THREADS = [1, 4, 8, 16, 32, 64, 128];

/** Adds the programs with other workgroup sizes. */
function withThreads({ programs, ...call }: Dispatch): Dispatch {
  const known = programs.map(({ overrides }) => overrides.THREADS ?? programs[0]?.shader.overrides.THREADS);
  const others = THREADS.filter((threads) => !known.includes(threads)).flatMap((threads) =>
    programs.slice(0, 1).map((program) => ({
      ...program,
      overrides: { ...program.overrides, THREADS: threads },
      prefers: () => false,
    })),
  );
  return { ...call, programs: [...programs, ...others] };
}

/** A dispatch that trains on a resident data set, in the order of an epoch. */
function trainingOf(gpu: Gpu, net: TinyNet): { readonly dispatch: Dispatch; readonly tensors: Tensor<DType>[] } {
  const { sizes, batch } = net;
  const count = STEPS * batch;
  const [features = 1] = sizes;
  const { inputs, classes } = samples({ layers: sizes, batch }, count);
  const flat = sizes.slice(1).reduce((sum, units, l) => sum + Math.ceil((((sizes[l] ?? 0) + 1) * units) / 64) * 64, 0);
  const source = {
    data: Tensor.from(gpu, inputs, [count, features]),
    labels: upload<'u32'>(gpu, classes, [count, 1], 'labels'),
    order: upload<'u32'>(gpu, new Random(1).shuffled(count), [count], 'order'),
    normalization: Tensor.from(
      gpu,
      Array.from({ length: 2 * features }, (_, i) => 1 - (i % 2)),
      [features, 2],
    ),
  };
  const parameters = randomTensor(gpu, [flat], 1);
  const outputs = {
    results: Tensor.empty(gpu, [3, batch], 'results'),
    status: Tensor.empty(gpu, [sizes.length], 'status', 'u32'),
  };
  const velocity = Tensor.empty(gpu, [flat], 'velocity');
  const step = { first: 0, rows: count, index: 1, learning_rate: 1e-6 };
  const dispatch = trainTiny(net, source, parameters, outputs, { momentum: 0.5, velocity }, step);
  return { dispatch, tensors: [...Object.values(source), ...Object.values(outputs), parameters, velocity] };
}

function tinyCase(net: TinyNet): Case {
  const network = { layers: net.sizes, batch: net.batch };
  return {
    name: `train-tiny ${STEPS} steps ${nameOf(network)}`,
    group: 'kernel',
    flops: STEPS * stepFlops(network),
    bytes: STEPS * stepBytes(network),
    prepare({ gpu }) {
      const { dispatch, tensors } = trainingOf(gpu, net);
      return replays(gpu, withThreads(dispatch), tensors);
    },
  };
}

/** Networks as for XOR and for Iris, and one that needs most of the workgroup memory. */
export const tinyTraining: readonly Case[] = [
  tinyCase({ sizes: [2, 16, 2], activation: 'relu', batch: 4 }),
  tinyCase({ sizes: [4, 16, 3], activation: 'relu', batch: 16 }),
  tinyCase({ sizes: [10, 24, 24, 4], activation: 'relu', batch: 8 }),
];
