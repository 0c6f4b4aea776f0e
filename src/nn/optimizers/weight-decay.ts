import { assertOption } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';
import type { UpdateOptions } from '../../kernels/update.js';

/**
 * Weight decay of an optimizer: a number for all parameters, as in PyTorch; or `{ value, on: 'weights' }` for the
 * entries of weight matrices only, so that biases, the parameters of norms and those of activations do not decay.
 * @example const optimizer = adamw({ weightDecay: { value: 0.01, on: 'weights' } });
 */
export type WeightDecay =
  | number
  | {
      /** The decay, ≥ 0. */
      readonly value: number;
      /** The parameters that decay: `'weights'` for the entries of weight matrices. */
      readonly on: 'weights';
    };

/** The decay as the hyperparameters of an update kernel. */
type Decay = { readonly weightDecay: number } & Required<Pick<UpdateOptions, 'decayOn'>>;

/** Checks a weight decay. @throws {MlpError} `bad-optimizer` */
export function decayOf(where: string, weightDecay: WeightDecay): Decay {
  if (typeof weightDecay !== 'object') {
    assertOption(`${where}:`, { weightDecay }, 'a finite number >= 0', 'bad-optimizer');
    return { weightDecay, decayOn: 'all' };
  }
  const { value, on, ...others } = Object(weightDecay);
  if (on !== 'weights' || Object.keys(others).length > 0) {
    throw new MlpError('bad-optimizer', `${where}: weightDecay must be a number, or { value, on: "weights" }.`);
  }
  assertOption(`${where}: weightDecay with`, { value }, 'a finite number >= 0', 'bad-optimizer');
  return { weightDecay: value, decayOn: on };
}
