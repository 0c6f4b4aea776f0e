import { expect, test } from 'vitest';
import { checkOptions, type OptionNames } from '../../src/base/options.js';
import {
  adam,
  batchNorm,
  binaryCrossEntropy,
  cosine,
  dense,
  MlpError,
  reduceOnPlateau,
  rmsprop,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
} from '../../src/index.js';

/** Options as an app in plain JavaScript passes them. */
const untyped = (options: object): never => options as never;

const suggestions: readonly [call: () => unknown, message: string][] = [
  [() => adam(untyped({ lr: 0.1 })), 'adam has no option "lr". Did you mean learningRate? Known: learningRate, beta1,'],
  [() => sgd(untyped({ learning_rate: 0.1 })), 'sgd has no option "learning_rate". Did you mean learningRate?'],
  [() => sgd(untyped({ learningrate: 0.1 })), 'Did you mean learningRate?'],
  [() => sgd(untyped({ learningRte: 0.1 })), 'Did you mean learningRate?'],
  [() => adam(untyped({ weight_decay: 0.1 })), 'Did you mean weightDecay?'],
  [() => adam(untyped({ eps: 1e-8 })), 'Did you mean epsilon?'],
  [() => adam(untyped({ betas: [0.9, 0.999] })), 'Did you mean beta1?'],
  [
    () => adam(untyped({ nesterov: true })),
    'adam has no option "nesterov". Known: learningRate, beta1, beta2, epsilon,',
  ],
  [() => sgd(untyped({ learningRate: 1, momentun: 0.9 })), 'Did you mean momentum?'],
  [() => rmsprop(untyped({ rho: 0.9 })), 'Did you mean decay?'],
  [() => rmsprop(untyped({ alpha: 0.9 })), 'Did you mean decay?'],
  [() => cosine(untyped({ T_max: 5 })), 'Did you mean epochs?'],
  [() => cosine(untyped({ epochs: 5, eta_min: 0 })), 'Did you mean minimum?'],
  [() => stepDecay(untyped({ step_size: 5 })), 'Did you mean every?'],
  [() => stepDecay(untyped({ every: 5, gamma: 0.5 })), 'Did you mean factor?'],
  [() => reduceOnPlateau(untyped({ min_lr: 0 })), 'Did you mean minimum?'],
  [() => softmaxCrossEntropy(untyped({ label_smoothing: 0.1 })), 'Did you mean labelSmoothing?'],
  [() => softmaxCrossEntropy(untyped({ weight: [1, 2] })), 'Did you mean classWeights?'],
  [() => binaryCrossEntropy(untyped({ pos_weight: 2 })), 'Did you mean positiveWeight?'],
  [() => dense(3, 'relu', untyped({ useBias: false })), 'dense has no option "useBias". Did you mean bias?'],
  [() => dense(3, 'relu', untyped({ kernelInitializer: 'zeros' })), 'Did you mean initializer?'],
  [() => dense(3, 'relu', untyped({ seed: 1 })), 'dense has no option "seed". Known: initializer, bias,'],
  [
    () => batchNorm(untyped({ activation: 'relu' })),
    'batchNorm has no option "activation". activation is an option of a dense layer. Known: momentum, epsilon, affine',
  ],
];
test.for(suggestions)('%s', ([call, message]) => {
  expect(call).toThrow(MlpError);
  expect(call).toThrow(message);
});

interface Pair {
  readonly first?: number;
  readonly second?: number;
}
const names: OptionNames<Pair> = { first: 1, second: 1 };

test('options may be of any class, without a prototype, frozen, or undefined one by one', () => {
  class Chosen {
    first = 1;
    get size(): number {
      return 2;
    }
  }
  const bare: Pair = Object.assign(Object.create(null), { first: 1 });
  const holes = { first: undefined, third: undefined };
  for (const options of [new Chosen(), bare, Object.freeze({ second: 2 }), untyped(holes), {}]) {
    expect(checkOptions<Pair>('pair', options, names)).toBe(options);
  }
  expect(checkOptions<Pair>('pair', undefined, names)).toEqual({});
});

const notObjects: readonly [value: unknown, message: string][] = [
  [null, 'options = null;'],
  [0.1, 'options = 0.1;'],
  ['first', 'options = "first" is a string;'],
  [true, 'options = true is a boolean;'],
  [1n, 'options = 1n is a bigint;'],
  [[1], 'options is an array;'],
  [() => 1, 'options is a function;'],
  [new Float32Array(1), 'options is a Float32Array;'],
  [Promise.resolve({ first: 1 }), 'options is a Promise;'],
];
test.for(notObjects)('%o is no object of options', ([value, message]) => {
  const call = (): unknown => checkOptions('pair', value as Pair, names, 'bad-thing');
  expect(call).toThrow(`pair: ${message} options must be { first, second }.`);
  expect(call).toThrow(expect.objectContaining({ code: 'bad-thing' }));
});

test('a name of Object.prototype is not known', () => {
  for (const name of ['toString', 'constructor', 'hasOwnProperty']) {
    expect(() => checkOptions('pair', untyped({ [name]: 1 }), names)).toThrow(`pair has no option "${name}".`);
  }
});
