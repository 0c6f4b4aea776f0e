import type { Layer, Weight } from '../../src/index.js';
import type { Activation } from '../../src/kernels/activations.js';
import { resolveActivation } from '../../src/kernels/activations.js';
import { activate } from '../reference/activations.js';
import { add } from '../reference/add.js';
import {
  batchNorm,
  batchNormBackward,
  batchNormRunning,
  batchNormRunningBackward,
  updateRunning,
} from '../reference/batch-norm.js';
import { biasActivationBackward } from '../reference/bias-activation.js';
import { type Bounded, exact } from '../reference/bounded.js';
import { columnSum } from '../reference/column-sum.js';
import { dropout } from '../reference/dropout.js';
import { layerNorm, layerNormBackward } from '../reference/layer-norm.js';
import { matmul } from '../reference/matmul.js';

/** The properties of a replay that the reference depends on. */
export interface ReferenceContext {
  readonly training: boolean;
  readonly seed: number;
  /** The number of the step. */
  readonly index: number;
  /** True inside a frozen layer. Default: false. */
  readonly frozen?: boolean;
}

/** A chain of layers, recorded in float64. */
export interface ReferenceTrace {
  readonly Y: Bounded;
  /** ∂loss/∂X, and the gradients in the order of the trained weights. */
  backward(dY: Bounded): { readonly dX: Bounded; readonly gradients: readonly Bounded[] };
  /** The running statistics after the step, in the order of the weights. */
  readonly running: readonly Bounded[];
}

/** Takes weights one after the other, and numbers layers as a model does. */
class Cursor {
  #next = 0;
  #number = 0;
  readonly #weights: readonly Weight[];

  constructor(weights: readonly Weight[]) {
    this.#weights = weights;
  }

  number(): number {
    this.#number += 1;
    return this.#number - 1;
  }

  /** The next weight, a row unless it is a matrix. */
  take(): Bounded {
    const weight = this.#weights[this.#next];
    if (weight === undefined) throw new RangeError('There are no more weights.');
    this.#next += 1;
    const [rows = 1, columns] = weight.shape;
    return exact(columns === undefined ? [1, rows] : [rows, columns], weight.data);
  }

  /** The next two weights, one above the other. */
  pair(): Bounded {
    const [first, second] = [this.take(), this.take()];
    return exact([2, first.values.length], [...first.values, ...second.values]);
  }
}

const rowOf = ({ shape: [, columns], values, bound }: Bounded, row: number): Bounded => ({
  shape: [1, columns],
  values: values.slice(row * columns, (row + 1) * columns),
  bound: bound.slice(row * columns, (row + 1) * columns),
});

/** dY times f′ at the output or pre-activation that a layer keeps. */
const throughActivation = (dY: Bounded, Z: Bounded, activation: Activation): Bounded =>
  biasActivationBackward(dY, resolveActivation(activation).from === 'y' ? activate(Z, activation) : Z, activation);

/** A model's layers on X, by its spec and its weights. */
export function referenceNetwork(
  specs: readonly Layer['spec'][],
  weights: readonly Weight[],
  X: Bounded,
  context: ReferenceContext,
): ReferenceTrace {
  return chain(specs, new Cursor(weights), X, context);
}

function chain(specs: readonly Layer['spec'][], cursor: Cursor, X: Bounded, context: ReferenceContext): ReferenceTrace {
  const traces: ReferenceTrace[] = [];
  let Y = X;
  for (const spec of specs) {
    const trace = layer(spec, cursor, Y, context);
    traces.push(trace);
    Y = trace.Y;
  }
  return {
    Y,
    running: traces.flatMap(({ running }) => running),
    backward(dY) {
      let dX = dY;
      const gradients: Bounded[] = [];
      for (const trace of [...traces].reverse()) {
        const below = trace.backward(dX);
        gradients.unshift(...below.gradients);
        dX = below.dX;
      }
      return { dX, gradients };
    },
  };
}

