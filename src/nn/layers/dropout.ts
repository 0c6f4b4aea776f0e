import { assertOption } from '../../base/check.js';
import type { ActivationGradient } from '../../kernels/activation-gradient.js';
import { dropElements } from '../../kernels/dropout.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Layer } from './layer.js';

/**
 * Inverted dropout: in training Y = X·m / (1 − rate), where each element of the mask m is 0 with probability `rate`,
 * else 1. In evaluation and prediction Y = X. The mask is a function of the model's seed, the layer and the number of
 * the step.
 *
 * PyTorch's `Dropout`. Source: Srivastava et al. 2014.
 *
 * `Mlp.create` throws `bad-option` if the rate is out of range.
 * @param rate probability that an element becomes 0, in [0, 1)
 * @example const layers = [dense(128, 'relu'), dropout(0.5), dense(10, 'softmax')];
 */
export function dropout(rate: number): Layer {
  return {
    spec: { type: 'dropout', rate },
    modules: [{}],
    outputs: (inputs) => inputs,
    parameters(_inputs, where) {
      assertOption(`${where} (dropout) has`, { rate }, 'a number in [0, 1)');
      return [];
    },
    record(plan, X, _block, { purpose, seed, number: stream }) {
      if (purpose === 'evaluate' || rate === 0) return undefined;
      const masked = (tensor: typeof X, label: string, below?: ActivationGradient): typeof X => {
        const Y = plan.tensor(label, X.shape);
        plan.add(dropElements(tensor, Y, { rate, seed, stream, activationGradient: below }, PER_STEP));
        return Y;
      };
      return {
        output: masked(X, 'Y'),
        backward: (dY, below) => masked(dY, 'dX', below),
      };
    },
  };
}
