import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.js';
import { normalDistribution, ruleOf } from './activations.js';
import { exactArithmetic } from './arithmetic.js';
import { clipped, optimizerStep, penalized } from './optimizers.js';
import { isStatistic, type Parameter, type Spec, specOf } from './specs.js';
import { type Batch, inFloat64, lossAndGradients, type Problem, predict, trainReference } from './training.js';

const parameter = (name: string, shape: readonly number[], data: readonly number[]): Parameter => ({
  name,
  shape,
  data: Float64Array.from(data),
});
const dense = (units: number, activation: unknown = 'linear', bias = true): Spec => ({
  type: 'dense',
  units,
  activation,
  bias,
});
const close = (actual: ArrayLike<number> | undefined, expected: readonly number[], tolerance = 1e-14): void => {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs((actual?.[i] ?? Number.NaN) - value), `element ${i}: ${actual?.[i]}`).toBeLessThanOrEqual(
      tolerance,
    );
  }
};

describe('activations', () => {
  const at = [1, 5, -4, 3, -2];

  test.for<readonly [activation: unknown, values: readonly number[]]>([
    ['sigmoid', [0.731, 0.993, 0.018, 0.953, 0.119]],
    ['tanh', [0.762, 1, -0.999, 0.995, -0.964]],
    ['softplus', [1.313, 5.007, 0.018, 3.049, 0.127]],
    [{ type: 'leakyRelu', alpha: 0.01 }, [1, 5, -0.04, 3, -0.02]],
    [{ type: 'elu', alpha: 0.1 }, [1, 5, -0.098, 3, -0.086]],
    [{ type: 'prelu', alpha: 0.1 }, [1, 5, -0.4, 3, -0.2]],
    ['swish', [0.731, 4.967, -0.072, 2.858, -0.238]],
    ['step', [1, 1, 0, 1, 0]],
    ['abs', [1, 5, 4, 3, 2]],
    ['softsign', [0.5, 0.833, -0.8, 0.75, -0.667]],
  ])('check values of %j', ([activation, values]) => {
    const { rule, parameter: given } = ruleOf(specOf(activation));
    close(
      at.map((z) => rule.value(exactArithmetic, z, given)),
      values,
      // The material gives three digits, its −.098 and −.072 cut rather than rounded.
      1e-3,
    );
  });

  test('Φ, from tables (Abramowitz and Stegun 26.1), and where its two forms meet', () => {
    close(
      [0, 1, 2, -3].map(normalDistribution),
      [0.5, 0.841344746068543, 0.97724986805182, 0.001349898031630095],
      1e-14,
    );
    expect(normalDistribution(-10) / 7.619853024160527e-24).toBeCloseTo(1, 12);
    expect(normalDistribution(-2) / normalDistribution(-1.9999999999999998)).toBeCloseTo(1, 13);
  });

  test('step is not trained', () => {
    const specs = [dense(2, 'step'), dense(1)];
    const batch = { inputs: [1], rows: 1, targets: [1] };
    const loss = { type: 'meanSquaredError' };
    expect(() => lossAndGradients(specs, drawn(specs, 1, 1), batch, loss)).toThrow('step has no useful derivative');
  });
});

/** Parameters of dense, batchNorm, layerNorm and residual layers, at random and none of them special. */
function drawn(specs: readonly Spec[], inputs: number, seed: number, prefix = ''): Parameter[] {
  const random = new Random(seed);
  const values = (count: number, centre = 0): number[] =>
    Array.from({ length: count }, () => centre + 0.6 * random.normal());
  let width = inputs;
  return specs.flatMap((spec, number) => {
    const name = `${prefix}${number}`;
    const units = Number(spec.units ?? width);
    if (spec.type === 'dense') {
      const activation = specOf(spec.activation);
      const columns = units * (activation.type === 'maxout' ? Number(activation.pieces) : 1);
      const learned = activation.type === 'prelu' || activation.learned === true;
      const own = [
        parameter(`${name}.weight`, [width, columns], values(width * columns)),
        ...(spec.bias === false ? [] : [parameter(`${name}.bias`, [columns], values(columns))]),
        ...(learned ? [parameter(`${name}.alpha`, [units], values(units, 0.5))] : []),
      ];
      width = units;
      return own;
    }
    if (spec.type === 'residual' && Array.isArray(spec.layers)) return drawn(spec.layers, width, seed + 1, `${name}.`);
    if (spec.type === 'dropout') return [];
    return [parameter(`${name}.weight`, [width], values(width, 1)), parameter(`${name}.bias`, [width], values(width))];
  });
}

