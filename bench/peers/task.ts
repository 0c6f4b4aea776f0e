import { Random } from '../../src/base/random.js';
import type { Contender, Workload } from '../case.js';

/** A peer's contender, whose last result a test can read to check that it is correct. */
export interface PeerContender extends Contender {
  /** C of a matmul, the loss of the last step, or the probabilities of a prediction. */
  result(): Promise<Float32Array>;
}

/** A matrix on the host, row-major. */
export interface Operand {
  readonly shape: readonly [rows: number, columns: number];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A and B as they are stored: in form TN A is (K, M), in form NT B is (N, K). */
export interface ProductTask {
  readonly kind: 'matmul';
  readonly form: 'NN' | 'NT' | 'TN';
  readonly A: Operand;
  readonly B: Operand;
}

/** A network with relu in the hidden layers, and softmax and cross-entropy after the last layer. */
export interface NetworkTask {
  readonly kind: 'step' | 'predict' | 'first-step';
  /** Weights (inputs, units) and biases, from the first layer to the last. */
  readonly layers: readonly { readonly W: Operand; readonly b: Float32Array<ArrayBuffer> }[];
  readonly X: Operand;
  readonly labels: Uint32Array<ArrayBuffer>;
  /** The labels as one-hot rows of probabilities. */
  readonly targets: Operand;
}

/** A workload with its operands, which are the same for all contenders, so that their results can be compared. */
export type Task = ProductTask | NetworkTask;

/** Stochastic gradient descent, v ← momentum·v + g, p ← p − learningRate·v. */
export const LEARNING_RATE = 0.2;
export const MOMENTUM = 0.5;

export function taskOf(workload: Workload): Task {
  const random = new Random(1);
  if (workload.kind === 'matmul') {
    const { kind, form, M, N, K } = workload;
    return {
      kind,
      form,
      A: form === 'TN' ? uniform(K, M, 1, random) : uniform(M, K, 1, random),
      B: form === 'NT' ? uniform(N, K, 1, random) : uniform(K, N, 1, random),
    };
  }
  const { kind, layers, batch } = workload;
  const inputs = layers[0] ?? 1;
  const classes = layers.at(-1) ?? 1;
  const labels = Uint32Array.from({ length: batch }, (_, row) => row % classes);
  return {
    kind,
    layers: layers.slice(1).map((units, below) => {
      const width = layers[below] ?? 1;
      return { W: uniform(width, units, Math.sqrt(6 / width), random), b: new Float32Array(units) }; // He's variance
    }),
    X: { shape: [batch, inputs], data: pixels(batch * inputs, random) },
    labels,
    targets: oneHot(labels, classes),
  };
}

function uniform(rows: number, columns: number, limit: number, random: Random): Operand {
  const data = Float32Array.from({ length: rows * columns }, () => random.uniform(-limit, limit));
  return { shape: [rows, columns], data };
}

/** Pixels as in images of digits: four in five are 0, the others are between 0 and 1. */
function pixels(length: number, random: Random): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => Math.max(0, random.uniform(-4, 1)));
}

function oneHot(labels: Uint32Array, classes: number): Operand {
  const data = new Float32Array(labels.length * classes);
  for (const [row, label] of labels.entries()) data[row * classes + label] = 1;
  return { shape: [labels.length, classes], data };
}
