import { expect, test } from 'vitest';
import { adagrad } from '../../../src/nn/optimizers/adagrad.js';
import { adam, adamw } from '../../../src/nn/optimizers/adam.js';
import type { Optimizer } from '../../../src/nn/optimizers/optimizer.js';
import { rmsprop } from '../../../src/nn/optimizers/rmsprop.js';
import { sgd } from '../../../src/nn/optimizers/sgd.js';

test('specs are plain data, with PyTorch’s defaults', () => {
  expect(JSON.parse(JSON.stringify([adagrad(), rmsprop(), adam(), adamw()].map(({ spec }) => spec)))).toEqual([
    {
      type: 'adagrad',
      learningRate: 0.01,
      learningRateDecay: 0,
      weightDecay: 0,
      initialAccumulator: 0,
      epsilon: 1e-10,
    },
    {
      type: 'rmsprop',
      learningRate: 0.01,
      decay: 0.99,
      epsilon: 1e-8,
      weightDecay: 0,
      momentum: 0,
      centered: false,
    },
    { type: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    { type: 'adamw', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  ]);
});

test('a decay of weights alone is in the spec as it was given', () => {
  const weightDecay = { value: 0.1, on: 'weights' } as const;
  const all = [sgd({ learningRate: 1, weightDecay }), adagrad({ weightDecay }), rmsprop({ weightDecay })];
  for (const { spec, needsMask } of [...all, adam({ weightDecay }), adamw({ weightDecay })]) {
    expect(spec).toMatchObject({ weightDecay });
    expect(needsMask).toBe(true);
  }
  expect(adam({ weightDecay: 0.1 }).needsMask).toBe(false);
});

test('Adam’s corrections of a step: 1 − 0.9ᵗ and √(1 − 0.999ᵗ)', () => {
  const [first, third] = [0, 2].map((index) => adam().perStep?.(index) ?? []);
  expect(first?.[0]).toBeCloseTo(0.1, 15);
  expect(first?.[1]).toBeCloseTo(Math.sqrt(0.001), 15);
  expect(third?.[0]).toBeCloseTo(0.271, 15);
  expect(third?.[1]).toBeCloseTo(Math.sqrt(0.002997001), 14);
});

test.for<readonly [make: () => Optimizer, message: string]>([
  [() => adagrad({ learningRate: -1 }), 'adagrad: learningRate = -1; learningRate must be a finite number ≥ 0.'],
  [() => adagrad({ epsilon: 0 }), 'adagrad: epsilon = 0; epsilon must be a positive float32 number.'],
  [
    () => adagrad({ initialAccumulator: NaN }),
    'adagrad: initialAccumulator = NaN; initialAccumulator must be a finite',
  ],
  [() => rmsprop({ decay: 1 }), 'rmsprop: decay = 1; decay must be a number in [0, 1).'],
  [() => rmsprop({ epsilon: 1e-50 }), 'rmsprop: epsilon = 1e-50; epsilon must be a positive float32 number.'],
  [() => rmsprop({ momentum: -0.1 }), 'rmsprop: momentum = -0.1; momentum must be a finite number ≥ 0.'],
  [() => adam({ learningRate: 1e39 }), 'adam: learningRate = 1e+39; learningRate must be a finite number ≥ 0.'],
  [
    () => adam({ beta1: '0.9' as unknown as number }),
    'adam: beta1 = "0.9" is a string; beta1 must be a number in [0, 1).',
  ],
  [() => adam({ beta1: 1 }), 'adam: beta1 = 1; beta1 must be a number in [0, 1).'],
  [() => adam({ beta2: -0.1 }), 'adam: beta2 = -0.1; beta2 must be a number in [0, 1).'],
  [
    () => adamw({ weightDecay: { value: -1, on: 'weights' } }),
    'adamw: weightDecay with value = -1; value must be a finite number ≥ 0.',
  ],
  ...[{}, { value: 1 }, { value: 1, on: 'biases' }, { value: 1, on: 'weights', off: 1 }, null, []].map(
    (weightDecay): readonly [make: () => Optimizer, message: string] => [
      () => sgd({ learningRate: 1, weightDecay: weightDecay as unknown as number }),
      'sgd: weightDecay must be a number, or { value, on: "weights" }.',
    ],
  ),
  [() => adagrad({ weightDecay: -1 }), 'adagrad: weightDecay = -1; weightDecay must be a finite number ≥ 0.'],
  [() => adamw({ weightDecay: Infinity }), 'adamw: weightDecay = Infinity; weightDecay must be a finite number ≥ 0.'],
])('%s: %s', ([make, message]) => {
  expect(make).toThrow(message);
  expect(make).toThrow(expect.objectContaining({ code: 'bad-optimizer' }));
});