const activations: readonly unknown[] = [
  'linear',
  'sigmoid',
  'tanh',
  'relu',
  { type: 'leakyRelu', alpha: 0.1 },
  { type: 'prelu', alpha: 0.25 },
  { type: 'elu', alpha: 0.5 },
  'selu',
  'softplus',
  { type: 'swish', beta: 1.5 },
  { type: 'swish', beta: 1, learned: true },
  'gelu',
  { type: 'gelu', approximate: 'tanh' },
  'abs',
  { type: 'sine', omega: 2 },
  'softsign',
  { type: 'maxout', pieces: 3 },
];

const losses: readonly { readonly loss: Spec; readonly targets: 'classes' | 'probabilities' | 'bits' | 'numbers' }[] = [
  { loss: { type: 'softmaxCrossEntropy' }, targets: 'classes' },
  {
    loss: { type: 'softmaxCrossEntropy', labelSmoothing: 0.1, classWeights: [1, 2, 0.5] },
    targets: 'probabilities',
  },
  { loss: { type: 'softmaxCrossEntropy', labelSmoothing: 0.2, classWeights: [1, 2, 0.5] }, targets: 'classes' },
  { loss: { type: 'binaryCrossEntropy', positiveWeight: [1, 2, 0.5] }, targets: 'bits' },
  { loss: { type: 'meanSquaredError' }, targets: 'numbers' },
  { loss: { type: 'meanAbsoluteError' }, targets: 'numbers' },
  { loss: { type: 'huber', delta: 0.7 }, targets: 'numbers' },
  { loss: { type: 'logCosh' }, targets: 'numbers' },
];

const ROWS = 5;

function batchOf(targets: (typeof losses)[number]['targets'], seed: number): Batch {
  const random = new Random(seed);
  const draw = (count: number, compute: () => number): number[] => Array.from({ length: count }, compute);
  const kinds = {
    classes: () => draw(ROWS, () => random.integer(3)),
    probabilities: () => draw(ROWS, () => random.uniform()).flatMap((p) => [p / 2, 1 - p, p / 2]),
    bits: () => draw(3 * ROWS, () => random.integer(2)),
    numbers: () => draw(3 * ROWS, () => random.normal()),
  };
  const inputs = draw(4 * ROWS, () => random.normal());
  const weights = draw(ROWS, () => random.uniform(0, 2));
  return { inputs, rows: ROWS, targets: kinds[targets](), weights };
}

/**
 * Every gradient beside D(h) = (f(w + h) − f(w − h))/2h, extrapolated: (4·D(h) − D(2h))/3 is off by some h⁴ = 6e-18 and by
 * float64's 2⁻⁵²·f/h = 4e-12·f. Relative to the tensor's largest element, which is taken to be 1e-2 at least.
 */
function checkGradients(specs: readonly Spec[], parameters: readonly Parameter[], batch: Batch, loss: Spec): void {
  const penalties = { l1: 0.01, l2: 0.02 };
  const evaluate = () => lossAndGradients(specs, parameters, batch, loss, penalties);
  const { gradients } = evaluate();
  expect(gradients.map(({ name }) => name)).toEqual(parameters.map(({ name }) => name));
  for (const [index, { name, data }] of parameters.entries()) {
    const gradient = gradients[index]?.data ?? new Float64Array();
    const largest = Math.max(1e-2, ...gradient.map(Math.abs));
    for (const [i, value] of data.entries()) {
      const difference = (h: number): number => {
        const lossAt = (shifted: number): number => {
          data[i] = shifted;
          const result = evaluate();
          data[i] = value;
          return result.loss + result.penalty;
        };
        return (lossAt(value + h) - lossAt(value - h)) / (2 * h);
      };
      const numeric = (4 * difference(5e-5) - difference(1e-4)) / 3;
      const error = Math.abs(numeric - (gradient[i] ?? Number.NaN)) / largest;
      expect(error, `${name}[${i}] = ${gradient[i]}, numeric ${numeric}`).toBeLessThanOrEqual(1e-7);
    }
  }
}