function layer(spec: Layer['spec'], cursor: Cursor, X: Bounded, context: ReferenceContext): ReferenceTrace {
  const frozen = context.frozen === true || spec.trainable === false;
  const trace = layerOf(spec, cursor, X, { ...context, frozen });
  return frozen ? { ...trace, backward: (dY) => ({ dX: trace.backward(dY).dX, gradients: [] }) } : trace;
}

function layerOf(spec: Layer['spec'], cursor: Cursor, X: Bounded, context: ReferenceContext): ReferenceTrace {
  const {
    type,
    activation = 'linear',
    rate = 0,
    epsilon = 0,
    affine = true,
    momentum = 0,
  } = spec as Layer['spec'] & {
    readonly activation?: Activation;
    readonly rate?: number;
    readonly epsilon?: number;
    readonly affine?: boolean;
    readonly momentum?: number;
  };
  const stream = cursor.number();
  if (type === 'dropout') {
    if (!context.training) return { Y: X, running: [], backward: (dY) => ({ dX: dY, gradients: [] }) };
    const mask = { rate, seed: context.seed, stream, index: context.index };
    return { Y: dropout(X, mask), running: [], backward: (dY) => ({ dX: dropout(dY, mask), gradients: [] }) };
  }
  if (type === 'layerNorm') {
    const parameters = affine ? cursor.pair() : undefined;
    const { Y, statistics } = layerNorm(X, { epsilon, parameters });
    const backward: ReferenceTrace['backward'] = (dY) => {
      const { dX, gradients } = layerNormBackward(X, dY, statistics, { parameters });
      return { dX, gradients: affine ? [rowOf(gradients, 0), rowOf(gradients, 1)] : [] };
    };
    return { Y, running: [], backward };
  }
  if (type === 'batchNorm') {
    const parameters = affine ? cursor.pair() : undefined;
    const running = cursor.pair();
    if (context.frozen === true) {
      const backward: ReferenceTrace['backward'] = (dY) => ({
        dX: batchNormRunningBackward(dY, running, { epsilon, parameters }),
        gradients: [],
      });
      const kept = [rowOf(running, 0), rowOf(running, 1)];
      return { Y: batchNormRunning(X, running, { epsilon, parameters }), running: kept, backward };
    }
    const { Y, statistics, unbiased } = batchNorm(X, { epsilon, parameters });
    const updated = X.shape[0] > 1 ? updateRunning(running, unbiased, momentum) : running;
    return {
      Y: context.training ? Y : batchNormRunning(X, running, { epsilon, parameters }),
      running: [rowOf(updated, 0), rowOf(updated, 1)],
      backward(dY) {
        const { dX, gradients } = batchNormBackward(X, dY, statistics, { parameters });
        return { dX, gradients: affine ? [rowOf(gradients, 0), rowOf(gradients, 1)] : [] };
      },
    };
  }
  if (type === 'residual') {
    const inner = chain((spec.layers ?? []) as readonly Layer['spec'][], cursor, X, context);
    const Z = add(X, inner.Y);
    return {
      Y: activate(Z, activation),
      running: inner.running,
      backward(dY) {
        const dZ = throughActivation(dY, Z, activation);
        const { dX, gradients } = inner.backward(dZ);
        return { dX: add(dZ, dX), gradients };
      },
    };
  }
  if (type === 'activation') {
    const backward: ReferenceTrace['backward'] = (dY) => ({ dX: throughActivation(dY, X, activation), gradients: [] });
    return { Y: activate(X, activation), running: [], backward };
  }
  const [W, b] = [cursor.take(), cursor.take()];
  const Z = matmul(X, W, { bias: b });
  return {
    Y: activate(Z, activation),
    running: [],
    backward(dY) {
      const dZ = throughActivation(dY, Z, activation);
      return {
        dX: matmul(dZ, W, { transposeB: true }),
        gradients: [matmul(X, dZ, { transposeA: true }), columnSum(dZ)],
      };
    },
  };
}
