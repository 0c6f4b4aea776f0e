// TensorFlow.js, used as its documentation recommends. A backend queues its kernels in order, so reading one number after
// them waits for all of them.
import plainWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients'; // after the core, because it reads the core's flags
import type { PeerContender } from './task.js';
import { LEARNING_RATE, MOMENTUM, type NetworkTask, type Operand, type ProductTask, type Task } from './task.js';

interface Layer {
  readonly W: tf.Variable<tf.Rank.R2>;
  readonly b: tf.Variable<tf.Rank.R1>;
}

/** Imports of the backends: a backend registers itself when it is imported. */
const imports = {
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
  async wasm() {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    // The backend uses the fastest binary that is allowed. Threads need a cross-origin isolated page, and a bundle that is
    // not minified: the worker gets this backend's source by toString().
    setWasmPaths({
      'tfjs-backend-wasm.wasm': plainWasm,
      'tfjs-backend-wasm-simd.wasm': simdWasm,
      'tfjs-backend-wasm-threaded-simd.wasm': threadedWasm,
    });
  },
} satisfies Record<string, () => Promise<unknown>>;

type Backend = keyof typeof imports;

/** Selects a backend. TensorFlow.js's backend is global, so each run selects its own. */
async function use(backend: Backend): Promise<void> {
  if (tf.getBackend() === backend) return;
  if (tf.findBackendFactory(backend) === null) await imports[backend]();
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend "${backend}" in this browser.`);
}

const tensor = ({ data, shape: [rows, columns] }: Operand): tf.Tensor2D => tf.tensor2d(data, [rows, columns]);

/** Creates a variable from a tensor, and disposes of the tensor. */
function variable<R extends tf.Rank>(initial: tf.Tensor<R>): tf.Variable<R> {
  const made = tf.variable(initial);
  initial.dispose();
  return made;
}

const layersOf = (task: NetworkTask): Layer[] =>
  task.layers.map(({ W, b }) => ({ W: variable<tf.Rank.R2>(tensor(W)), b: variable<tf.Rank.R1>(tf.tensor1d(b)) }));

const parametersOf = (layers: readonly Layer[]): tf.Variable[] => layers.flatMap(({ W, b }): tf.Variable[] => [W, b]);

/** Logits of dense layers, computed as by tf.layers.dense. */
function logits(layers: readonly Layer[], X: tf.Tensor2D): tf.Tensor2D {
  return layers.reduce<tf.Tensor2D>((a, { W, b }, number) => {
    const activation = number === layers.length - 1 ? 'linear' : 'relu';
    return tf.fused.matMul({ a, b: W, bias: b, activation }) as tf.Tensor2D;
  }, X);
}

/** Waits for a matrix by reading one element: reading all of it would measure its transfer to the host. */
async function settled(matrix: tf.Tensor2D): Promise<void> {
  const corner = tf.slice(matrix, [0, 0], [1, 1]);
  await corner.data();
  corner.dispose();
}

function product(name: string, backend: Backend, { form, ...task }: ProductTask): PeerContender {
  const [A, B] = [tensor(task.A), tensor(task.B)];
  let C: tf.Tensor2D | undefined;
  return {
    name,
    async run(count) {
      await use(backend);
      for (let i = 0; i < count; i++) {
        C?.dispose();
        C = tf.matMul(A, B, form === 'TN', form === 'NT');
      }
      if (C !== undefined) await settled(C);
    },
    async result() {
      return Float32Array.from((await C?.data()) ?? []);
    },
    dispose() {
      tf.dispose([A, B]);
      C?.dispose();
    },
  };
}

function training(name: string, backend: Backend, task: NetworkTask): PeerContender {
  const [X, targets] = [tensor(task.X), tensor(task.targets)];
  const layers = layersOf(task);
  const parameters = parametersOf(layers);
  const optimizer = tf.train.momentum(LEARNING_RATE, MOMENTUM);
  const meanLoss = (): tf.Scalar => tf.losses.softmaxCrossEntropy(targets, logits(layers, X));
  let loss: tf.Scalar | null = null;
  return {
    name,
    async run(count) {
      await use(backend);
      for (let i = 0; i < count; i++) {
        loss?.dispose();
        loss = optimizer.minimize(meanLoss, true, parameters);
      }
      await loss?.data();
    },
    async result() {
      return Float32Array.from((await loss?.data()) ?? []);
    },
    dispose() {
      tf.dispose([X, targets, ...parameters]);
      loss?.dispose();
      optimizer.dispose();
    },
  };
}

function prediction(name: string, backend: Backend, task: NetworkTask): PeerContender {
  const layers = layersOf(task);
  let probabilities = new Float32Array(0);
  return {
    name,
    async run(count) {
      await use(backend);
      for (let i = 0; i < count; i++) {
        const output = tf.tidy(() => tf.softmax(logits(layers, tensor(task.X))));
        probabilities = Float32Array.from(await output.data());
        output.dispose();
      }
    },
    result: async () => probabilities,
    dispose: () => tf.dispose(parametersOf(layers)),
  };
}

/** @throws {Error} if the backend does not start */
export async function prepare(name: string, backend: Backend, task: Task): Promise<PeerContender> {
  tf.enableProdMode();
  await use(backend);
  if (task.kind === 'matmul') return product(name, backend, task);
  if (task.kind === 'predict') return prediction(name, backend, task);
  return training(name, backend, task);
}
