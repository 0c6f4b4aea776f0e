import { assertOption } from '../../base/check.js';
import type { ActivationGradient } from '../../kernels/activation-gradient.js';
import { dropElements } from '../../kernels/dropout.js';
import { PER_STEP } from '../../plan/dispatch.js';
import type { Layer } from './layer.js';

/**
 * In training each element is dropped with probability `rate`, and the others are divided by 1 − rate; in evaluation and
 * prediction nothing happens. The model's seed, the layer and the number of the step decide which are dropped.
 * Source: Srivastava et al. 2014, inverted, as PyTorch's Dropout.
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
