import { assertOption } from '../../base/check.js';
import { MlpError } from '../../base/errors.js';
import { type Activation, type ResolvedActivation, resolveActivation } from '../../kernels/activations.js';
import { checkInitializer, defaultInitializer, type Initializer, initializerSpec } from '../initializers.js';
import type { Layer, ParameterSpec, RecordDenseEnd } from './layer.js';

/** The largest of several linear pieces, 2 by default: only a dense layer has the columns for them. */
export type Maxout = 'maxout' | { readonly type: 'maxout'; readonly pieces?: number };

export interface DenseOptions {
  /** The start of the weights; by default He for the relu family, LeCun for selu, Xavier (Glorot) else. */
  readonly initializer?: Initializer;
  /** False for a layer without a bias. */
  readonly bias?: boolean;
  /** The start of the bias: `zeros` by default. */
  readonly biasInitializer?: Initializer;
}

/**
 * Y = f(X·W + b), with X (batch, inputs), W (inputs, units), b (units) and Y (batch, units).
 * A learned activation adds a parameter, `alpha` or `beta`: (units), or (1) for the layer. With maxout W and b have
 * pieces·units columns: piece p of unit u is column u·pieces + p.
 * A last layer may have the activation `softmax`: with softmaxCrossEntropy, which contains it, as with `sigmoid` and
 * binaryCrossEntropy, the network is trained on what comes before it, and predictions are behind it.
 * `Mlp.create` checks it, as it knows the layer's place.
 */
export function dense(
  units: number,
  given: Activation | Maxout | 'softmax' = 'linear',
  options: DenseOptions = {},
): Layer {
  const { bias = true } = options;
  // Softmax is the link between the model's outputs and their meaning: the layer has the logits.
  const activation = given === 'softmax' ? 'linear' : given;
  const maxout = isMaxout(activation) ? maxoutSpec(activation) : undefined;
  const resolved = isMaxout(activation) ? undefined : tryResolve(activation);
  const initializer = initializerSpec(options.initializer ?? defaultInitializer(resolved?.name ?? 'linear'));
  const biasInitializer = initializerSpec(options.biasInitializer ?? 'zeros');
  const { pieces } = maxout ?? { pieces: 1 };
  const columns = units * pieces;
  const learned = resolved?.learned;
  // The matmul's epilogue applies it; maxout and learned activations have dispatches of their own.
  const applied = isMaxout(activation) || learned !== undefined ? 'linear' : activation;

  const own = { weight: 'weight', ...(bias && { bias: 'bias' }) };
  // PyTorch has activations in modules of their own, and calls prelu's parameter a weight.
  const after =
    learned === undefined ? {} : resolved?.name === 'prelu' ? { weight: 'alpha' } : { [learned.name]: learned.name };
  return {
    spec: {
      type: 'dense',
      units,
      activation: given === 'softmax' ? given : (maxout ?? resolved?.spec ?? given),
      initializer,
      bias,
      biasInitializer,
    },
    modules: resolved?.name === 'linear' && given !== 'softmax' ? [own] : [own, after],
    outputs: () => units,
    ...(resolved?.name === 'sigmoid' && { linear: dense(units, 'linear', { initializer, bias, biasInitializer }) }),
    ...untrainableBy(resolved),
    parameters(inputs, where) {
      assertOption(`${where} (dense) has`, { units, pieces }, 'a positive integer', 'shape');
      if (!isMaxout(activation)) resolveActivation(activation);
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
    record(plan, X, { values, gradients }, { kernels }) {
      const [batch = 1, inputs = 1] = X.shape;
      const { from, name } = resolveActivation(applied);
      const rows = inputs + (bias ? 1 : 0);
      const end = maxout ?? (resolved?.learned && { activation: resolved, start: rows * units });
      const W = values.view(0, [inputs, columns], 'W');
      const b = bias ? { bias: values.view(inputs * columns, [columns], 'b') } : {};
      // The derivative may need the pre-activation: then Y is followed by Z in one tensor.
      const keep = gradients !== undefined && from === 'z';
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
          if (gradients === undefined)
            throw new MlpError('no-gradients', 'dense: this plan was not recorded for training.');
          const dZ = ending.backward(gradient);
          // [dW; db] = [X 1]ᵀ·dZ: the bias' gradient is the product of a row of ones.
          const dW = gradients.view(0, [rows, columns], 'dW');
          plan.add(kernels.matmul(X, dZ, dW, { transposeA: true, onesRow: bias }));
          const dX = plan.tensor('dX', [batch, inputs]);
          plan.add(kernels.matmul(dZ, W, dX, { transposeB: true, activationGradient: below }));
          return dX;
        },
      };
    },
  };
}

/** The end of a dense layer whose matmul has the activation: nothing follows. */
export const endAtMatmul: RecordDenseEnd = (_plan, Z) => ({ output: Z, backward: (dY) => dY });

/** True if a dense layer with this activation does more than its matmul: `dense-endings.ts` records the rest. */
export function endsApart(activation: Activation | Maxout | undefined): boolean {
  return isMaxout(activation) || (activation !== undefined && tryResolve(activation)?.learned !== undefined);
}

export function isMaxout(activation: Activation | Maxout | undefined): activation is Maxout {
  return (typeof activation === 'string' ? activation : activation?.type) === 'maxout';
}

function maxoutSpec(maxout: Maxout): { readonly type: 'maxout'; readonly pieces: number } {
  const { pieces = 2 } = typeof maxout === 'string' ? {} : maxout;
  return { type: 'maxout', pieces };
}

/** The reason why a layer that ends in the activation cannot be trained, if it cannot. */
export function untrainableBy(activation: ResolvedActivation | undefined): Pick<Layer, 'untrainable'> {
  if (activation?.untrainable !== true) return {};
  return {
    untrainable: `has the activation "${activation.name}", whose derivative is 0, so that nothing below it would learn. Train with "sigmoid" or "tanh", and set those weights in this model to predict.`,
  };
}

/** A spec is plain data even for an activation that does not exist; `parameters` then says so. */
export function tryResolve(activation: Activation): ResolvedActivation | undefined {
  try {
    return resolveActivation(activation);
  } catch {
    return undefined;
  }
}
