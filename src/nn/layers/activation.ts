import { MlpError } from '../../base/errors.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import type { ActivationGradient } from '../../kernels/activation-gradient.js';
import { type Activation, type ResolvedActivation, resolveActivation } from '../../kernels/activations.js';
import { add } from '../../kernels/add.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import { isMaxout, tryResolve, untrainableBy } from './dense.js';
import type { Layer } from './layer.js';
import { type TrainableOptions, trainableOf } from './trainable.js';

const NAMES: OptionNames<TrainableOptions> = { trainable: 1 };

/**
 * An activation as a layer of its own: Y = f(X), element by element. X and Y are (batch, features). For the order Linear,
 * BatchNorm, ReLU; directly after a dense layer, `dense(units, f)` computes the same in fewer dispatches.
 *
 * PyTorch's `ReLU`, `Tanh` and so on, each a module in a file. A learned activation has a parameter, `alpha` or `beta`,
 * of shape (features), or (1) if all features share it. A last layer may be `activation('softmax')`, which the loss
 * softmaxCrossEntropy contains, as it does that of a dense layer.
 *
 * The default initializer of a dense layer depends on its own activation only: before `batchNorm()` and
 * `activation('relu')` give it `{ initializer: 'heNormal' }`.
 *
 * `Mlp.create` throws `unknown-activation` or `bad-activation` if f is not known, has an option out of range or is
 * maxout, which only dense layers have.
 * @param activation f
 * @example const layers = [dense(64), batchNorm(), activation('relu'), dense(10, 'softmax')];
 */
export function activation(activation: Activation | 'softmax', options: TrainableOptions = {}): Layer {
  // Softmax is the model's link, not a part of the layer: the layer returns the logits.
  const own = activation === 'softmax' ? 'linear' : activation;
  const resolved = tryResolve(own);
  const { learned } = resolved ?? {};
  const trainable = trainableOf(checkOptions('activation', options, NAMES, 'bad-layer'));
  const spec = activation === 'softmax' ? activation : (resolved?.spec ?? activation);
  return {
    spec: { type: 'activation', activation: spec, ...trainable },
    ...trainable,
    modules: [moduleOf(resolved)],
    outputs: (inputs) => inputs,
    ...(resolved?.name === 'sigmoid' && { linear: activationLayer('linear') }),
    ...untrainableBy(resolved),
    parameters(inputs, where) {
      if (isMaxout(own)) {
        throw new MlpError('bad-activation', `${where} (activation) has maxout, which only dense layers have.`);
      }
      const { alpha } = resolveActivation(own);
      if (learned === undefined) return [];
      return [{ name: learned.name, shape: [learned.per === 'unit' ? inputs : 1], initializer: alpha }];
    },
    record(plan, X, { values, gradients }, { kernels }) {
      const { name, from, learned: parameter } = resolveActivation(own);
      if (resolved !== undefined && parameter !== undefined) {
        const { output, backward } = kernels.endDense(plan, X, { activation: resolved, start: 0 }, values, gradients);
        return { output, backward: (dY, below) => times(plan, backward(dY), below) };
      }
      if (name === 'linear') return undefined;
      const Y = plan.tensor('Y', X.shape);
      plan.add(add(X, undefined, Y, { activation: own }));
      const activationGradient = { activation: own, at: from === 'y' ? Y : X };
      return {
        output: Y,
        activationGradient,
        gate: activationGradient,
        backward: (dX, below) => times(plan, dX, below),
      };
    },
  };
}

/** `activation`, where an option has its name. */
const activationLayer = activation;

/** PyTorch's module of an activation: of the learned ones only prelu is PyTorch's, with a parameter named weight. */
function moduleOf(activation: ResolvedActivation | undefined): Readonly<Record<string, string>> {
  const { name, learned } = activation ?? {};
  if (learned === undefined) return {};
  return name === 'prelu' ? { weight: learned.name } : { [learned.name]: learned.name };
}

/** A gradient times the derivative of the activation below, as a new tensor if there is one. */
function times(plan: PlanBuilder, gradient: Tensor, below: ActivationGradient | undefined): Tensor {
  if (below === undefined) return gradient;
  const dX = plan.tensor('dX', gradient.shape);
  plan.add(add(gradient, undefined, dX, { activationGradient: below }));
  return dX;
}
