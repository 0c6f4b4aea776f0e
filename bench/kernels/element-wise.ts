import { sizeOf } from '../../src/base/check.js';
import { Random } from '../../src/base/random.js';
import { Tensor } from '../../src/index.js';
import { adagradUpdate } from '../../src/kernels/adagrad.js';
import { adamUpdate } from '../../src/kernels/adam.js';
import { add } from '../../src/kernels/add.js';
import { batchNormRows, batchNormRowsBackward, batchNormRunningBackward } from '../../src/kernels/batch-norm.js';
import { batchShare } from '../../src/kernels/batch-share.js';
import { biasActivation, biasActivationBackward } from '../../src/kernels/bias-activation.js';
import { classCounts } from '../../src/kernels/class-counts.js';
import { columnStatistics, slicesOf } from '../../src/kernels/column-statistics.js';
import { columnSum } from '../../src/kernels/column-sum.js';
import { dropElements } from '../../src/kernels/dropout.js';
import { elementwiseLossRows } from '../../src/kernels/elementwise-loss.js';
import { columnExtremes } from '../../src/kernels/extremes.js';
import { gatherRows } from '../../src/kernels/gather-rows.js';
import { gradientNorm, normSums } from '../../src/kernels/gradient-norm.js';
import { histogram } from '../../src/kernels/histogram.js';
import { layerNormParameters, layerNormRows, layerNormRowsBackward } from '../../src/kernels/layer-norm.js';
import { learnedActivation, learnedActivationBackward } from '../../src/kernels/learned-activation.js';
import { maxout, maxoutBackward } from '../../src/kernels/maxout.js';
import { rmspropUpdate } from '../../src/kernels/rmsprop.js';
import { runningAverage } from '../../src/kernels/running-average.js';
import { scoreCounts } from '../../src/kernels/score-counts.js';
import { sgdUpdate } from '../../src/kernels/sgd.js';
import { shiftParameters } from '../../src/kernels/shift-parameters.js';
import { softmax } from '../../src/kernels/softmax.js';
import { softmaxCrossEntropyRows } from '../../src/kernels/softmax-cross-entropy.js';
import { transpose } from '../../src/kernels/transpose.js';
import { VALUE_SUMS, valueSums } from '../../src/kernels/value-sums.js';
import type { Dispatch, StepValues } from '../../src/plan/dispatch.js';
import type { DType } from '../../src/plan/tensor.js';
import type { Case } from '../case.js';
import { replays } from './candidates.js';
import { randomTensor } from './operands.js';

/** Creates tensors, and keeps a list of them. */
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

/** Fills `order` with shuffled row numbers, as in a shuffled epoch. */
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

/** The updates of all optimizers but sgd with their state tensors, and the first dispatch of the gradient norm. */
function updates(count: number): Case[] {
  const plain = { epsilon: 1e-8, weightDecay: 0 };
  const adagrad = { ...plain, learningRateDecay: 0, initialAccumulator: 0 };
  const rmsprop = { ...plain, decay: 0.99, momentum: 0, centered: false };
  const adam = { ...plain, beta1: 0.9, beta2: 0.999, decoupled: false };
  const kernels: Record<string, readonly [words: number, describe: (operands: Operands) => Dispatch]> = {
    adagrad: [
      5,
      ({ random, zeros }) => adagradUpdate(random([count]), random([count]), zeros([count], 'f32'), adagrad, at(1)),
    ],
    rmsprop: [
      5,
      ({ random, zeros }) => rmspropUpdate(random([count]), random([count]), zeros([count], 'f32'), rmsprop, at(1)),
    ],
    adam: [
      7,
      ({ random, zeros }) => adamUpdate(random([count]), random([count]), zeros([2, count], 'f32'), adam, at(1)),
    ],
    'running-average': [3, ({ random }) => runningAverage(random([count]), random([count]), 0.1, at(1))],
    'gradient-norm': [
      1,
      ({ random, zeros }) =>
        gradientNorm(random([count]), random([count]), zeros([normSums(count), 2], 'f32'), zeros([2], 'f32'), 1)[0],
    ],
  };
  const share = kernelCase('batch-share of 4', 2 * 4, ({ zeros }) => batchShare(zeros([2], 'f32'), 4, at(1)), false);
  return Object.entries(kernels)
    .map(([name, [words, describe]]) => kernelCase(`${name} ${count}`, words * 4 * count, describe, false))
    .concat(share);
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
    // All activations are positive: relu's derivative is 1, so the gradient does not vanish over many replays.
    kernelCase(
      `bias-activation ${rows}×${columns} relu′`,
      bytes * 1.5,
      ({ random }) => biasActivationBackward(random([rows, columns]), random([rows, columns], 0.5, 1), 'relu'),
      large,
    ),
  ];
}

