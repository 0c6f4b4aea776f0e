import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { dense } from '../../src/index.js';
import { mayBeTiny, tinyNet } from '../../src/kernels/tiny-net.js';

const spec = (...layers: ReturnType<typeof dense>[]) =>
  layers.map((layer) => ({ units: layer.outputs(0), ...layer.spec }));
const xor = spec(dense(4, 'tanh'), dense(2));

test('a small network is taken as it is', () => {
  expect(tinyNet(2, xor, 4, true)).toEqual({ sizes: [2, 4, 2], activation: 'tanh', batch: 4 });
  expect(tinyNet(3, spec(dense(2)), 1, false)).toEqual({ sizes: [3, 2], activation: 'linear', batch: 1 });
  const elu = { type: 'elu', alpha: 2 } as const;
  const deep = spec(...Array.from({ length: 7 }, () => dense(3, elu)), dense(2));
  expect(tinyNet(2, deep, 4, true)).toMatchObject({ sizes: [2, 3, 3, 3, 3, 3, 3, 3, 2], activation: elu });
});

test.each([
  ['a layer of another type', [{ type: 'dropout', units: 4 }, ...xor], 'layer 0 is not dense with a bias'],
  ['no bias', spec(dense(4, 'tanh'), dense(2, 'linear', { bias: false })), 'layer 1 is not dense with a bias'],
  ['two activations', spec(dense(4, 'tanh'), dense(3, 'relu'), dense(2)), "layer 1's activation is not layer 0's"],
  [
    'one activation with two parameters',
    spec(dense(4, 'elu'), dense(3, { type: 'elu', alpha: 2 }), dense(2)),
    "layer 1's activation is not layer 0's",
  ],
  ['an activation at the end', spec(dense(4, 'tanh'), dense(2, 'tanh')), "layer 1's activation is not linear"],
  ['nine layers', spec(...Array.from({ length: 9 }, () => dense(2))), '9 layers are more than 8'],
])('%s is refused with the reason', (_, layers, reason) => {
  expect(tinyNet(2, layers, 4, true)).toBe(reason);
});

test('so is what needs more memory than the adapter should give, and what is too much for one workgroup', () => {
  // Inputs 2, hidden 30, outputs 2, and two features of ones: 36 rows; all but the inputs and their ones again: 33.
  const layers = spec(dense(30, 'relu'), dense(2));
  expect(tinyNet(2, layers, 14, true)).toBeTypeOf('object'); // 14 · 69 · 4 = 3864
  expect(tinyNet(2, layers, 15, true)).toBe('4140 bytes of workgroup memory are more than 4096');
  expect(tinyNet(2, layers, 59, false)).toBeTypeOf('object'); // 59 · 69 · 4 = 16284
  expect(tinyNet(2, layers, 60, false)).toBe('16560 bytes of workgroup memory are more than 16384');
  // 2·100·60 of the first layer, 3·60·10 of the second: 13800 a row.
  const wide = spec(dense(60, 'relu'), dense(10));
  expect(tinyNet(100, wide, 2, true)).toBeTypeOf('object');
  expect(tinyNet(100, wide, 3, true)).toBe('41400 multiply-adds a step are more than 32768');
});

test('whatever is taken may be one: by the count of parameters alone, before any layer has been looked at', () => {
  const random = new Random(3);
  const upTo = (most: number): number => 1 + Math.floor(random.uniform(0, most));
  let taken = 0;
  for (let i = 0; i < 2000; i++) {
    const [inputs, batch, depth] = [upTo(40), upTo(32), upTo(4)];
    const units = Array.from({ length: depth }, () => upTo(40));
    const layers = spec(...units.map((each, n) => dense(each, n < depth - 1 ? 'tanh' : 'linear')));
    const parameters = units.reduce((sum, each, n) => sum + ((units[n - 1] ?? inputs) + 1) * each, 0);
    if (typeof tinyNet(inputs, layers, batch, false) === 'string') continue;
    taken += 1;
    expect(mayBeTiny(parameters, batch), `${inputs}-${units.join('-')} at batch ${batch}`).toBe(true);
  }
  expect(taken).toBeGreaterThan(200);
  expect(mayBeTiny(784 * 200 + 200, 1)).toBe(false);
});
