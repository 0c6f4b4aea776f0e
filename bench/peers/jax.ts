// jax-js, used as its documentation recommends: compiled functions, and arrays with owners. A function consumes its
// arguments; `.ref` keeps an array for later use. jax-js is lazy, and computes only results that are awaited.
import {
  blockUntilReady,
  type Device,
  defaultDevice,
  init,
  type Array as JaxArray,
  jit,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from '@jax-js/jax';
import type { PeerContender } from './task.js';
import { LEARNING_RATE, MOMENTUM, type NetworkTask, type Operand, type ProductTask, type Task } from './task.js';

type JaxDevice = Extract<Device, 'webgpu' | 'wasm'>;

type Layer = { W: JaxArray; b: JaxArray };

type TrainingState = { loss: JaxArray; layers: Layer[]; velocities: Layer[] };

/** Number of results in flight, each with its own buffers: enough to hide the round trip. */
const IN_FLIGHT = 8;

/** Selects a device. jax-js's default device is global, so each run selects its own. */
async function use(device: JaxDevice): Promise<void> {
  if (!(await init(device)).includes(device)) throw new Error(`jax-js has no device "${device}" in this browser.`);
  defaultDevice(device);
}

const array = ({ data, shape }: Operand): JaxArray => np.array(data, { shape: [...shape] });

const layersOf = (task: NetworkTask): Layer[] => task.layers.map(({ W, b }) => ({ W: array(W), b: np.array(b) }));

function logits(layers: Layer[], X: JaxArray): JaxArray {
  return layers.reduce((a, { W, b }, number) => {
    const Z = np.matmul(a, W).add(b);
    return number === layers.length - 1 ? Z : nn.relu(Z);
  }, X);
}

function meanLoss(layers: Layer[], X: JaxArray, targets: JaxArray): JaxArray {
  const batch = X.shape[0] ?? 1;
  return nn
    .logSoftmax(logits(layers, X))
    .mul(targets)
    .sum()
    .mul(-1 / batch);
}

function trainingStep(layers: Layer[], velocities: Layer[], X: JaxArray, targets: JaxArray): TrainingState {
  const [loss, gradients] = valueAndGrad(meanLoss)(tree.ref(layers), X, targets);
  const velocity = (before: JaxArray, gradient: JaxArray): JaxArray => before.mul(MOMENTUM).add(gradient);
  const moved = (parameter: JaxArray, by: JaxArray): JaxArray => parameter.sub(by.mul(LEARNING_RATE));
  const faster: Layer[] = tree.map(velocity, velocities, gradients);
  return { loss, layers: tree.map(moved, layers, tree.ref(faster)), velocities: faster };
}

function product(name: string, device: JaxDevice, task: ProductTask): PeerContender {
  const [A, B] = [array(task.A), array(task.B)];
  const multiply = jit((A: JaxArray, B: JaxArray) =>
    np.matmul(task.form === 'TN' ? A.transpose() : A, task.form === 'NT' ? B.transpose() : B),
  );
  let results: JaxArray[] = [];
  return {
    name,
    async run(count) {
      await use(device);
      for (let i = 1; i <= count; i++) {
        if (results.length === IN_FLIGHT) tree.dispose(results.splice(0));
        results.push(multiply(A.ref, B.ref));
        if (results.length === IN_FLIGHT || i === count) await blockUntilReady(results);
      }
      tree.dispose(results.splice(0, results.length - 1));
    },
    async result() {
      return Float32Array.from((await results.at(-1)?.ref.data()) ?? []);
    },
    dispose() {
      tree.dispose([A, B, ...results]);
      multiply.dispose();
      results = [];
    },
  };
}

function training(name: string, device: JaxDevice, task: NetworkTask): PeerContender {
  const [X, targets] = [array(task.X), array(task.targets)];
  const step = jit(trainingStep);
  let layers = layersOf(task);
  let velocities: Layer[] = tree.map((parameter: JaxArray) => np.zeros(parameter.shape), layers);
  let losses: JaxArray[] = [];
  return {
    name,
    async run(count) {
      await use(device);
      for (let i = 1; i <= count; i++) {
        if (losses.length === IN_FLIGHT) tree.dispose(losses.splice(0));
        const state = step(layers, velocities, X.ref, targets.ref);
        ({ layers, velocities } = state);
        losses.push(state.loss);
        if (losses.length === IN_FLIGHT || i === count) await blockUntilReady([losses, layers, velocities]);
      }
      tree.dispose(losses.splice(0, losses.length - 1));
    },
    async result() {
      return Float32Array.from((await losses.at(-1)?.ref.data()) ?? []);
    },
    dispose() {
      tree.dispose([X, targets, layers, velocities, losses]);
      step.dispose();
      losses = [];
    },
  };
}

function prediction(name: string, device: JaxDevice, task: NetworkTask): PeerContender {
  const layers = layersOf(task);
  const predict = jit((layers: Layer[], X: JaxArray) => nn.softmax(logits(layers, X)));
  let probabilities = new Float32Array(0);
  return {
    name,
    async run(count) {
      await use(device);
      for (let i = 0; i < count; i++) {
        probabilities = Float32Array.from(await predict(tree.ref(layers), array(task.X)).data());
      }
    },
    result: async () => probabilities,
    dispose() {
      tree.dispose(layers);
      predict.dispose();
    },
  };
}

/** @throws {Error} if the device does not start */
export async function prepare(name: string, device: JaxDevice, task: Task): Promise<PeerContender> {
  await use(device);
  if (task.kind === 'matmul') return product(name, device, task);
  if (task.kind === 'predict') return prediction(name, device, task);
  return training(name, device, task);
}
