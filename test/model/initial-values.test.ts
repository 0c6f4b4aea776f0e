import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeviceLostError } from '../../src/base/errors.js';
import { atOnce, SLICE_COST } from '../../src/base/slices.js';
import { dense, type Layer, Mlp } from '../../src/index.js';
import { initialParameters, placeLayers } from '../../src/model/placement.js';
import { FakeDevice } from '../support/fake-device.js';
import { errorOf } from '../support/small-training.js';

/** Called whenever drawing lets other tasks run. */
const pause = vi.fn();
beforeEach(() => {
  pause.mockReset();
  vi.stubGlobal('scheduler', {
    yield: async () => {
      pause();
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
});
afterEach(() => vi.unstubAllGlobals());

const INPUTS = 1100;
const large = [dense(1000, 'relu'), dense(10)];
/** The values that are drawn without a pause. */
const valuesOf = (layers: readonly Layer[], seed: number) =>
  atOnce(initialParameters(placeLayers(INPUTS, layers), seed)).parameters;

test('the initial values of a large model are drawn in slices, and are those that are drawn at once', async () => {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: INPUTS, layers: large, seed: 3 });
  expect(pause.mock.calls.length).toBeGreaterThanOrEqual(Math.floor(model.parameterCount / (2 * SLICE_COST)));
  const flat = valuesOf(large, 3);
  const [weight, bias] = await model.weights();
  expect(weight?.data).toEqual(flat.subarray(0, 1_100_000));
  expect(bias?.data).toEqual(flat.subarray(1_100_000, 1_101_000));
  model.dispose();
  expect(device.memory.usedBytes).toBe(0);
});

test('the initial values of a small model wait until it is used', async () => {
  const device = new FakeDevice();
  const layers = [dense(20)];
  const model = await Mlp.create(device, { inputs: INPUTS, layers, seed: 3 });
  expect(device.log.filter((entry) => entry === 'write parameters')).toEqual([]);
  expect((await model.weights())[0]?.data).toEqual(valuesOf(layers, 3).subarray(0, 20 * INPUTS));
  expect(pause).not.toHaveBeenCalled();
});

test('an orthogonal matrix counts by its work, not by its size', async () => {
  const layers = [dense(700, 'relu', { initializer: 'orthogonal' })];
  const model = await Mlp.create(new FakeDevice(), { inputs: INPUTS, layers, seed: 3 });
  // 2·700²/2·1100 multiplications, 64 of which count as one number.
  expect(pause.mock.calls.length).toBeGreaterThan((700 * 700 * 1100) / 64 / (2 * SLICE_COST));
  expect((await model.weights())[0]?.data).toEqual(valuesOf(layers, 3).subarray(0, 700 * INPUTS));
});

test('nothing is drawn for a model of a file', async () => {
  const device = new FakeDevice();
  const model = await Mlp.create(device, { inputs: INPUTS, layers: large });
  const file = await model.save();
  pause.mockReset();
  device.log.length = 0;
  const again = await Mlp.load(device, file);
  expect(await again.weights()).toEqual(await model.weights());
  expect(pause).not.toHaveBeenCalled();
  expect(device.log.filter((entry) => entry === 'write parameters')).toHaveLength(1);
});

test('a device that is lost while values are drawn rejects, and leaves nothing behind', async () => {
  const device = new FakeDevice();
  pause.mockImplementationOnce(() => device.lose());
  const error = await errorOf(() => Mlp.create(device, { inputs: INPUTS, layers: large }));
  expect(error).toBeInstanceOf(DeviceLostError);
  expect(device.memory.usedBytes).toBe(0);
});
