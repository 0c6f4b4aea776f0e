import { assertOption } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { type Activation, type ResolvedActivation, resolveActivation } from '../../kernels/activations.js';
import { checkInitializer, defaultInitializer, type Initializer, initializerSpec } from '../initializers.js';
import type { Layer, ParameterSpec, RecordDenseEnd } from './layer.js';
import { type TrainableOptions, trainableOf } from './trainable.js';

/** The maximum of several linear pieces per unit (Goodfellow et al. 2013). Only dense layers have it. */
export type Maxout =
  | 'maxout'
  | {
      readonly type: 'maxout';
      /** Number of linear pieces per unit. Default: 2. */
      readonly pieces?: number | undefined;
    };

const MAXOUT_NAMES: OptionNames<Exclude<Maxout, string>> = { type: 1, pieces: 1 };

/** Options of `dense`. */
export interface DenseOptions extends TrainableOptions {
  /**
   * Initializer of the weights. Default: `heNormal` for relu, leakyRelu, prelu, elu, swish and gelu, `lecunNormal` for
   * selu, otherwise `xavierUniform`.
   * Example: `initializer: 'orthogonal'`.
   */
  readonly initializer?: Initializer | undefined;
  /** False for a layer without a bias. Default: true. Example: `bias: false`. */
  readonly bias?: boolean | undefined;
  /** Initializer of the bias. Default: `zeros`. Example: `biasInitializer: { type: 'constant', value: 0.1 }`. */
  readonly biasInitializer?: Initializer | undefined;
}

const NAMES: OptionNames<DenseOptions> = { initializer: 1, bias: 1, biasInitializer: 1, trainable: 1 };

/**
 * Fully connected layer: Y = f(X·W + b), with X (batch, inputs), W (inputs, units), b (units) and Y (batch, units).
 * PyTorch's `Linear` followed by an activation; W is the transpose of PyTorch's weight.
 *
 * A learned activation adds a parameter, `alpha` or `beta`, of shape (units), or (1) if the whole layer shares it. With
 * maxout, W and b have pieces·units columns: piece p of unit u is column u·pieces + p.
 *
 * The last layer may have the activation `softmax`. The losses softmaxCrossEntropy and binaryCrossEntropy contain
 * `softmax` and `sigmoid`: they are computed from the logits of such a layer, and predictions are the outputs of its
 * activation.
 *
 * `Mlp.create` checks the layer, since its error messages name the layer's position in the model: it throws a
 * `ShapeError` if `units` is not a positive integer, and an `MlpError` if an activation or an initializer is not known
 * or has an option out of range.
 * @param units number of outputs
 * @param activation f. Default: `linear`
 * @example const layers = [dense(128, 'relu'), dense(10, 'softmax')];
 */
