import { expect, test } from 'vitest';
import { sgdUpdate } from '../../src/kernels/sgd.js';
import type { Adjustment, Watch } from '../../src/kernels/update.js';
import { type Dispatch, NO_STEP } from '../../src/plan/dispatch.js';
import { Tensor, TensorStorage } from '../../src/plan/tensor.js';

const COUNT = 64;

function tensor(length: number): Tensor;
function tensor(length: number, dtype: 'u32'): Tensor<'u32'>;
function tensor(length: number, dtype: 'f32' | 'u32' = 'f32'): Tensor | Tensor<'u32'> {
  return new Tensor(new TensorStorage('test', 4 * length), 0, [length], dtype) as Tensor | Tensor<'u32'>;
}

test('a decay of weights alone needs the mask', () => {
  const [parameters, gradients] = [tensor(COUNT), tensor(COUNT)];
  const update = (adjustment?: Adjustment): Dispatch =>
    sgdUpdate(parameters, gradients, undefined, { weightDecay: 1, decayOn: 'weights', adjustment }, NO_STEP);
  expect(() => update()).toThrow('sgd: decayOn = "weights" needs parameterMask.');
  const mask = tensor(COUNT / 16, 'u32');
  const { buffers, programs, computes } = update({ parameterMask: mask });
  expect(buffers.parameterMask).toBe(mask);
  expect(programs[0]?.overrides).toMatchObject({ DECAY_WEIGHTS: true, PENALTIES: false });
  // No fused kernel has it.
  expect(computes).toBeUndefined();
});

test('an update takes the mask of parameters and the layers of blocks by their earlier names too', () => {
  const [parameters, gradients] = [tensor(COUNT), tensor(COUNT)];
  const [mask, layers, status] = [tensor(COUNT / 16, 'u32'), tensor(1, 'u32'), tensor(2, 'u32')];
  const buffersOf = (adjustment: Adjustment, watch: Watch): object =>
    sgdUpdate(parameters, gradients, undefined, { adjustment, watch }, NO_STEP).buffers;
  const penalties = { l2: 0.1 };
  const now = buffersOf({ penalties, parameterMask: mask }, { layerOfBlock: layers, status });
  expect(now).toMatchObject({ parameterMask: mask, layerOfBlock: layers, status });
  expect(buffersOf({ penalties, kinds: mask }, { owners: layers, status })).toEqual(now);
});