/** Learned activations, forward and backward. */
function learned(rows: number, columns: number, large = false): Case[] {
  const shape = [rows, columns];
  const size = 4 * sizeOf(shape);
  return [
    kernelCase(
      `learned-activation ${rows}×${columns} prelu`,
      2 * size,
      ({ random, zeros }) => learnedActivation(random(shape), random([columns]), zeros(shape, 'f32'), 'prelu'),
      large,
    ),
    kernelCase(
      `learned-activation ${rows}×${columns} prelu′`,
      3 * size,
      ({ random, zeros }) => {
        const results = { dZ: zeros(shape, 'f32'), dp: zeros([columns], 'f32') };
        return learnedActivationBackward(random(shape), random(shape), random([columns]), results, 'prelu');
      },
      large,
    ),
  ];
}

function pieces(rows: number, units: number, large = false): Case[] {
  const [narrow, wide] = [
    [rows, units],
    [rows, 2 * units],
  ] as const;
  const size = 4 * sizeOf(narrow);
  return [
    kernelCase(
      `maxout ${rows}×${units} of 2`,
      3 * size,
      ({ random, zeros }) => maxout(random(wide), zeros(narrow, 'f32')),
      large,
    ),
    kernelCase(
      `maxout ${rows}×${units} of 2 back`,
      5 * size,
      ({ random, zeros }) => maxoutBackward(random(narrow), random(wide), zeros(wide, 'f32')),
      large,
    ),
  ];
}