/** True if a kink of the loss or of an activation is so near that a difference quotient could straddle it. */
function nearKink(specs: readonly Spec[], parameters: readonly Parameter[], batch: Batch, loss: Spec): boolean {
  const { kinks } = lossAndGradients(specs, parameters, batch, loss, { l1: 0.01 });
  return kinks.some(({ distances }) => distances.some((distance) => Math.abs(distance) < 1e-3));
}

/** The first seed from `first` on whose data keep clear of kinks. */
function clearSeed(first: number, isNear: (seed: number) => boolean): number {
  for (let seed = first; seed < first + 50; seed++) if (!isNear(seed)) return seed;
  throw new Error('No data keep clear of kinks.');
}

describe('gradients against centred differences', () => {
  const combinations = activations.flatMap((activation) => losses.map((entry) => ({ activation, ...entry })));

  test.for(combinations)('$activation with $loss.type from $targets', ({ activation, loss, targets }) => {
    const specs = [dense(4, activation), dense(3, activation, false), dense(3)];
    const seed = clearSeed(7, (s) => nearKink(specs, drawn(specs, 4, s), batchOf(targets, s), loss));
    checkGradients(specs, drawn(specs, 4, seed), batchOf(targets, seed), loss);
  });

  const gelu = { type: 'gelu' };
  test.for<readonly [what: string, specs: readonly Spec[]]>([
    ['batchNorm', [dense(4, 'tanh'), { type: 'batchNorm' }, dense(3)]],
    ['layerNorm', [dense(4, 'tanh'), { type: 'layerNorm', epsilon: 0.01 }, dense(3)]],
    ['residual', [dense(4, 'tanh'), { type: 'residual', layers: [dense(5, gelu), dense(4)] }, dense(3)]],
    [
      'residual, normalised within',
      [{ type: 'residual', layers: [{ type: 'layerNorm' }, dense(4, gelu)], activation: 'tanh' }, dense(3)],
    ],
    ['dropout', [dense(4, 'tanh'), { type: 'dropout', rate: 0.5 }, dense(3)]],
  ])('%s', ([, specs]) => {
    const seed = clearSeed(3, (s) => nearKink(specs, drawn(specs, 4, s), maskedBatch(s), { type: 'meanSquaredError' }));
    checkGradients(specs, drawn(specs, 4, seed), maskedBatch(seed), { type: 'meanSquaredError' });
  });

  const maskedBatch = (seed: number): Batch => ({
    ...batchOf('numbers', seed),
    masks: { 1: Array.from({ length: 4 * ROWS }, (_, i) => (i % 3 === 0 ? 0 : 1)) },
  });
});

