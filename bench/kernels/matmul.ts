import { Random } from '../../src/base/random.js';
import { type Gpu, Tensor } from '../../src/index.js';
import { gatherRows } from '../../src/kernels/gather-rows.js';
import { matmul, splitMatmul } from '../../src/kernels/matmul/any-adapter.js';
import type { MatmulOptions } from '../../src/kernels/matmul/matmul.js';
import type { Dispatch } from '../../src/plan/dispatch.js';
import { upload } from '../../src/plan/tensor.js';
import { readBack } from '../adapter/launch.js';
import type { Case, Contender, Workload } from '../case.js';
import { replay } from '../replay.js';
import { chosenAlone, replays } from './candidates.js';
import { randomTensor } from './operands.js';

type Product = Extract<Workload, { kind: 'matmul' }>;

interface Shape {
  readonly form: Product['form'];
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** True if the last of the M rows of op(A) is all ones and not stored, as in dW. */
  readonly onesRow?: boolean;
  readonly large?: boolean;
}

const square = (form: Product['form'], size: number): Shape => ({ form, M: size, N: size, K: size });

/** Square matmuls, those of the network 784-400-200-10, and those of layers that fill a GPU. */
const shapes: readonly Shape[] = [
  square('NN', 512),
  square('NT', 512),
  square('TN', 512),
  square('NN', 1024),
  { form: 'NN', M: 128, N: 400, K: 784 },
  { form: 'NN', M: 128, N: 200, K: 400 },
  { form: 'NN', M: 128, N: 10, K: 200 },
  { form: 'NN', M: 1, N: 400, K: 784 },
  { form: 'NN', M: 8, N: 400, K: 784 },
  { form: 'TN', M: 785, N: 400, K: 128, onesRow: true },
  { form: 'TN', M: 401, N: 200, K: 128, onesRow: true },
  { form: 'NT', M: 128, N: 400, K: 200 },
  { form: 'NT', M: 128, N: 200, K: 10 },
  ...(['NN', 'NT', 'TN'] as const).flatMap((form) => [
    { ...square(form, 4096), large: true },
    { form, M: 128, N: 4096, K: 4096, large: true },
  ]),
  { form: 'NN', M: 1, N: 4096, K: 4096, large: true },
];

/** A matmul whose operands are on the GPU. */
interface Prepared {
  readonly dispatch: Dispatch;
  readonly C: Tensor;
  readonly tensors: readonly Tensor[];
}

function prepared(gpu: Gpu, { form, M, N, K, onesRow = false }: Shape): Prepared {
  const stored = M - (onesRow ? 1 : 0);
  const [transposeA, transposeB] = [form === 'TN', form === 'NT'];
  const A = randomTensor(gpu, transposeA ? [K, stored] : [stored, K], 1);
  const B = randomTensor(gpu, transposeB ? [N, K] : [K, N], 2);
  const C = Tensor.empty(gpu, [M, N], 'C');
  const options: MatmulOptions = { transposeA, transposeB, onesRow };
  return { dispatch: matmul(A, B, C, options), C, tensors: [A, B, C] };
}

function productCase(shape: Shape): Case {
  const { form, M, N, K, onesRow = false, large = false } = shape;
  const stored = M - (onesRow ? 1 : 0);
  return {
    name: `matmul ${form} ${M}×${N}×${K}${onesRow ? ' ones' : ''}`,
    group: 'kernel',
    // Without the row of ones: peers do not compute the gradient of the bias in the same matmul.
    workload: { kind: 'matmul', form, M: stored, N, K },
    flops: 2 * M * N * K,
    bytes: 4 * (stored * K + K * N + M * N),
    ...(large ? { large } : {}),
    prepare({ gpu }) {
      const { dispatch, tensors } = prepared(gpu, shape);
      return replays(gpu, dispatch, tensors);
    },
  };
}

