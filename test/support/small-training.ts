import {
  accuracy,
  Dataset,
  dense,
  type Metric,
  Mlp,
  type Optimizer,
  type StreamOptions,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from '../../src/index.js';
import { FakeDevice } from './fake-device.js';
import { clusters } from './problems.js';

const FEATURES = 5;
const CLASSES = 3;
const BATCH = 4;

/** A small network on a fake device, with a trainer and 22 samples: five batches and a half. */
export interface SmallTraining {
  readonly device: FakeDevice;
  readonly model: Mlp;
  readonly trainer: Trainer<Metric<'accuracy'>>;
  readonly data: Dataset;
  /** A minibatch. */
  readonly x: Float32Array<ArrayBuffer>;
  readonly y: Uint32Array<ArrayBuffer>;
  /** Another trainer of the model. */
  makeTrainer(): Promise<Trainer<Metric<'accuracy'>>>;
  makeData(): Dataset;
  /** The same samples as a stream, in chunks of 8. @param before is awaited before samples are given */
  makeStream(before?: (first: number, count: number) => unknown): Dataset;
}

interface Options {
  readonly device?: FakeDevice;
  readonly optimizer?: Optimizer;
  readonly stepsPerSubmit?: number;
  /** Units of the hidden layer. With 1,000 a step has several dispatches, with the default one. */
  readonly units?: number;
  /** Default: 4. */
  readonly batchSize?: number;
  /** Default: 1. */
  readonly accumulate?: number;
}

/** The setup of tests of training on a fake device. */
export async function smallTraining(options: Options = {}): Promise<SmallTraining> {
  const { device = new FakeDevice(), optimizer = sgd({ learningRate: 0.1 }), stepsPerSubmit = 1, units = 70 } = options;
  const { batchSize = BATCH, accumulate = 1 } = options;
  const { inputs, labels } = clusters(22, FEATURES, CLASSES);
  const model = await Mlp.create(device, { inputs: FEATURES, layers: [dense(units, 'relu'), dense(CLASSES)] });
  const makeTrainer = (): ReturnType<SmallTraining['makeTrainer']> =>
    model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer,
      batchSize,
      accumulate,
      metrics: [accuracy()],
      stepsPerSubmit,
    });
  const makeData = (): Dataset => Dataset.create(device, { inputs, features: FEATURES, classes: labels });
  const makeStream: SmallTraining['makeStream'] = (before) => {
    const read: StreamOptions['read'] = async (first, count) => {
      await before?.(first, count);
      return {
        inputs: inputs.slice(first * FEATURES, (first + count) * FEATURES),
        classes: labels.slice(first, first + count),
      };
    };
    return Dataset.stream(device, { length: 22, features: FEATURES, chunk: 8, read });
  };
  return {
    device,
    model,
    trainer: await makeTrainer(),
    data: makeData(),
    x: inputs.slice(0, BATCH * FEATURES),
    y: labels.slice(0, BATCH),
    makeTrainer,
    makeData,
    makeStream,
  };
}

/** Waits until the device has no pending promise and gets no new one. */
export async function quiet(device: FakeDevice): Promise<void> {
  for (let turns = 0; turns < 3; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (device.isWaitedFor) turns = 0;
  }
}

/** The error of a call, if it had one. */
export async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Makes every replay add its number of rows to the first element of its totals, so that the mean loss is 1. */
export function countRows(device: FakeDevice): void {
  device.onReplay = ({ step, tensors }) => {
    const totals = tensors.find(({ label }) => label === 'totals' || label === 'totals and losses');
    if (totals === undefined || step === undefined) return;
    const [sum = 0] = device.floats(totals);
    device.floats(totals)[0] = sum + step.rows;
  };
}
