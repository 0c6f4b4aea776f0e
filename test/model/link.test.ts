import { expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/base/safetensors.js';
import {
  dense,
  type Layer,
  type Loss,
  Mlp,
  type ModelOptions,
  meanSquaredError,
  sgd,
  softmaxCrossEntropy,
} from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';

const device = new FakeDevice();
const create = (last: Layer = dense(2), link?: ModelOptions['link']): Promise<Mlp> =>
  Mlp.create(device, { inputs: 3, layers: [dense(4, 'tanh'), last], ...(link !== undefined && { link }) });

/** `probabilities` if a prediction ends in a softmax, else `values`. */
async function predicted(model: Mlp, output?: 'probabilities' | 'values'): Promise<string> {
  await model.predict([1, 2, 3], output === undefined ? {} : { output });
  const last = device.replays.at(-1)?.dispatches.at(-1)?.programs[0]?.shader.name;
  return last === 'softmax' ? 'probabilities' : 'values';
}

async function trained(loss: Loss): Promise<Mlp> {
  const model = await create();
  await model.trainer({ loss, optimizer: sgd({ learningRate: 0.1 }), batchSize: 2 });
  return model;
}

/** The file as PyTorch writes it: tensors without a spec. */
function withoutSpec(bytes: Uint8Array): Uint8Array {
  return writeSafetensors({ tensors: readSafetensors(bytes, 'x').tensors, metadata: new Map([['format', 'pt']]) });
}

test('a regression of two outputs predicts values after save and load, and after loadWeights', async () => {
  const model = await trained(meanSquaredError());
  const bytes = await model.save();
  expect(await predicted(await Mlp.load(device, bytes))).toBe('values');
  const other = await create();
  expect(await predicted(other)).toBe('probabilities');
  await other.loadWeights(bytes);
  expect(other.spec.link).toBe('identity');
  expect(await predicted(other)).toBe('values');
});

test('a file without a spec does not say what outputs mean: values by default, probabilities if asked for', async () => {
  const file = withoutSpec(await (await trained(meanSquaredError())).save());
  const model = await create();
  await model.loadWeights(file);
  expect(await predicted(model)).toBe('values');
  expect(await predicted(model, 'probabilities')).toBe('probabilities');
  // Nor does the file that is made of it.
  const again = await Mlp.load(device, await model.save());
  expect(again.spec).toEqual(model.spec);
  expect(await predicted(again)).toBe('values');
  expect(await predicted(again, 'probabilities')).toBe('probabilities');
  // A trainer says it.
  await model.trainer({ loss: softmaxCrossEntropy(), optimizer: sgd({ learningRate: 0.1 }), batchSize: 2 });
  expect(await predicted(model)).toBe('probabilities');
  expect(await predicted(await Mlp.load(device, await model.save()))).toBe('probabilities');
});

test('what is known of the outputs is kept: an option, the last activation, or a trainer', async () => {
  const regression = await (await trained(meanSquaredError())).save();
  const classifier = await (await trained(softmaxCrossEntropy())).save();
  const [chosen, ending, learned] = [
    await create(dense(2), 'softmax'),
    await create(dense(2, 'softmax')),
    await trained(softmaxCrossEntropy()),
  ];
  for (const model of [chosen, ending, learned]) {
    for (const file of [regression, withoutSpec(regression)]) {
      await model.loadWeights(file);
      expect(await predicted(model)).toBe('probabilities');
    }
  }
  const values = await create(dense(2), 'identity');
  await values.loadWeights(classifier);
  expect(await predicted(values)).toBe('values');
  const open = await create();
  await open.loadWeights(classifier);
  expect(await predicted(open)).toBe('probabilities');
});

test('a spec that another version wrote does not keep the weights from being loaded', async () => {
  const { tensors } = readSafetensors(await (await trained(meanSquaredError())).save(), 'x');
  for (const spec of ['{', '{"version":9}', '{"version":1,"spec":{"layers":[{}],"link":"cubic"}}']) {
    const model = await create();
    await model.loadWeights(writeSafetensors({ tensors, metadata: new Map([['webgpu-mlp', spec]]) }));
    expect(await predicted(model)).toBe('values');
  }
});