/** One matmul at a time with its result read back, as in a single prediction, and the round trip alone for comparison. */
const alone: Case = {
  name: 'matmul NN 1×400×784 read back',
  group: 'kernel',
  async prepare({ gpu }) {
    const { dispatch, C, tensors } = prepared(gpu, { form: 'NN', M: 1, N: 400, K: 784 });
    const staging = gpu.allocate(C.byteLength, 'C on the host', 'staging');
    const again = (once: () => Promise<unknown>): Contender['run'] => {
      return async (count) => {
        for (let i = 0; i < count; i++) await once();
      };
    };
    const copy = { from: C.buffer, fromOffset: 0, to: staging, toOffset: 0, byteLength: staging.size };
    // Matmul and copy are in one submit, as in a prediction.
    const products = await replays(gpu, dispatch, tensors, ({ submit }) => ({
      run: again(() => {
        submit(1, [copy]);
        return gpu.readStaging(staging, staging.size, true);
      }),
    }));
    const bare = again(() => readBack(gpu, C, staging));
    return [{ name: 'nothing but reading back', run: bare, dispose: () => gpu.free(staging) }, ...products];
  },
};

/** The first layer's matmuls of a batch of images: with rows that are gathered and converted before it or inside it. */
const batches: readonly Case[] = (['NN', 'TN'] as const).map((form): Case => {
  const [batch, features, units] = [128, 784, 400];
  const forward = form === 'NN';
  const [M, K] = forward ? [batch, features] : [features, batch];
  return {
    name: `matmul ${form} ${M}×${units}×${K} of a batch of bytes`,
    group: 'kernel',
    flops: 2 * M * units * K,
    async prepare({ gpu }) {
      const samples = 1024;
      const random = new Random(1);
      const pixels = Uint8Array.from({ length: samples * features }, () => random.integer(256));
      const order = upload<'u32'>(gpu, random.shuffled(samples), [samples], 'order');
      const step = { first: 0, rows: batch, index: 0, learning_rate: 0 };
      const source = {
        data: upload<'u8'>(gpu, pixels, [samples, features], 'images'),
        labels: order.view(0, [samples, 1]),
        order,
        normalization: Tensor.empty(gpu, [features, 2]),
        common: [1 / 255, 0] as const,
      };
      const X = Tensor.empty(gpu, [batch, features]);
      const B = randomTensor(gpu, [K, units], 2);
      const C = Tensor.empty(gpu, [M, units], 'C');
      const options: MatmulOptions = { transposeA: !forward };
      const product = chosenAlone(matmul(X, B, C, options), gpu.info);
      const gathered = chosenAlone(matmul({ source, batch, step }, B, C, options), gpu.info);
      const gather = gatherRows(source, X, Tensor.empty(gpu, [batch, 1], 'labels', 'u32'), step);
      const tensors = [source.data, order, source.normalization, X, B, C];
      return [
        await replay(gpu, 'gather', [gather], []),
        await replay(gpu, 'product', [product], []),
        await replay(gpu, 'gathered where it is loaded', [gathered], tensors),
      ];
    },
  };
});

/** Matmuls with few workgroups: as the adapter's rules run them, and split along K into more and more parts. For GPUs. */
const inParts: readonly Case[] = (
  [
    [32, 10, 784],
    [32, 400, 784],
    [128, 10, 4096],
  ] as const
).map(([M, N, K]): Case => {
  return {
    name: `matmul NN ${M}×${N}×${K} in parts`,
    group: 'kernel',
    flops: 2 * M * N * K,
    large: true,
    async prepare({ gpu }) {
      const [A, B] = [randomTensor(gpu, [M, K], 1), randomTensor(gpu, [K, N], 2)];
      const C = Tensor.empty(gpu, [M, N], 'C');
      const contenders = [await replay(gpu, 'whole', [matmul(A, B, C)], [A, B, C])];
      for (const parts of [2, 4, 8, 12]) {
        const partials = Tensor.empty(gpu, [parts, M, N], 'partials');
        contenders.push(await replay(gpu, `${parts} parts`, splitMatmul(A, B, C, partials), [partials]));
      }
      return contenders;
    },
  };
});

export const products: readonly Case[] = [...shapes.map(productCase), ...inParts, ...batches, alone];
