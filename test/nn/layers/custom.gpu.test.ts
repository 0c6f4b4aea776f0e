import { expect, test } from 'vitest';
import guide from '../../../docs/custom-layers.md?raw';
import * as library from '../../../src/index.js';
import { type Layer, Mlp, type Optimizer, sgd, softmaxCrossEntropy } from '../../../src/index.js';
import * as kernels from '../../../src/kernels.js';
import { add, columnSum, defineShader, dispatch, matmul, program } from '../../../src/kernels.js';
import { sharedGpu } from '../../support/gpu.js';
import { clusters } from '../../support/problems.js';

/** Runs the guide's blocks as they stand, and returns what they define. */
async function runGuide(): Promise<{
  readonly featureScale: () => Layer;
  readonly halfSquaredError: () => library.Loss;
  readonly signDescent: (learningRate: number) => Optimizer;
  readonly gpu: library.Gpu;
  readonly history: readonly library.EpochResult[];
  readonly classes: Uint32Array;
}> {
  const program = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = '']) => block).join('\n');
  const body = program.replace(/^import (\{[^}]*\}) from "webgpu-mlp(\/kernels)?";$/gm, (_line, names, part) => {
    return `const ${names} = ${part === undefined ? 'library' : 'kernels'};`;
  });
  const names = 'featureScale, halfSquaredError, signDescent, gpu, history, classes';
  const make = new Function('library', 'kernels', `return (async () => { ${body}\nreturn { ${names} }; })();`);
  return await make(library, kernels);
}

test('the guide runs as it is printed, and XOR is learned', async () => {
  const { gpu, history, classes } = await runGuide();
  expect(history.length).toBe(200);
  expect([...classes]).toEqual([0, 1, 1, 0]);
  gpu.destroy();
});

test("the guide's gradients are those of centred differences, and its update is what it says", async () => {
  const { featureScale, halfSquaredError, signDescent, gpu } = await runGuide();
  const layers = [featureScale(), library.dense(4, 'gelu'), featureScale(), library.dense(2)];
  using model = await Mlp.create(gpu, { inputs: 3, layers, seed: 2 });
  using trainer = await model.trainer({ loss: halfSquaredError(), optimizer: signDescent(0.25), batchSize: 6 });
  const weights = await model.weights();
  expect(weights.map(({ name }) => name)).toEqual(['0.scale', '1.weight', '1.bias', '2.scale', '3.weight', '3.bias']);
  const { inputs, labels } = clusters(4, 3, 2);
  const { gradients } = await trainer.gradients(inputs, labels);
  const lossAt = async (which: number, element: number, change: number): Promise<number> => {
    model.setWeights(
      weights.map((weight, number) => ({
        ...weight,
        data: weight.data.map((w, i) => (number === which && i === element ? w + change : w)),
      })),
    );
    return (await trainer.gradients(inputs, labels)).loss;
  };
  for (const [which, { name, data }] of gradients.entries()) {
    const h = 2 ** -6;
    const slope = ((await lossAt(which, 0, h)) - (await lossAt(which, 0, -h))) / (2 * h);
    // h²/6 of a third derivative, which is a few units here, and f32 losses of about 1 off by 2⁻²⁰, over h.
    expect(Math.abs(slope - (data[0] ?? Number.NaN)), name).toBeLessThan(2e-3);
  }
  model.setWeights(weights);
  await trainer.step(inputs, labels);
  for (const [which, { data }] of (await model.weights()).entries()) {
    for (const [i, value] of data.entries()) {
      const g = gradients[which]?.data[i] ?? Number.NaN;
      expect(value).toBe(Math.fround((weights[which]?.data[i] ?? 0) - 0.25 * Math.sign(g)));
    }
  }
  gpu.destroy();
});

