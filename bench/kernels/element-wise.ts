import { elements } from '../../src/check.js';
import type { Dispatch, StepValues } from '../../src/gpu/dispatch.js';
import type { DType } from '../../src/gpu/tensor.js';
import { Tensor } from '../../src/index.js';
import { biasActivation, biasActivationBackward } from '../../src/kernels/bias-activation.js';
import { columnStatistics, slicesOf } from '../../src/kernels/column-statistics.js';
import { columnSum } from '../../src/kernels/column-sum.js';
import { gatherRows } from '../../src/kernels/gather-rows.js';
import { sgdUpdate } from '../../src/kernels/sgd.js';
import { softmax } from '../../src/kernels/softmax.js';
import { softmaxCrossEntropyRows } from '../../src/kernels/softmax-cross-entropy.js';
import { Random } from '../../src/random.js';
import type { Case } from '../case.js';
import { replays } from './candidates.js';
import { randomTensor } from './operands.js';

/** Makes tensors, and knows them all. */
interface Operands {
  random(shape: readonly number[], low?: number, high?: number): Tensor;
  zeros<T extends DType>(shape: readonly number[], dtype: T): Tensor<T>;
}

const at = (rows: number): StepValues => ({ first: 0, rows, index: 1, learning_rate: 1e-6 });

function kernelCase(name: string, bytes: number, describe: (operands: Operands) => Dispatch, large: boolean): Case {
  return {
    name,
    group: 'kernel',
    bytes,
    ...(large ? { large } : {}),
    async prepare({ gpu }) {
      const tensors: Tensor<DType>[] = [];
      const keep = <T extends DType>(tensor: Tensor<T>): Tensor<T> => {
        tensors.push(tensor);
        return tensor;
      };
      const dispatch = describe({
        random: (shape, low, high) => keep(randomTensor(gpu, shape, 1 + tensors.length, low, high)),
        zeros: (shape, dtype) => keep(Tensor.empty(gpu, shape, 'operand', dtype)),
      });
      return await replays(gpu, dispatch, tensors);
    },
  };
}

/** Rows in an order of their own, as a shuffled epoch has them. */
function shuffled(order: Tensor<'u32'>): Tensor<'u32'> {
  order.write(new Random(1).shuffled(order.length));
  return order;
}

function gather(batch: number, columns: number, samples: number, large = false): Case {
  const name = `gather-rows ${batch}×${columns} bytes`;
  const describe = ({ random, zeros }: Operands): Dispatch => {
    const source = {
      data: zeros([samples, columns], 'u8'),
      labels: zeros([samples, 1], 'u32'),
      order: shuffled(zeros([samples], 'u32')),
      normalization: random([columns, 2]),
    };
    return gatherRows(source, random([batch, columns]), zeros([batch, 1], 'u32'), at(batch));
  };
  return kernelCase(name, batch * columns * 5, describe, large);
}

function sgd(count: number, large = false): Case {
  const describe = ({ random }: Operands): Dispatch =>
    sgdUpdate(random([count]), random([count]), random([count]), { momentum: 0.5 }, at(1));
  return kernelCase(`sgd ${count}`, 5 * 4 * count, describe, large);
}

function activation(rows: number, columns: number, large = false): Case[] {
  const bytes = 2 * 4 * rows * columns;
  return [
    kernelCase(
      `bias-activation ${rows}×${columns} tanh`,
      bytes,
      ({ random }) => biasActivation(random([rows, columns]), random([columns]), 'tanh'),
      large,
    ),
    // Where relu's derivative is 1 nothing fades away over many replays.
    kernelCase(
      `bias-activation ${rows}×${columns} relu′`,
      bytes * 1.5,
      ({ random }) => biasActivationBackward(random([rows, columns]), random([rows, columns], 0.5, 1), 'relu'),
      large,
    ),
  ];
}

function rowwise(rows: number, classes: number): Case[] {
  const size = elements([rows, classes]);
  return [
    kernelCase(
      `softmax-cross-entropy ${rows}×${classes}`,
      4 * (2 * size + 5 * rows),
      ({ random, zeros }) =>
        softmaxCrossEntropyRows(
          random([rows, classes]),
          zeros([rows, 1], 'u32'),
          {
            losses: zeros([rows, 1], 'f32'),
            gradient: zeros([rows, classes], 'f32'),
            totals: zeros([2, rows], 'f32'),
            status: zeros([4], 'u32'),
          },
          at(rows),
        ),
      false,
    ),
    kernelCase(
      `softmax ${rows}×${classes}`,
      8 * size,
      ({ random, zeros }) => softmax(random([rows, classes]), zeros([rows, classes], 'f32')),
      false,
    ),
  ];
}

const sums = (rows: number, columns: number, large = false): Case =>
  kernelCase(
    `column-sum ${rows}×${columns}`,
    4 * (rows + 1) * columns,
    ({ random, zeros }) => columnSum(random([rows, columns]), zeros([columns], 'f32')),
    large,
  );

const statistics = (rows: number, columns: number, large = false): Case => {
  const { slices } = slicesOf(rows, columns);
  const describe = ({ random, zeros }: Operands): Dispatch =>
    columnStatistics(zeros([rows, columns], 'u8'), shuffled(zeros([rows], 'u32')), random([3, slices, columns]));
  return kernelCase(`column-statistics ${rows}×${columns} bytes`, 2 * rows * columns, describe, large);
};

/** Every kernel but the products: over the shapes of 784-400-200-10 at batch 128, and over those of wide layers. */
export const elementWise: readonly Case[] = [
  gather(128, 784, 8192),
  gather(1024, 784, 8192),
  sgd(396_224),
  sgd(4096 * 4097, true),
  ...activation(128, 400),
  ...activation(1024, 4096, true),
  ...rowwise(128, 10),
  ...rowwise(1024, 10),
  sums(128, 400),
  sums(1024, 4096, true),
  statistics(8192, 784),
];
