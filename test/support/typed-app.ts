// An app in TypeScript: published-types.test.ts compiles it against the published declarations. It is never run.
import {
  accuracy,
  adam,
  confusionMatrix,
  cosine,
  DataError,
  Dataset,
  type Device,
  dense,
  dropout,
  type EpochResult,
  f1,
  Gpu,
  type Layer,
  type Loss,
  type Metric,
  Mlp,
  MlpError,
  type Optimizer,
  type Schedule,
  softmaxCrossEntropy,
  type Tally,
  Tensor,
  Trainer,
} from 'webgpu-mlp';
import {
  add,
  type Dispatch,
  defineShader,
  dispatch,
  linearGrid,
  matmul,
  PER_STEP,
  program,
  sgdUpdate,
  unaligned,
} from 'webgpu-mlp/kernels';

const shader = defineShader({
  name: 'feature-scale',
  code: '',
  overrides: { BACKWARD: false },
  uniforms: { dims: { rows: 'u32', columns: 'u32' }, step: { first: 'u32', rows: 'u32' } },
  buffers: { X: 'read', scale: 'read', dY: 'read', dscale: 'read_write', result: 'read_write' },
});

function callScale(X: Tensor, scale: Tensor, result: Tensor, dY?: Tensor, dscale?: Tensor): Dispatch {
  const [rows = 1, columns = 1] = X.shape;
  return dispatch(shader, {
    label: `feature-scale ${rows}×${columns}`,
    programs: [program(shader, { BACKWARD: dY !== undefined }, linearGrid(columns))],
    uniforms: { dims: { rows, columns }, step: PER_STEP },
    buffers: { X, scale, result, dY, dscale },
  });
}

const featureScale = (): Layer => ({
  spec: { type: 'featureScale' },
  outputs: (inputs) => inputs,
  parameters: (inputs) => [{ name: 'scale', shape: [inputs], initializer: 1 }],
  record(plan, X, { values, gradients }, { purpose, kernels }) {
    if (purpose === 'evaluate') return undefined;
    const Y = plan.tensor('Y', X.shape);
    const product = plan.tensor('product', X.shape);
    plan.add(kernels.matmul(X, values, product, { transposeB: true }));
    plan.add(callScale(X, values, Y));
    return {
      output: Y,
      gate: undefined,
      backward(dY, below) {
        const dX = plan.tensor('dX', X.shape);
        plan.add(callScale(X, values, dX, dY, gradients));
        if (below === undefined) return dX;
        const dZ = plan.tensor('dZ', X.shape);
        plan.add(add(dX, undefined, dZ, { gate: below }));
        return dZ;
      },
    };
  },
});

const halfSquaredError = (): Loss => ({
  spec: { type: 'halfSquaredError' },
  link: 'softmax',
  record(plan, outputs, labels, { losses, gradient, totals, status }) {
    const all: readonly (Tensor | Tensor<'u32'> | undefined)[] = [labels, losses, gradient, totals, status];
    if (all.includes(undefined)) return;
    plan.add(callScale(outputs, losses, totals));
  },
});

const signDescent = (learningRate: number): Optimizer => ({
  spec: { type: 'signDescent', learningRate },
  record(plan, { values, gradients, adjustment }) {
    const velocity = plan.state('velocity', values.shape);
    plan.keep(velocity);
    plan.add(sgdUpdate(values, gradients, velocity, { momentum: 0.9, adjustment }, PER_STEP));
  },
  perStep: (index) => [index],
});

const rowsAbove: Tally = {
  dtype: 'f32',
  shape: () => [1],
  record: (plan, outputs, _labels, sums) => plan.add(callScale(outputs, plan.constant('one', [1]), sums as Tensor)),
};

const share: Metric<'share', number> = {
  name: 'share',
  tally: rowsAbove,
  unfit: ({ link }) => (link === 'identity' ? 'measures classes' : undefined),
  value: ({ rows, tallies }) => (tallies.get(rowsAbove)?.[0] ?? 0) / rows,
};