/** Y = X·W + X·W: products that are no chain of layers. */
const twice = (units: number): Layer => ({
  spec: { type: 'twice', units },
  outputs: () => units,
  parameters: (inputs) => [{ name: 'weight', shape: [inputs, units], initializer: 'xavierUniform' }],
  record(plan, X, { values, gradients }) {
    const [batch = 1, inputs = 1] = X.shape;
    const W = values.view(0, [inputs, units]);
    const [A, B, Y] = ['A', 'B', 'Y'].map((label) => plan.tensor(label, [batch, units])) as [
      kernels.Tensor,
      kernels.Tensor,
      kernels.Tensor,
    ];
    plan.add(matmul(X, W, A));
    plan.add(matmul(X, W, B));
    plan.add(add(A, B, Y));
    return {
      output: Y,
      backward(dY, below) {
        const [dY2, dX] = [plan.tensor('2·dY', [batch, units]), plan.tensor('dX', X.shape)];
        plan.add(add(dY, dY, dY2));
        if (gradients !== undefined) plan.add(matmul(X, dY2, gradients.view(0, [inputs, units]), { transposeA: true }));
        plan.add(matmul(dY2, W, dX, { transposeB: true, activationGradient: below }));
        return dX;
      },
    };
  },
});

/** A layer that wraps another, in the words of an earlier version. */
const wrapped = (layer: Layer): Layer => ({
  spec: { type: 'wrapped' },
  outputs: (inputs) => layer.outputs(inputs),
  parameters: (inputs, where) => layer.parameters(inputs, where),
  record(plan, X, block, context) {
    const recorded = layer.record(plan, X, block, context);
    if (recorded === undefined) return undefined;
    const { output, gate } = recorded;
    return {
      output,
      gate,
      backward(dZ, below) {
        const dX = recorded.backward(dZ, undefined);
        if (below === undefined) return dX;
        const multiplied = plan.tensor('dX · f′', X.shape);
        plan.add(add(dX, undefined, multiplied, { gate: below }));
        return multiplied;
      },
    };
  },
});

test('`gate`, the earlier name of `activationGradient`, is still taken from layers and options', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(5, 3, 2);
  const layers = [library.dense(4, 'tanh'), library.dense(4, 'sigmoid'), library.dense(2)];
  const trained: Float32Array[][] = [];
  for (const wrap of [(layer: Layer): Layer => layer, wrapped]) {
    using model = await Mlp.create(gpu, { inputs: 3, layers: layers.map(wrap), seed: 1 });
    using trainer = await model.trainer({
      loss: softmaxCrossEntropy(),
      optimizer: sgd({ learningRate: 0.25 }),
      batchSize: 5,
    });
    await trainer.step(inputs, labels);
    trained.push((await model.weights()).map(({ data }) => data));
  }
  expect(trained[1]).toEqual(trained[0]);
});

test('products that are no chain of layers are not taken for one', async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(5, 3, 2);
  using model = await Mlp.create(gpu, { inputs: 3, layers: [twice(2)], seed: 1 });
  using plain = await Mlp.create(gpu, { inputs: 3, layers: [library.dense(2, 'linear', { bias: false })], seed: 1 });
  const [weight] = await model.weights();
  plain.setWeights([{ name: '0.weight', data: (weight?.data ?? new Float32Array()).map((w) => 2 * w) }]);
  expect(await model.predict(inputs, { output: 'logits' })).toEqual(await plain.predict(inputs, { output: 'logits' }));
  const options = { loss: softmaxCrossEntropy(), batchSize: 5 };
  using trainer = await model.trainer({ ...options, optimizer: sgd({ learningRate: 0.25 }) });
  using other = await plain.trainer({ ...options, optimizer: sgd({ learningRate: 1 }) });
  await trainer.step(inputs, labels);
  await other.step(inputs, labels);
  // w ← w − ¼·2·g, so 2w ← 2w − g: what the plain layer does, which sums in another order.
  const [[once], [doubled]] = [await model.weights(), await plain.weights()];
  for (const [i, w] of (once?.data ?? []).entries()) expect(2 * w).toBeCloseTo(doubled?.data[i] ?? Number.NaN, 5);
  expect(trainer.plan.toString()).toContain('not fused: a small network in one dispatch (');
});