function rowwise(rows: number, classes: number): Case[] {
  const size = sizeOf([rows, classes]);
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
      `elementwise-loss ${rows}×${classes} binaryCrossEntropy`,
      4 * (3 * size + 4 * rows),
      ({ random, zeros }) =>
        elementwiseLossRows(
          { name: 'binaryCrossEntropy' },
          random([rows, classes]),
          random([rows, classes], 0, 1),
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
      `class-counts ${rows}×${classes}`,
      4 * (size + 2 * rows),
      ({ random, zeros }) =>
        classCounts(random([rows, classes]), zeros([rows, 1], 'u32'), zeros([classes, classes], 'u32'), at(rows)),
      false,
    ),
    kernelCase(
      `score-counts ${rows}×${classes}`,
      4 * (size + rows + rows * classes),
      ({ random, zeros }) =>
        scoreCounts(random([rows, classes]), zeros([rows, 1], 'u32'), zeros([classes, 2, 4096], 'u32'), at(rows)),
      false,
    ),
    kernelCase(
      `value-sums ${rows}×${classes}`,
      8 * size,
      ({ random, zeros }) =>
        valueSums(
          random([rows, classes]),
          random([rows, classes]),
          zeros([classes, 64, 2, VALUE_SUMS], 'f32'),
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

/** Normalization by column and by row, forward and backward. */
function norms(rows: number, columns: number, large = false): Case[] {
  const shape = [rows, columns];
  const bytes = 4 * rows * columns;
  const epsilon = 1e-5;
  const name = `${rows}×${columns}`;
  return [
    kernelCase(
      `batch-norm ${name}`,
      2 * bytes,
      ({ random, zeros }) =>
        batchNormRows(random(shape), zeros(shape, 'f32'), random([2, columns]), { epsilon }, at(rows)),
      large,
    ),
    kernelCase(
      `batch-norm ${name} backward`,
      3 * bytes,
      ({ random, zeros }) =>
        batchNormRowsBackward(random(shape), random(shape), zeros(shape, 'f32'), random([2, columns]), {}, at(rows)),
      large,
    ),
    kernelCase(
      `batch-norm ${name} running backward`,
      2 * bytes,
      ({ random, zeros }) =>
        batchNormRunningBackward(random(shape), zeros(shape, 'f32'), random([2, columns]), { epsilon }, at(rows)),
      large,
    ),
    kernelCase(
      `layer-norm ${name}`,
      2 * bytes,
      ({ random, zeros }) => layerNormRows(random(shape), zeros(shape, 'f32'), random([2, rows]), { epsilon }),
      large,
    ),
    kernelCase(
      `layer-norm ${name} backward`,
      3 * bytes,
      ({ random, zeros }) =>
        layerNormRowsBackward(random(shape), random(shape), zeros(shape, 'f32'), random([2, rows])),
      large,
    ),
    kernelCase(
      `layer-norm ${name} dweight, dbias`,
      2 * bytes,
      ({ random, zeros }) =>
        layerNormParameters(random(shape), random(shape), zeros([2, columns], 'f32'), random([2, rows])),
      large,
    ),
  ];
}

/** Kernels whose elements of output are independent of one another. */
function single(rows: number, columns: number, large = false): Case[] {
  const shape = [rows, columns];
  const bytes = 4 * rows * columns;
  return [
    kernelCase(
      `dropout ${rows}×${columns}`,
      2 * bytes,
      ({ random, zeros }) => dropElements(random(shape), zeros(shape, 'f32'), { rate: 0.2, seed: 1 }, at(rows)),
      large,
    ),
    kernelCase(
      `add ${rows}×${columns}`,
      3 * bytes,
      ({ random, zeros }) => add(random(shape), random(shape), zeros(shape, 'f32')),
      large,
    ),
    kernelCase(
      `transpose ${rows}×${columns}`,
      2 * bytes,
      ({ random, zeros }) => transpose(random(shape), zeros([columns, rows], 'f32')),
      large,
    ),
  ];
}
const statistics = (rows: number, columns: number, large = false): Case => {
  const { slices } = slicesOf(rows, columns);
  const describe = ({ random, zeros }: Operands): Dispatch =>
    columnStatistics(zeros([rows, columns], 'u8'), shuffled(zeros([rows], 'u32')), random([3, slices, columns]));
  return kernelCase(`column-statistics ${rows}×${columns} bytes`, 2 * rows * columns, describe, large);
};

/** Kernels of diagnostics, over a layer's outputs and over all parameters. */
const diagnostics = (rows: number, columns: number, parameters: number): readonly Case[] => [
  kernelCase(
    `extremes ${rows}×${columns}`,
    4 * (rows + 4) * columns,
    ({ random, zeros }) => columnExtremes(random([rows, columns]), zeros([2, columns], 'f32')),
    false,
  ),
  kernelCase(
    `histogram ${rows}×${columns}`,
    4 * rows * columns,
    ({ random, zeros }) => histogram(random([rows, columns]), zeros([32], 'u32'), [-1, 1]),
    false,
  ),
  kernelCase(
    `shift-parameters ${parameters}`,
    16 * parameters,
    ({ random, zeros }) =>
      shiftParameters(
        zeros([parameters], 'f32'),
        {
          base: random([parameters]),
          U: random([parameters]),
          V: random([parameters]),
          points: zeros([1, 2], 'f32'),
        },
        at(1),
      ),
    false,
  ),
];

/** All kernels except matmul: for the shapes of 784-400-200-10 at batch 128, and for those of wide layers. */
export const elementWise: readonly Case[] = [
  gather(128, 784, 8192),
  gather(1024, 784, 8192),
  sgd(396_224),
  sgd(4096 * 4097, true),
  ...updates(396_224),
  ...activation(128, 400),
  ...activation(1024, 4096, true),
  ...learned(128, 400),
  ...learned(1024, 4096, true),
  ...pieces(128, 400),
  ...pieces(1024, 4096, true),
  ...rowwise(128, 10),
  ...rowwise(1024, 10),
  sums(128, 400),
  sums(1024, 4096, true),
  ...norms(128, 400),
  ...norms(1024, 4096, true),
  ...single(128, 400),
  ...single(1024, 4096, true),
  statistics(8192, 784),
  ...diagnostics(128, 400, 396_224),
];