describe('worked examples of the vocabulary', () => {
  const flowers = [dense(2, 'relu'), dense(3)];
  const start = [
    parameter('0.weight', [2, 2], [0.86, -1.04, 0.41, -0.65]),
    parameter('0.bias', [2], [0, 0]),
    parameter('1.weight', [2, 3], [0.32, 0.25, 0.14, -0.47, -1.06, 0.063]),
    parameter('1.bias', [3], [0, 0, 0]),
  ];
  const crossEntropy = { type: 'softmaxCrossEntropy' };
  const sgd = { type: 'sgd', learningRate: 0.01 };

  test('1: three flowers', () => {
    const batch = { inputs: [1.5, 0.2, 4.7, 1.6, 5.6, 2.2], rows: 3, targets: [0, 1, 2] };
    const logits = [0.439, 0.343, 0.1921, 1.5034, 1.1745, 0.6577, 1.8298, 1.4295, 0.8005];
    close(predict(flowers, start, batch), logits, 6e-5);
    close([lossAndGradients(flowers, start, batch, crossEntropy).loss], [1.2731], 6e-5);
  });

  test('2: gradients and a step, with a dead unit', () => {
    const batch = { inputs: [1.5, 0.2], rows: 1, targets: [0] };
    const problem = { layers: flowers, parameters: start, loss: crossEntropy, optimizer: sgd, batches: [batch] };
    const [step] = trainReference(problem);
    close([step?.loss ?? Number.NaN], [0.98939], 6e-6);
    const gradients = step?.gradients.map(({ data }) => data);
    close(gradients?.[0], [-0.1139, 0, -0.0152, 0], 6e-5);
    close(gradients?.[1], [-0.0759, 0], 6e-5);
    close(gradients?.[2], [-0.8619, 0.4634, 0.3985, 0, 0, 0], 6e-5);
    close(gradients?.[3], [-0.6282, 0.3378, 0.2904], 6e-5);
    const after = step?.parameters.map(({ data }) => data);
    close(after?.[0], [0.86114, -1.04, 0.41015, -0.65], 6e-6);
    close(after?.[1], [0.000759, 0], 6e-7);
    close(after?.[2], [0.32862, 0.24537, 0.13602, -0.47, -1.06, 0.063], 6e-6);
    close(after?.[3], [0.00628, -0.00338, -0.0029], 6e-6);
  });

  const fromZero = (inputs: number, units: number): Parameter[] => [
    parameter('0.weight', [inputs, units], new Array<number>(inputs * units).fill(0)),
    parameter('0.bias', [units], new Array<number>(units).fill(0)),
  ];

  test('3: linear regression from zero', () => {
    const batch = { inputs: [6.7], rows: 1, targets: [9.1] };
    const steps = trainReference({
      layers: [dense(1)],
      parameters: fromZero(1, 1),
      loss: { type: 'meanSquaredError' },
      optimizer: sgd,
      batches: [batch, batch],
    });
    close([steps[0]?.loss ?? Number.NaN], [82.81], 1e-12);
    close(steps[0]?.gradients[0]?.data, [-121.94], 1e-12);
    close(steps[0]?.gradients[1]?.data, [-18.2], 1e-12);
    close(steps[0]?.parameters[0]?.data, [1.2194], 1e-12);
    close(steps[0]?.parameters[1]?.data, [0.182], 1e-12);
    close(steps[1]?.outputs, [8.35198], 1e-12);
    close([steps[1]?.loss ?? Number.NaN], [0.55953], 6e-6);
  });

  test('4: logistic regression from zero, its sigmoid in the last layer or left to the loss', () => {
    for (const activation of ['linear', 'sigmoid']) {
      const [step] = trainReference({
        layers: [dense(1, activation)],
        parameters: fromZero(2, 1),
        loss: { type: 'binaryCrossEntropy' },
        optimizer: sgd,
        batches: [{ inputs: [1.4, 0.2], rows: 1, targets: [0] }],
      });
      close(step?.gradients[0]?.data, [0.7, 0.1]);
      close(step?.gradients[1]?.data, [0.5]);
      close(step?.parameters[0]?.data, [-0.007, -0.001]);
      close(step?.parameters[1]?.data, [-0.005]);
    }
  });

  test('5: softmax regression from zero', () => {
    const [step] = trainReference({
      layers: [dense(2, 'softmax')],
      parameters: fromZero(1, 2),
      loss: crossEntropy,
      optimizer: sgd,
      batches: [{ inputs: [1.4], rows: 1, targets: [0] }],
    });
    close(step?.gradients[0]?.data, [-0.7, 0.7]);
    close(step?.gradients[1]?.data, [-0.5, 0.5]);
    close(step?.parameters[0]?.data, [0.007, -0.007]);
    close(step?.parameters[1]?.data, [0.005, -0.005]);
  });

  test('6: from all zeros, hidden units stay identical, and W₁ has no gradient on the first step', () => {
    const zero = (name: string, shape: number[]): Parameter =>
      parameter(name, shape, new Array<number>(shape.reduce((product, size) => product * size, 1)).fill(0));
    const batch = { inputs: [1, 2, -1, 0.5], rows: 2, targets: [0, 0] };
    const steps = trainReference({
      layers: [dense(3, 'sigmoid'), dense(2)],
      parameters: [zero('0.weight', [2, 3]), zero('0.bias', [3]), zero('1.weight', [3, 2]), zero('1.bias', [2])],
      loss: crossEntropy,
      optimizer: { type: 'sgd', learningRate: 0.5 },
      batches: [batch, batch, batch],
    });
    close(steps[0]?.gradients[0]?.data, [0, 0, 0, 0, 0, 0], 0);
    const W = steps[2]?.parameters[0]?.data;
    expect(W?.[0]).not.toBe(0);
    close(
      W,
      [0, 0, 0, 3, 3, 3].map((i) => W?.[i] ?? Number.NaN),
      0,
    );
  });

  test('7: XOR: a linear network stays at chance, one with four tanh units solves it', () => {
    const lossAfter = (activation: string): number => {
      const layers = [dense(4, activation), dense(2)];
      const batch = { inputs: [0, 0, 0, 1, 1, 0, 1, 1], rows: 4, targets: [0, 1, 1, 0] };
      const optimizer = { type: 'sgd', learningRate: 0.5, momentum: 0.9 };
      const batches = new Array<Batch>(400).fill(batch);
      const steps = trainReference({ layers, parameters: drawn(layers, 2, 3), loss: crossEntropy, optimizer, batches });
      return steps.at(-1)?.loss ?? Number.NaN;
    };
    expect(lossAfter('linear')).toBeCloseTo(Math.LN2, 3);
    expect(lossAfter('tanh')).toBeLessThan(0.02);
  });
});