const halving: Schedule = {
  spec: { type: 'halving' },
  rate: (base, { step }) => base / 2 ** step,
};

/** Trains, evaluates and predicts with parts of its own. */
export async function app(
  images: Uint8Array,
  labels: Uint8Array,
  appDevice: GPUDevice,
  signal?: AbortSignal,
): Promise<number> {
  using gpu = await Gpu.request({ powerPreference: 'high-performance', label: 'app' });
  const shared: Device = Gpu.from(appDevice);
  void gpu.lost.then(({ reason, message }) => console.log(reason, message, shared.memory.usedBytes));
  const model = await Mlp.create(gpu, {
    inputs: 784,
    normalize: 'unit',
    layers: [dense(400, 'relu'), featureScale(), dropout(0.2), dense(10)],
    seed: 1,
  });
  const all = Dataset.create(gpu, { inputs: images, classes: labels, features: 784 });
  const [train, test] = all.split(0.8, { seed: 1, stratify: true });
  const { mean, std } = await train.statistics({ per: 'feature' });
  const trainer: Trainer<Metric<'accuracy'> | Metric<'share'>> = await model.trainer({
    loss: halfSquaredError(),
    optimizer: signDescent(0.1),
    metrics: [accuracy(), share],
    batchSize: 128,
  });
  if (!(trainer instanceof Trainer)) return mean.length + std.length;
  const results: EpochResult<Metric<'accuracy'> | Metric<'share'>>[] = await trainer.fit(train, {
    epochs: 5,
    validation: test,
    schedule: halving,
    earlyStopping: { patience: 2 },
    signal,
    onEpoch: ({ loss, share: ofRows, validation }) => console.log(loss, ofRows, validation?.accuracy),
  });
  const other = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: adam({ learningRate: 0.001 }),
    metrics: [f1(), confusionMatrix()],
    batchSize: 64,
    penalties: { l2: 1e-4 },
  });
  await other.fit(train, { epochs: 1, schedule: cosine({ epochs: 1 }) });
  await other.step(images, labels);
  const evaluation = await other.evaluate(test);
  const profile = await gpu.profile(() => trainer.evaluate(test));
  const rows = trainer.plan.dispatches.map(({ kernel, flops }) => `${kernel} ${flops}`);
  console.log(`${profile} ${trainer.plan} ${trainer.plan.memory.state}`, rows, evaluation.f1, gpu.info.limits);
  await trainer.restore(await trainer.checkpoint());
  const again = await Mlp.load(gpu, await model.save(), { layers: { featureScale } });
  again.setWeights(await model.weights());
  const classes: Uint32Array = await again.predict(images, { output: 'classes' });
  const probabilities: Float32Array = await again.predict(images);
  for (const owner of [train, test, all, trainer, other, model, again]) owner.dispose();
  return (results.at(-1)?.loss ?? 0) + (classes[0] ?? 0) + (probabilities[0] ?? 0);
}

/** Multiplies two matrices with a kernel alone. */
export async function product(gpu: Gpu, buffer: GPUBuffer, M: number, N: number, K: number): Promise<Float32Array> {
  const A = Tensor.from(gpu, new Float32Array(M * K), [M, K]);
  const B = Tensor.wrap(buffer, [K, N], { gpu });
  const C = Tensor.empty(gpu, [M, N]);
  const counts: Tensor<'u32'> = Tensor.empty(gpu, [1], 'counts', 'u32');
  gpu.run([matmul(A, B, C, { activation: { type: 'leakyRelu', alpha: 0.02 } })]);
  gpu.run([sgdUpdate(A, C, undefined, {}, { first: 0, rows: 1, index: 0, learning_rate: 0.1 })]);
  const { offset } = unaligned(C.view(4, [4]));
  const parts = [gpu.bufferOf(C).size, C.byteOffset, offset, counts.length, C.buffer.size];
  try {
    return await C.read();
  } catch (error) {
    if (error instanceof DataError || (error instanceof MlpError && error.code === 'device-lost')) throw error;
    return Float32Array.from(parts);
  }
}