export function dense(
  units: number,
  activation: Activation | Maxout | 'softmax' = 'linear',
  options: DenseOptions = {},
): Layer {
  const { bias = true, ...given } = checkOptions('dense', options, NAMES, 'bad-layer');
  const trainable = trainableOf(options);
  // Softmax is the model's link, not a part of the layer: the layer computes the logits.
  const ownActivation = activation === 'softmax' ? 'linear' : activation;
  const maxout = isMaxout(ownActivation) ? maxoutSpec(ownActivation) : undefined;
  const resolved = isMaxout(ownActivation) ? undefined : tryResolve(ownActivation);
  const initializer = initializerSpec(given.initializer ?? defaultInitializer(resolved?.name ?? 'linear'));
  const biasInitializer = initializerSpec(given.biasInitializer ?? 'zeros');
  const { pieces } = maxout ?? { pieces: 1 };
  // `parameters` refuses units that are no number.
  const columns = (typeof units === 'number' ? units : 0) * pieces;
  const learned = resolved?.learned;
  // The activation in the matmul's epilogue. Maxout and learned activations have dispatches of their own.
  const applied = isMaxout(ownActivation) || learned !== undefined ? 'linear' : ownActivation;

  const linearModule = { weight: 'weight', ...(bias && { bias: 'bias' }) };
  // In PyTorch activations are modules of their own, and prelu's parameter is named weight.
  const activationModule =
    learned === undefined ? {} : resolved?.name === 'prelu' ? { weight: 'alpha' } : { [learned.name]: learned.name };
  return {
    spec: {
      type: 'dense',
      units,
      activation: activation === 'softmax' ? activation : (maxout ?? resolved?.spec ?? activation),
      initializer,
      bias,
      biasInitializer,
      ...trainable,
    },
    ...trainable,
    modules:
      resolved?.name === 'linear' && activation !== 'softmax' ? [linearModule] : [linearModule, activationModule],
    outputs: () => units,
    ...(resolved?.name === 'sigmoid' && {
      linear: dense(units, 'linear', { initializer, bias, biasInitializer, ...trainable }),
    }),
    ...untrainableBy(resolved),
    parameters(inputs, where) {
      assertOption(`${where} (dense) has`, { units, pieces }, 'a positive integer', 'shape');
      assertOption(`${where} (dense) has`, { bias }, 'true or false');
      if (!isMaxout(ownActivation)) resolveActivation(ownActivation);
      checkInitializer(`${where} (dense) has initializer`, initializer, true);
      checkInitializer(`${where} (dense) has biasInitializer`, biasInitializer, false);
      const parameters: ParameterSpec[] = [{ name: 'weight', shape: [inputs, columns], initializer, pieces }];
      if (bias) parameters.push({ name: 'bias', shape: [columns], initializer: biasInitializer });
      if (resolved !== undefined && learned !== undefined) {
        const shape = [learned.per === 'unit' ? units : 1];
        parameters.push({ name: learned.name, shape, initializer: resolved.alpha });
      }
      return parameters;
    },
    record(plan, X, { values, gradients }, { kernels, purpose }) {
      const [batch = 1, inputs = 1] = X.shape;
      const { from, name } = resolveActivation(applied);
      const rows = inputs + (bias ? 1 : 0);
      const end = maxout ?? (resolved?.learned && { activation: resolved, start: rows * units });
      const W = values.view(0, [inputs, columns], 'W');
      const b = bias ? { bias: values.view(inputs * columns, [columns], 'b') } : {};
      // If the derivative needs the pre-activation, one tensor holds Y and then Z.
      const keep = purpose !== 'evaluate' && from === 'z';
      const written = plan.tensor(end === undefined ? 'Y' : 'Z', keep ? [2, batch, columns] : [batch, columns]);
      plan.add(kernels.matmul(X, W, written, { ...b, activation: applied, keepPreActivation: keep }));
      const Y = keep ? written.view(0, [batch, columns], 'Y') : written;
      const at = keep ? written.view(batch * columns, [batch, columns], 'Z') : Y;
      const ending = kernels.endDense(plan, Y, end, values, gradients);
      const activationGradient = name === 'linear' ? undefined : { activation: applied, at };
      return {
        output: ending.output,
        activationGradient,
        gate: activationGradient,
        backward(gradient, below) {
          if (purpose === 'evaluate')
            throw new MlpError('no-gradients', 'dense: this plan was not recorded for training.');
          const dZ = ending.backward(gradient);
          // [dW; db] = [X 1]ᵀ·dZ: the gradient of the bias is the product of a row of ones and dZ.
          const dW = gradients?.view(0, [rows, columns], 'dW');
          if (dW !== undefined) plan.add(kernels.matmul(X, dZ, dW, { transposeA: true, onesRow: bias }));
          const dX = plan.tensor('dX', [batch, inputs]);
          plan.add(kernels.matmul(dZ, W, dX, { transposeB: true, activationGradient: below }));
          return dX;
        },
      };
    },
  };
}

/** The end of a dense layer whose matmul applies the activation: it records nothing. */
export const endAtMatmul: RecordDenseEnd = (_plan, Z) => ({ output: Z, backward: (dY) => dY });

/** True if a dense layer with this activation needs dispatches after its matmul, which `dense-endings.ts` records. */
export function endsApart(activation: Activation | Maxout | undefined): boolean {
  return isMaxout(activation) || (activation !== undefined && tryResolve(activation)?.learned !== undefined);
}

/** True if an activation is maxout, by name or as an object. */
export function isMaxout(activation: Activation | Maxout | undefined): activation is Maxout {
  return (typeof activation === 'string' ? activation : activation?.type) === 'maxout';
}

/** Maxout as plain data with its default filled in. */
function maxoutSpec(maxout: Maxout): { readonly type: 'maxout'; readonly pieces: number } {
  const { pieces = 2 } =
    typeof maxout === 'string' ? {} : checkOptions('maxout', maxout, MAXOUT_NAMES, 'bad-activation');
  return { type: 'maxout', pieces };
}

/** The `untrainable` member of a layer that ends in the activation; empty if the layer can be trained. */
export function untrainableBy(activation: ResolvedActivation | undefined): Pick<Layer, 'untrainable'> {
  if (activation?.untrainable !== true) return {};
  return {
    untrainable: `has the activation "${activation.name}", whose derivative is 0, so no layer below it learns. Train with "sigmoid" or "tanh", and copy the weights to this model to predict.`,
  };
}

/**
 * Resolves an activation.
 * @returns undefined if it is not known or has a bad option; `Layer.parameters` then throws the error
 */
export function tryResolve(activation: Activation): ResolvedActivation | undefined {
  try {
    return resolveActivation(activation);
  } catch {
    return undefined;
  }
}