/** Y = X·W + b, whose gradient goes back by a matrix that stays as it is (Lillicrap et al. 2016), not by Wᵀ. */
const feedback = (units: number): Layer => ({
  ...library.dense(units),
  parameters: (inputs, where) => [
    ...library.dense(units).parameters(inputs, where),
    { name: 'feedback', shape: [inputs, units], initializer: 0.5, trained: false },
  ],
  record(plan, X, block, context) {
    const recorded = library.dense(units).record(plan, X, block, context);
    const { gradients } = block;
    if (recorded === undefined || gradients === undefined) return recorded;
    const [batch = 1, inputs = 1] = X.shape;
    return {
      ...recorded,
      backward(dZ) {
        plan.add(matmul(X, dZ, gradients.view(0, [inputs + 1, units]), { transposeA: true, onesRow: true }));
        const dX = plan.tensor('dX', [batch, inputs]);
        plan.add(matmul(dZ, block.states.view(0, [inputs, units]), dX, { transposeB: true }));
        return dX;
      },
    };
  },
});

test("a layer with a backward half of its own is not trained with dense's", async () => {
  const gpu = await sharedGpu();
  const { inputs, labels } = clusters(5, 3, 2);
  using model = await Mlp.create(gpu, { inputs: 3, layers: [library.dense(4), feedback(2)], seed: 1 });
  const optimizer = sgd({ learningRate: 0.25 });
  using trainer = await model.trainer({ loss: softmaxCrossEntropy(), optimizer, batchSize: 5 });
  const before = await model.weights();
  const { gradients } = await trainer.gradients(inputs, labels);
  await trainer.step(inputs, labels);
  const after = await model.weights();
  // All rows of the feedback are alike, so the hidden units get equal gradients.
  const [dW] = gradients;
  for (const [i, g] of (dW?.data ?? []).entries()) {
    expect(g).toBeCloseTo(dW?.data[4 * Math.floor(i / 4)] ?? Number.NaN, 6);
    expect(after[0]?.data[i]).toBeCloseTo((before[0]?.data[i] ?? Number.NaN) - 0.25 * g, 6);
  }
  expect(after.at(-1)).toEqual(before.at(-1));
});

const text = `
  override FLAG: bool = true; // override NOT: bool = false;
  override SIZE: f32 = 2.50;
  struct Dims { rows: u32, rate: f32 }
  @group(0) @binding(3) var<uniform> dims: Dims;
  @group(0) @binding(5) var<storage> A: array<f32>;
  @group(0) @binding(7) var<storage, read_write> C: array<f32>;
  @compute @workgroup_size(1) fn main() { C[0] = A[0] * dims.rate; }`;
const declaration = {
  name: 'mine',
  code: text,
  overrides: { FLAG: true, SIZE: 2.5 },
  uniforms: { dims: { rows: 'u32', rate: 'f32' } },
  buffers: { A: 'read', C: 'read_write' },
} as const;

test('defineShader takes the binding numbers from the text', () => {
  expect(defineShader(declaration)).toEqual({
    ...declaration,
    uniforms: { dims: { binding: 3, size: 16, fields: { rows: 'u32', rate: 'f32' } } },
    buffers: { A: { binding: 5, access: 'read' }, C: { binding: 7, access: 'read_write' } },
  });
});

test.for<[string, object, string]>([
  [
    'another default',
    { overrides: { FLAG: false, SIZE: 2.5 } },
    'the override "FLAG" of "mine" is "false" in the declaration, but "true" in the code',
  ],
  [
    'an override too many',
    { overrides: { FLAG: true, SIZE: 2.5, NOT: false } },
    '"NOT" of "mine" is "false" in the declaration, but missing in the code',
  ],
  [
    'an override too few',
    { overrides: { FLAG: true } },
    '"SIZE" of "mine" is missing in the declaration, but "2.5" in the code',
  ],
  [
    'another order of fields',
    { uniforms: { dims: { rate: 'f32', rows: 'u32' } } },
    'the uniform "dims" of "mine" is "rate: f32, rows: u32" in the declaration',
  ],
  [
    'another access',
    { buffers: { A: 'read_write', C: 'read_write' } },
    'the buffer "A" of "mine" is "read_write" in the declaration, but "read" in the code',
  ],
  ['a buffer too few', { buffers: { C: 'read_write' } }, 'the buffer "A" of "mine" is missing in the declaration'],
])('defineShader refuses %s', ([, change, message]) => {
  expect(() => defineShader({ ...declaration, ...change })).toThrow(message);
});