describe('losses by hand', () => {
  const lossAndSlope = (loss: Spec, output: readonly number[], batch: Omit<Batch, 'inputs'>) => {
    // A network that is its bias: outputs are the bias, and its gradient is the sum of the rows' gradients.
    const parameters = [
      parameter('0.weight', [1, output.length], new Array<number>(output.length).fill(0)),
      parameter('0.bias', [output.length], output),
    ];
    const inputs = new Array<number>(batch.rows).fill(1);
    const result = lossAndGradients([dense(output.length)], parameters, { ...batch, inputs }, loss);
    return [result.loss, ...(result.gradients[1]?.data ?? [])];
  };

  test('label smoothing: logits (ln 3, 0), class 0, ε = 0.2: q = (0.9, 0.1), softmax = (¾, ¼)', () => {
    const spec = { type: 'softmaxCrossEntropy', labelSmoothing: 0.2 };
    // L = −0.9·ln ¾ − 0.1·ln ¼; slope softmax − q.
    const loss = 0.9 * Math.log(4 / 3) + 0.1 * Math.log(4);
    close(lossAndSlope(spec, [Math.log(3), 0], { rows: 1, targets: [0] }), [loss, 0.75 - 0.9, 0.25 - 0.1], 1e-15);
  });

  test('class weights 3 and 1 and classes 0 and 1: (3·L₀ + 1·L₁)/4; probabilities divide by the rows', () => {
    const spec = { type: 'softmaxCrossEntropy', classWeights: [3, 1] };
    const loss = (3 * Math.log(4 / 3) + Math.log(4)) / 4;
    // (3·(¾ − 1, ¼) + (¾, ¼ − 1))/4 = (0, 0).
    close(lossAndSlope(spec, [Math.log(3), 0], { rows: 2, targets: [0, 1] }), [loss, 0, 0], 1e-15);
    close(lossAndSlope(spec, [Math.log(3), 0], { rows: 2, targets: [1, 0, 0, 1] }), [2 * loss, 0, 0], 1e-15);
  });

  test('weights of samples 2 and 0: (2·L₀ + 0·L₁)/2', () => {
    const batch = { rows: 2, targets: [1, 5], weights: [2, 0] };
    // d = 3 − 1 = 2: squared 4, slope 4; absolute 2, slope 1; huber with δ = 1.5: 1.5·(2 − 0.75), slope 1.5.
    close(lossAndSlope({ type: 'meanSquaredError' }, [3], batch), [4, 4]);
    close(lossAndSlope({ type: 'meanAbsoluteError' }, [3], batch), [2, 1]);
    close(lossAndSlope({ type: 'huber', delta: 1.5 }, [3], batch), [1.875, 1.5]);
  });

  test('huber within δ, and the absolute error at 0', () => {
    close(lossAndSlope({ type: 'huber' }, [0.5], { rows: 1, targets: [0] }), [0.125, 0.5]);
    close(lossAndSlope({ type: 'meanAbsoluteError' }, [2], { rows: 1, targets: [2] }), [0, 0]);
  });

  test('log cosh: cosh ln 2 = 5/4 and tanh ln 2 = 3/5, and near and far away', () => {
    close(lossAndSlope({ type: 'logCosh' }, [-Math.LN2], { rows: 1, targets: [0] }), [Math.log(1.25), -0.6], 1e-15);
    close(lossAndSlope({ type: 'logCosh' }, [1e-9], { rows: 1, targets: [0] }), [5e-19, 1e-9], 1e-30);
    close(lossAndSlope({ type: 'logCosh' }, [1000], { rows: 1, targets: [0] }), [1000 - Math.LN2, 1]);
  });

  test('logits of ±1000 overflow nothing', () => {
    close(lossAndSlope({ type: 'binaryCrossEntropy' }, [1000, -1000], { rows: 1, targets: [0, 1] }), [1000, 0.5, -0.5]);
    close(lossAndSlope({ type: 'softmaxCrossEntropy' }, [1000, -1000], { rows: 1, targets: [1] }), [2000, 1, -1]);
  });
});

