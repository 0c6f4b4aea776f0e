import { choose, type Dispatch, type StepValues } from '../../src/gpu/dispatch.js';
import type { DType } from '../../src/gpu/tensor.js';
import { type Gpu, Tensor } from '../../src/index.js';
import { matmul } from '../../src/kernels/matmul.js';
import { sgdUpdate } from '../../src/kernels/sgd.js';
import { type UpdatedLayer, weightUpdate } from '../../src/kernels/weight-update.js';
import { Random } from '../../src/random.js';
import type { Case, Contender } from '../case.js';
import { replay } from '../replay.js';
import { candidatesOf } from './candidates.js';
import { randomTensor } from './operands.js';

const WIDTHS: readonly number[] = [784, 400, 200, 10];
const BATCH = 128;
const SAMPLES = 8192;
const STEP: StepValues = { first: 0, rows: BATCH, index: 1, learning_rate: 1e-6 };
const HYPER = { momentum: 0.5 };

/** The layers of a net, and what the dispatches of their update need. */
function operands(gpu: Gpu, gathered: boolean) {
  const start: number[] = [];
  let end = 0;
  for (const [layer, units] of WIDTHS.slice(1).entries()) {
    start.push(end);
    end = Math.ceil((end + ((WIDTHS[layer] ?? 0) + 1) * units) / 64) * 64;
  }
  // As a plan has them: the operands of layer l in arena l % 2.
  const arenas = [1, 2].map((seed) => randomTensor(gpu, [2 * BATCH * (WIDTHS[0] ?? 0)], seed));
  const used = [0, 0];
  const view = (layer: number, width: number): Tensor => {
    const arena = layer % 2;
    const place = used[arena] ?? 0;
    used[arena] = place + BATCH * width;
    return (arenas[arena] as Tensor).view(place, [BATCH, width]);
  };
  const X = randomTensor(gpu, [BATCH, WIDTHS[0] ?? 0], 3);
  const source = {
    data: Tensor.empty(gpu, [SAMPLES, WIDTHS[0] ?? 0], 'data', 'u8'),
    labels: Tensor.empty(gpu, [SAMPLES, 1], 'labels', 'u32'),
    order: Tensor.empty(gpu, [SAMPLES], 'order', 'u32'),
    normalization: Tensor.empty(gpu, [WIDTHS[0] ?? 0, 2]),
    common: [1 / 255, 0] as const,
  };
  source.order.write(new Random(1).shuffled(SAMPLES));
  const layers = WIDTHS.slice(1).map((units, layer) => ({
    input: layer === 0 ? X : view(layer, WIDTHS[layer] ?? 0),
    dZ: view(layer, units),
    start: start[layer] ?? 0,
    bias: true,
    number: layer,
  }));
  const updated = layers.map(({ input, ...layer }, number): UpdatedLayer => {
    return { ...layer, A: gathered && number === 0 ? { source, batch: BATCH } : input };
  });
  const [parameters, velocity, gradients] = [4, 5, 6].map((seed) => randomTensor(gpu, [end], seed)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const status = Tensor.empty(gpu, [WIDTHS.length], 'status', 'u32');
  const owners = Tensor.empty(gpu, [end / 64], 'owners', 'u32');
  const tensors: Tensor<DType>[] = [...arenas, X, source.data, source.labels, source.order, source.normalization];
  tensors.push(parameters, velocity, gradients, status, owners);
  const update = (list: readonly UpdatedLayer[]): Dispatch =>
    weightUpdate(list, parameters, velocity, HYPER, status, STEP);
  const apart = [
    ...layers.map(({ input, dZ, start: at }) => {
      const [, M = 0] = input.shape;
      const [, N = 0] = dZ.shape;
      return matmul(input, dZ, gradients.view(at, [M + 1, N]), { transposeA: true, onesRow: true });
    }),
    sgdUpdate(parameters, gradients, velocity, { ...HYPER, watch: { owners, status } }, STEP),
  ];
  return { one: update(updated), each: updated.map((layer) => update([layer])), apart, tensors };
}

/** The gradients of 784-400-200-10 and the update that they are for: in one dispatch, in one a layer, or one after the other. */
const weightUpdateCase = (gathered: boolean): Case => ({
  name: `weight-update ${WIDTHS.join('-')} batch ${BATCH} ${gathered ? 'bytes' : 'floats'}`,
  group: 'kernel',
  flops: 2 * BATCH * (785 * 400 + 401 * 200 + 201 * 10),
  async prepare({ gpu }) {
    const { one, each, apart, tensors } = operands(gpu, gathered);
    const replayed = (name: string, calls: readonly Dispatch[]): Promise<Contender> =>
      replay(
        gpu,
        name,
        calls.map((call) => candidatesOf(call, gpu.info).find(({ chosen }) => chosen)?.call ?? call),
        tensors,
      );
    const products = await replayed('products, then sgd', apart);
    if (!choose(one, gpu.info).prefers(gpu.info)) return [products];
    const tiles = candidatesOf(one, gpu.info).map(({ name, call }) => replay(gpu, name, [call], tensors));
    return [products, await replayed('a dispatch for each layer', each), ...(await Promise.all(tiles))];
  },
});

export const weightUpdates: readonly Case[] = [weightUpdateCase(false), weightUpdateCase(true)];