/** The texts of all modules that are made while `work` runs. */
async function textsOf(work: () => Promise<void>): Promise<string[]> {
  const texts: string[] = [];
  const original = GPUDevice.prototype.createShaderModule;
  GPUDevice.prototype.createShaderModule = function (descriptor): GPUShaderModule {
    texts.push(descriptor.code);
    return original.call(this, descriptor);
  };
  try {
    await work();
  } finally {
    GPUDevice.prototype.createShaderModule = original;
  }
  return texts;
}

// Its name is that of a shader of the library, and its branches are decided by its overrides.
const ownShader = defineShader({
  name: 'column-sum',
  code: `// Y = X + 1, or X + 2 if TWO.
override TWO: bool = false;
override K: u32 = 1;
@group(0) @binding(0) var<storage, read> X: array<f32>;
@group(0) @binding(1) var<storage, read_write> Y: array<f32>;
fn more(K: u32) -> f32 {
  if (K == 1) { return 1.0; } /* a comment /* in a comment */ */
  return 2.0;
}
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) global: vec3u) {
  if (TWO) { Y[global.x] = X[global.x] + more(K + 1); } else { Y[global.x] = X[global.x] + more(K); }
}
`,
  overrides: { TWO: false, K: 1 },
  buffers: { X: 'read', Y: 'read_write' },
});
const ownCall = (X: kernels.Tensor, Y: kernels.Tensor): kernels.Dispatch =>
  dispatch(ownShader, {
    label: 'own',
    programs: [program(ownShader, {}, [X.shape[1] ?? 1])],
    uniforms: {},
    buffers: { X, Y },
  });

test("an app's shader is compiled exactly as it was written, by run and by a plan, whatever its name is", async () => {
  const gpu = await sharedGpu();
  using X = kernels.Tensor.from(gpu, [1, 2, 3], [1, 3]);
  using Y = kernels.Tensor.empty(gpu, [1, 3]);
  using sums = kernels.Tensor.empty(gpu, [1, 3]);
  const texts = await textsOf(async () => {
    gpu.run([columnSum(X, sums), ownCall(X, Y)]);
    expect([...(await sums.read())]).toEqual([1, 2, 3]);
    expect([...(await Y.read())]).toEqual([2, 3, 4]);
  });
  expect(texts.filter((text) => text === ownShader.code)).toHaveLength(1);

  const layer: Layer = {
    spec: { type: 'own' },
    outputs: (inputs) => inputs,
    parameters: () => [],
    record(plan, inputs) {
      const output = plan.tensor('own', inputs.shape);
      plan.add(ownCall(inputs, output));
      return { output, backward: (gradient) => gradient };
    },
  };
  const fresh = await library.Gpu.request();
  const planned = await textsOf(async () => {
    using model = await Mlp.create(fresh, { inputs: 2, layers: [layer], seed: 1 });
    expect([...(await model.predict([1, 2], { output: 'logits' }))]).toEqual([2, 3]);
  });
  expect(planned.filter((text) => text === ownShader.code)).toHaveLength(1);
  fresh.destroy();
});

test("the library's own shaders are specialised on software adapters alone", async () => {
  const gpu = await library.Gpu.request();
  using X = kernels.Tensor.from(gpu, [1, 2, 3], [1, 3]);
  await gpu.pipelines.load();
  const [text = ''] = await textsOf(async () => {
    gpu.run([kernels.biasActivation(X, undefined, 'relu')]);
    await X.read();
  });
  expect(text.includes('switch ACTIVATION')).toBe(!gpu.info.software);
  gpu.destroy();
});
