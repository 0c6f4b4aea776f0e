import { expect, test } from 'vitest';
import { adagrad, adam, adamw, type Optimizer, rmsprop, sgd } from '../../src/index.js';
import { PlanBuilder } from '../../src/plan/builder.js';
import type { Dispatch } from '../../src/plan/dispatch.js';
import { PARAMETER_BLOCK, partsOf } from '../../src/plan/parameter-block.js';
import { type DType, Tensor, TensorStorage } from '../../src/plan/tensor.js';
import { recordUpdate, type StepParts } from '../../src/train/step.js';

/** Bytes that a shader can bind on every device: the default of `maxStorageBufferBindingSize`. */
const DEFAULT_LIMIT = 134_217_728;
const aligned = (count: number): number => Math.ceil(count / PARAMETER_BLOCK) * PARAMETER_BLOCK;
/** Elements of the flat tensor of 784-4096-4096-10. */
const LARGE = aligned(785 * 4096) + aligned(4097 * 4096) + aligned(4097 * 10);

class Recorder extends PlanBuilder {
  readonly dispatches: Dispatch[] = [];
  override add(dispatch: Dispatch): void {
    this.dispatches.push(dispatch);
  }
}

const tensor = <T extends DType>(label: string, shape: readonly number[], dtype: T): Tensor<T> =>
  new Tensor(new TensorStorage(label, 4 * shape.reduce((product, size) => product * size, 1)), 0, shape, dtype);

/** The dispatches of an update of so many parameters. Their tensors have no memory. */
function updateOf(optimizer: Optimizer, count: number): readonly Dispatch[] {
  const builder = new Recorder();
  const parameterMask = tensor('parameter mask', [count / 32, 2], 'u32');
  const parts = {
    model: { flatParameters: tensor('parameters', [count], 'f32'), trainableCount: count },
    optimizer,
    layerOfBlock: tensor('layerOfBlock', [count / PARAMETER_BLOCK], 'u32'),
    gradientRules: { record: () => ({ penalties: { l2: 0.1 }, parameterMask, clip: { value: 1 } }) },
    accumulators: { step: { status: tensor('status', [4], 'u32') } },
  } as unknown as StepParts;
  recordUpdate(parts, builder, tensor('gradients', [count], 'f32'));
  return builder.dispatches;
}

const optimizers: Readonly<Record<string, readonly [Optimizer, parts: number]>> = {
  sgd: [sgd({ learningRate: 0.1 }), 1],
  momentum: [sgd({ learningRate: 0.1, momentum: 0.9 }), 1],
  adagrad: [adagrad(), 1],
  adam: [adam(), 2],
  adamw: [adamw(), 2],
  'rmsprop, centered, with momentum': [rmsprop({ centered: true, momentum: 0.9 }), 2],
};
test.for(Object.entries(optimizers))(
  'every device can bind an update of 784-4096-4096-10: %s',
  ([, [optimizer, parts]]) => {
    const dispatches = updateOf(optimizer, LARGE);
    expect(dispatches).toHaveLength(parts);
    const states = new Set<TensorStorage>();
    let end = 0;
    for (const { buffers } of dispatches) {
      const { parameters, gradients, layerOfBlock, parameterMask, state, velocity } = buffers;
      for (const bound of Object.values(buffers)) {
        expect(bound?.byteLength ?? 0).toBeLessThanOrEqual(DEFAULT_LIMIT);
        expect((bound?.byteOffset ?? 0) % 256).toBe(0);
      }
      // The parts follow one another, and each has its own words of the tables.
      expect([parameters?.start, gradients?.start]).toEqual([end, end]);
      expect([layerOfBlock?.start, parameterMask?.start]).toEqual([end / 64, end / 16]);
      end += parameters?.length ?? 0;
      for (const own of [state, velocity]) if (own !== undefined) states.add(own.storage);
    }
    expect(end).toBe(LARGE);
    // Each part has its own state, if the optimizer has any.
    expect([0, parts]).toContain(states.size);
  },
);

test('an update that every device can bind at once is one dispatch', () => {
  for (const [optimizer] of Object.values(optimizers)) {
    expect(updateOf(optimizer, 2 ** 23)).toHaveLength(1);
    expect(updateOf(optimizer, 64)).toHaveLength(1);
  }
  expect(updateOf(adam(), 2 ** 24)).toHaveLength(1);
});

test('parts cover all elements once, and begin where a table of them can be bound', () => {
  for (const rows of [1, 2, 3, 4, 7]) {
    for (const length of [64, 2 ** 23, 2 ** 24 + 64, 2 ** 26 + 128, 10 ** 8]) {
      let end = 0;
      for (const part of partsOf(length, rows)) {
        expect(part.start).toBe(end);
        expect(part.start % 4096).toBe(0);
        expect(4 * rows * part.length).toBeLessThanOrEqual(DEFAULT_LIMIT);
        end += part.length;
      }
      expect(end).toBe(length);
    }
  }
});