describe('optimizers by hand, p = 1 and the gradients 2, then −1', () => {
  const descent = (spec: Spec): number[] => {
    let parameters = [parameter('0.weight', [1, 1], [1])];
    let states = {};
    return [2, -1].map((g, index) => {
      const gradients = [parameter('0.weight', [1, 1], [g])];
      ({ parameters, states } = optimizerStep(exactArithmetic, spec, parameters, gradients, states, index + 1));
      return parameters[0]?.data[0] ?? Number.NaN;
    });
  };

  test('sgd', () => {
    close(descent({ type: 'sgd', learningRate: 0.1 }), [1 - 0.2, 0.8 + 0.1]);
    // b₁ = 2; b₂ = 0.9·2 − 1 = 0.8.
    close(descent({ type: 'sgd', learningRate: 0.1, momentum: 0.9 }), [0.8, 0.8 - 0.08]);
    // b₁ = 2, whatever the dampening; b₂ = 0.9·2 − 0.5·1 = 1.3.
    close(descent({ type: 'sgd', learningRate: 0.1, momentum: 0.9, dampening: 0.5 }), [0.8, 0.8 - 0.13]);
    // g + 0.9·b: 2 + 1.8 = 3.8, then −1 + 0.9·0.8 = −0.28.
    close(descent({ type: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: true }), [1 - 0.38, 0.62 + 0.028]);
    // g + 0.5·p: 2.5, then −1 + 0.5·0.75 = −0.625.
    close(descent({ type: 'sgd', learningRate: 0.1, weightDecay: 0.5 }), [0.75, 0.75 + 0.0625]);
  });

  test('adagrad', () => {
    // s = 4, then 5: steps 2/2 and −1/√5; ε = 1e-10 is beneath the tolerance.
    close(descent({ type: 'adagrad', learningRate: 0.1 }), [0.9, 0.9 + 0.1 / Math.sqrt(5)], 1e-10);
    // s = 5 + 4 = 9, then 10; the rate of the second step is 0.1/(1 + 0.25) = 0.08.
    const options = { learningRateDecay: 0.25, initialAccumulator: 5, epsilon: 1 };
    const first = 1 - (0.1 * 2) / (3 + 1);
    close(descent({ type: 'adagrad', learningRate: 0.1, ...options }), [first, first + 0.08 / (Math.sqrt(10) + 1)]);
  });

  test('rmsprop', () => {
    // v = 0.5·4 = 2, then 0.5·2 + 0.5·1 = 1.5.
    const [a, b] = [2 / Math.sqrt(2), -1 / Math.sqrt(1.5)];
    const spec = { type: 'rmsprop', learningRate: 0.1, decay: 0.5, epsilon: 0 };
    close(descent(spec), [1 - 0.1 * a, 1 - 0.1 * (a + b)]);
    // b₁ = a; b₂ = 0.9·a + b.
    close(descent({ ...spec, momentum: 0.9 }), [1 - 0.1 * a, 1 - 0.1 * (a + 0.9 * a + b)]);
    // m = 1, then 0; v − m² = 1, then 1.5.
    close(descent({ ...spec, centered: true }), [1 - 0.2, 0.8 + 0.1 / Math.sqrt(1.5)]);
    close(descent({ ...spec, epsilon: 1 }), [
      1 - 0.2 / (Math.sqrt(2) + 1),
      1 - 0.2 / (Math.sqrt(2) + 1) + 0.1 / (Math.sqrt(1.5) + 1),
    ]);
  });

  test('adam and adamw', () => {
    const spec = { type: 'adam', learningRate: 0.1, beta1: 0.5, beta2: 0.75, epsilon: 0 };
    // m = 1, then 0.5·1 − 0.5·1 = 0; v = 1, then 0.75 + 0.25 = 1. m̂ = 1/0.5 = 2, then 0; v̂ = 1/0.25 = 4.
    close(descent(spec), [1 - 0.1 * (2 / 2), 0.9 - 0]);
    // With epsilon = 2: 2/(2 + 2).
    close(descent({ ...spec, epsilon: 2 }), [1 - 0.05, 0.95]);
    // As a penalty: g = 2 + 2·1 = 4, m̂ = 4, v̂ = 16: still −0.1. Then g = −1 + 2·0.9 = 0.8,
    // m = 0.5·2 + 0.5·0.8 = 1.4, m̂ = 1.4/0.75; v = 0.75·4 + 0.25·0.64 = 3.16, v̂ = 3.16/0.4375.
    const second = (0.1 * (1.4 / 0.75)) / Math.sqrt(3.16 / 0.4375);
    close(descent({ ...spec, weightDecay: 2 }), [0.9, 0.9 - second]);
    // Decoupled: p·(1 − 0.1·2) first, 0.8 − 0.1 = 0.7; then 0.7·0.8 − 0.
    close(descent({ ...spec, type: 'adamw', weightDecay: 2 }), [0.7, 0.56]);
  });

  test('statistics and other parameters without a gradient stay as they are', () => {
    const parameters = [parameter('0.running_mean', [1], [3])];
    const spec = { type: 'adamw', learningRate: 0.1 };
    expect(optimizerStep(exactArithmetic, spec, parameters, [], {}, 1).parameters).toEqual(parameters);
    expect(parameters.every(isStatistic)).toBe(true);
  });
});

