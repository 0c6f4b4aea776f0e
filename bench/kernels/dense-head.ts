import { Random } from '../../src/base/random.js';
import { Tensor } from '../../src/index.js';
import { denseHead } from '../../src/kernels/dense-head.js';
import { matmul } from '../../src/kernels/matmul/any-adapter.js';
import { softmaxCrossEntropyRows } from '../../src/kernels/softmax-cross-entropy.js';
import type { Dispatch } from '../../src/plan/dispatch.js';
import type { DType } from '../../src/plan/tensor.js';
import type { Case } from '../case.js';
import { againstPlain } from './candidates.js';
import { randomTensor } from './operands.js';

const PLAIN = 'matmul, softmax-cross-entropy, matmul';

/** The end of a classifier in one dispatch, and in the three that it stands for. */
function head(batch: number, inputs: number, classes: number): Case {
  return {
    name: `dense-head ${batch}×${classes}×${inputs}`,
    group: 'kernel',
    flops: 4 * batch * inputs * classes,
    bytes: 4 * (2 * batch * inputs + batch * (classes + 5) + 2 * inputs * classes),
    async prepare({ gpu }) {
      const tensors: Tensor<DType>[] = [];
      const keep = <T extends DType>(tensor: Tensor<T>): Tensor<T> => {
        tensors.push(tensor);
        return tensor;
      };
      const zeros = (shape: readonly number[]): Tensor => keep(Tensor.empty(gpu, shape));
      const words = (shape: readonly number[]): Tensor<'u32'> => keep(Tensor.empty(gpu, shape, 'words', 'u32'));
      const Y = keep(randomTensor(gpu, [batch, inputs], 1));
      const parameters = keep(randomTensor(gpu, [inputs + 1, classes], 2));
      const order = words([batch]);
      order.write(new Random(1).shuffled(batch));
      const labels = words([batch, 1]);
      const shared = { losses: zeros([batch, 1]), totals: zeros([2, batch]), status: words([1]) };
      const gradient = zeros([batch, classes]);
      const [logits, dX] = [zeros([batch, classes]), zeros([batch, inputs])];
      const step = { first: 0, rows: batch, index: 1, learning_rate: 0 };
      const activationGradient = { activation: 'tanh', at: Y } as const;
      const W = parameters.view(0, [inputs, classes]);
      const bias = parameters.view(inputs * classes, [classes]);
      const one = denseHead(Y, parameters, { labels, order }, { ...shared, gradient, dX }, step, activationGradient);
      const three: readonly Dispatch[] = [
        matmul(Y, W, logits, { bias }),
        softmaxCrossEntropyRows(logits, labels, { ...shared, gradient }, step),
        matmul(gradient, W, dX, { transposeB: true, activationGradient }),
      ];
      return await againstPlain(gpu, one, { name: PLAIN, calls: three }, tensors);
    },
  };
}

/** The classifier of 784-400-200-10. */
export const heads: readonly Case[] = [head(128, 200, 10), head(1024, 200, 10)];