describe('clipping and penalties', () => {
  const gradients = [parameter('0.weight', [1, 2], [3, -0.5]), parameter('0.bias', [1], [-4])];
  const values = (list: readonly Parameter[]): number[] => list.flatMap(({ data }) => [...data]);

  test('each to ±value', () => {
    close(values(clipped(exactArithmetic, gradients, { value: 1 })), [1, -0.5, -1], 0);
  });

  test('all to a norm: √(9 + 0.25 + 16), and 1e-6 that PyTorch adds', () => {
    const factor = 1 / (Math.sqrt(25.25) + 1e-6);
    close(values(clipped(exactArithmetic, gradients, { norm: 1 })), [3 * factor, -0.5 * factor, -4 * factor]);
    close(values(clipped(exactArithmetic, gradients, { norm: 6 })), [3, -0.5, -4], 0);
  });

  test('penalties are of weight matrices: l1·Σ|w| + l2·Σw², slope l1·sign w + 2·l2·w', () => {
    const parameters = [
      parameter('0.weight', [1, 2], [2, -1]),
      parameter('0.bias', [1], [7]),
      parameter('1.weight', [2], [7, 7]),
    ];
    const slopes = [...gradients, parameter('1.weight', [2], [0, 0])];
    const result = penalized(exactArithmetic, parameters, slopes, { l1: 0.1, l2: 0.01 });
    close([result.penalty], [0.1 * 3 + 0.01 * 5]);
    close(values(result.gradients), [3 + 0.1 + 0.04, -0.5 - 0.1 - 0.02, -4, 0, 0]);
  });
});

describe('normalisation by hand', () => {
  const identity = [parameter('1.weight', [2], [1, 2]), parameter('1.bias', [2], [0, 5])];
  const first = [parameter('0.weight', [2, 2], [1, 0, 0, 1])];
  const statistics = [parameter('1.running_mean', [2], [0, 0]), parameter('1.running_var', [2], [1, 1])];
  const batch = { inputs: [1, 0, 3, 4], rows: 2, targets: [0, 0, 0, 0] };
  const loss = { type: 'meanSquaredError' };
  const optimizer = { type: 'sgd', learningRate: 0 };
  const trained = (kind: Spec, parameters: readonly Parameter[]) => {
    const layers = [dense(2, 'linear', false), kind];
    const problem: Problem = { layers, parameters, loss, optimizer, batches: [batch, batch] };
    return trainReference(problem);
  };

  test('batchNorm: columns (1, 3) and (0, 4) are (−1, 1), times γ = (1, 2), plus β = (0, 5)', () => {
    const steps = trained({ type: 'batchNorm', epsilon: 0, momentum: 0.25 }, [...first, ...identity, ...statistics]);
    // Outputs (−1, 3), (1, 7): the mean square is (1 + 9 + 1 + 49)/4.
    close([steps[0]?.loss ?? Number.NaN], [15]);
    // Means (2, 2), variances over n − 1 (2, 8): a quarter of the way from (0, 0) and (1, 1).
    close(steps[0]?.parameters[3]?.data, [0.5, 0.5]);
    close(steps[0]?.parameters[4]?.data, [0.75 + 0.5, 0.75 + 2]);
    // Prediction takes those.
    const [x, y] = [Math.sqrt(1.25), Math.sqrt(2.75)];
    close(steps[1]?.outputs, [0.5 / x, -1 / y + 5, 2.5 / x, 7 / y + 5]);
    // dY = 2·Y/4; dγ = Σ dY·N, dβ = Σ dY.
    close(steps[0]?.gradients[1]?.data, [1, (-3 + 7) / 2]);
    close(steps[0]?.gradients[2]?.data, [0, (3 + 7) / 2]);
  });

  test('layerNorm: rows (1, 0) and (3, 4) are (1, −1) and (−1, 1)', () => {
    const steps = trained({ type: 'layerNorm', epsilon: 0 }, [...first, ...identity]);
    close(steps[0]?.outputs, [1, 3, -1, 7]);
    close([steps[0]?.loss ?? Number.NaN], [15]);
    close(steps[0]?.gradients[1]?.data, [(1 + 1) / 2, (-3 + 7) / 2]);
  });

  test('dropout in training is mask/(1 − rate), and nothing in prediction', () => {
    const layers = [dense(2, 'linear', false), { type: 'dropout', rate: 0.75 }];
    const masked = { ...batch, masks: { 1: [1, 0, 0, 1] } };
    // Outputs (4, 0), (0, 16).
    close([lossAndGradients(layers, first, masked, loss).loss], [(16 + 256) / 4]);
    close(predict(layers, first, batch), [1, 0, 3, 4], 0);
    expect(() => lossAndGradients(layers, first, batch, loss)).toThrow('given no mask');
  });
});

test('given parameters are copied, never changed', () => {
  const given = [{ name: '0.weight', shape: [1, 1], data: Float32Array.of(1) }];
  const [copy] = inFloat64(given);
  copy?.data.fill(2);
  expect(given[0]?.data[0]).toBe(1);
});
