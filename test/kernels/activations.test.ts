import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ActivationFormulas, activationFormulas, activationsWgsl, normalCdf } from '../../shaders/activations.js';
import { MlpError } from '../../src/base/errors.js';
import {
  type Activation,
  type ActivationRow,
  type ActivationRowName,
  activationNames,
  activationTable,
  resolveActivation,
} from '../../src/kernels/activations.js';

/** The two halves of a row: what the library knows at run time, and the formulas. */
type WholeRow = ActivationRow & ActivationFormulas;
const rows = activationNames.map((name): [ActivationRowName, WholeRow] => [
  name,
  { ...activationTable[name], ...activationFormulas[name] },
]);

test('the table and the formulas have the same rows, in one order', () => {
  expect(Object.keys(activationFormulas)).toEqual(Object.keys(activationTable));
  expect(activationNames).toEqual(Object.keys(activationTable));
});

/** Another parameter than the default, for rows that have one. */
const parameters = (row: WholeRow): number[] =>
  row.parameter ? [row.parameter.default, 0.3, 1.7, ...(row.from === 'z' ? [-0.6] : [])] : [0];
const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.round((to - from) / step) + 1 }, (_, i) => from + i * step);

describe('values', () => {
  const z = [1, 5, -4, 3, -2];
  const checks: readonly [Activation, readonly number[]][] = [
    ['linear', z],
    ['relu', [1, 5, 0, 3, 0]],
    ['sigmoid', [0.731, 0.993, 0.018, 0.953, 0.119]],
    ['tanh', [0.762, 1, -0.999, 0.995, -0.964]],
    ['softplus', [1.313, 5.007, 0.018, 3.049, 0.127]],
    ['leakyRelu', [1, 5, -0.04, 3, -0.02]],
    [{ type: 'leakyRelu', alpha: 0.1 }, [1, 5, -0.4, 3, -0.2]],
    [{ type: 'elu', alpha: 0.1 }, [1, 5, -0.098, 3, -0.086]],
    [{ type: 'prelu', alpha: 0.1 }, [1, 5, -0.4, 3, -0.2]],
    ['abs', [1, 5, 4, 3, 2]],
    ['step', [1, 1, 0, 1, 0]],
    // 1/2, 5/6, −4/5, 3/4, −2/3.
    ['softsign', [0.5, 0.833, -0.8, 0.75, -0.667]],
    // Of any table; the second is sin 2 = 0.909, sin 10, sin −8, sin 6, sin −4.
    ['sine', [0.841, -0.959, 0.757, 0.141, -0.909]],
    [{ type: 'sine', omega: 2 }, [0.909, -0.544, -0.989, -0.279, 0.757]],
    ['swish', [0.731, 4.967, -0.072, 2.858, -0.238]],
    // PyTorch's documentation gives λ and α; the values follow from λα(eᶻ − 1).
    ['selu', [1.051, 5.254, -1.726, 3.152, -1.52]],
    // zΦ(z), with Φ(1) = 0.841345, Φ(2) = 0.977250, Φ(3) = 0.998650, Φ(4) = 0.999968 of any table.
    ['gelu', [0.841, 5, -0.0001267, 2.996, -0.0455]],
    [{ type: 'gelu', approximate: 'tanh' }, [0.841, 5, -0.00007, 2.996, -0.0454]],
  ];

  test.for(checks)('%j', ([activation, expected]) => {
    const { name, alpha } = resolveActivation(activation);
    for (const [i, value] of expected.entries()) {
      expect(Math.abs(activationFormulas[name].cpu[0](z[i]!, alpha) - value)).toBeLessThanOrEqual(0.00051);
    }
  });

  test('every row has a check value', () => {
    const checked = new Set(checks.map(([activation]) => resolveActivation(activation).name));
    expect(checked).toEqual(new Set(rows.map(([name]) => name)));
  });

  test('Φ is right in the middle and in the tail', () => {
    expect(normalCdf(0)).toBe(0.5);
    expect(normalCdf(1.959963984540054)).toBeCloseTo(0.975, 12);
    expect(normalCdf(-6) / 9.865876450376981e-10).toBeCloseTo(1, 10);
    expect(normalCdf(-37.5) / 4.605353009581988e-308).toBeCloseTo(1, 8);
    expect(normalCdf(-4.2426) / (1 - normalCdf(4.2426))).toBeCloseTo(1, 10); // just before the continued fraction
    expect(normalCdf(-4.24263) / normalCdf(-4.24265)).toBeCloseTo(1, 3); // and across its border
  });
});

describe.for(rows)('%s', ([name, row]) => {
  test('derivative against centred differences', () => {
    for (const alpha of parameters(row)) {
      for (const z of range(-6.05, 6.05, 0.1)) {
        const h = 1e-5;
        const numeric = (row.cpu[0](z + h, alpha) - row.cpu[0](z - h, alpha)) / (2 * h);
        const analytic = row.cpu[1](row.from === 'y' ? row.cpu[0](z, alpha) : z, alpha);
        expect(Math.abs(numeric - analytic), `${name}′(${z}), parameter ${alpha}`).toBeLessThan(1e-8);
      }
    }
  });

  test('derivative by the parameter, where it is learned, against centred differences', () => {
    expect(row.byParameter !== undefined).toBe(row.parameter?.learned !== undefined);
    for (const alpha of parameters(row)) {
      for (const z of range(-6.05, 6.05, 0.1)) {
        const h = 1e-5;
        const numeric = (row.cpu[0](z, alpha + h) - row.cpu[0](z, alpha - h)) / (2 * h);
        const analytic = row.byParameter?.(z, alpha) ?? numeric;
        expect(Math.abs(numeric - analytic), `∂${name}(${z}), parameter ${alpha}`).toBeLessThan(1e-8);
      }
    }
  });

  test('finite for every finite argument, values and derivatives', () => {
    for (const alpha of parameters(row)) {
      for (const z of [0, -0, 1e-45, 88, 104, 710, 1e4, 1e30].flatMap((z) => [z, -z])) {
        const y = row.cpu[0](z, alpha);
        expect(y, `${name}(${z})`).toSatisfy(Number.isFinite);
        expect(row.cpu[1](row.from === 'y' ? y : z, alpha), `${name}′(${z})`).toSatisfy(Number.isFinite);
      }
    }
  });

  test('the shader’s formulas, in float64, are the reference’s', () => {
    const shader = shaderFunctions(row);
    for (const alpha of parameters(row)) {
      for (const z of [
        ...range(-20, 20, 0.0625),
        ...range(-0.32, 0.32, 0.004),
        ...(name === 'sine' ? [1e4] : [1e4, 1e30]).flatMap((z) => [z, -z]), // sine gives up beyond 65536
      ]) {
        const y = row.cpu[0](z, alpha);
        const v = row.from === 'y' ? y : z;
        const value = shader.activate(z, alpha);
        const derivative = shader.derivative(v, alpha);
        // What is left is truncation, as the shader's comments give it (relative; of 1 for derivatives, which cross zero).
        const truncation = name === 'gelu' ? 6e-8 : 1.5e-8;
        const below = 1e-37 * (1 + Math.abs(z)); // exp is 0 from −87 on
        expect(Math.abs(value - y), `${name}(${z})`).toBeLessThanOrEqual(truncation * Math.abs(y) + below);
        const expected = row.cpu[1](v, alpha);
        const scale = Math.abs(expected) + 1;
        expect(Math.abs(derivative - expected), `${name}′(${z})`).toBeLessThanOrEqual(truncation * scale);
      }
    }
  });
});

test('elu and softplus keep their relative accuracy left of zero', () => {
  expect(activationFormulas.softplus.cpu[0](-40, 0) / Math.exp(-40)).toBeCloseTo(1, 12);
  expect(activationFormulas.elu.cpu[0](-1e-12, 1) / -1e-12).toBeCloseTo(1, 11);
});

describe('resolveActivation', () => {
  test('fills in the defaults', () => {
    expect(resolveActivation('leakyRelu')).toMatchObject({ alpha: 0.01, spec: { type: 'leakyRelu', alpha: 0.01 } });
    expect(resolveActivation({ type: 'swish', beta: 2 })).toMatchObject({ alpha: 2, spec: { type: 'swish', beta: 2 } });
    expect(resolveActivation('gelu')).toMatchObject({ name: 'gelu', spec: { type: 'gelu', approximate: 'none' } });
    expect(resolveActivation({ type: 'gelu', approximate: 'tanh' })).toMatchObject({
      name: 'geluTanh',
      spec: { type: 'gelu', approximate: 'tanh' },
    });
    expect(resolveActivation('relu')).toMatchObject({ alpha: 0, spec: 'relu' });
    expect(resolveActivation('sine')).toMatchObject({ alpha: 1, spec: { type: 'sine', omega: 1 } });
    expect(resolveActivation('step')).toMatchObject({ untrainable: true, spec: 'step' });
  });

  test('learned parameters are said to be, and not otherwise', () => {
    expect(resolveActivation('prelu')).toMatchObject({
      alpha: 0.25,
      learned: { name: 'alpha', per: 'layer' },
      spec: { type: 'prelu', alpha: 0.25, per: 'layer' },
    });
    expect(resolveActivation({ type: 'swish', learned: true, per: 'unit' })).toMatchObject({
      alpha: 1,
      learned: { name: 'beta', per: 'unit' },
      spec: { type: 'swish', beta: 1, learned: true, per: 'unit' },
    });
    expect(resolveActivation('swish').learned).toBe(undefined);
    expect(resolveActivation({ type: 'swish', learned: false }).spec).toEqual({ type: 'swish', beta: 1 });
    expect(resolveActivation('leakyRelu').learned).toBe(undefined);
  });

  test.for(rows)('%s: its spec gives the same again', ([name]) => {
    const first = resolveActivation(name as Activation);
    expect(first.index).toBe(rows.findIndex(([row]) => row === name));
    expect(resolveActivation(structuredClone(first.spec))).toEqual(first);
  });

  const wrong: readonly [unknown, string, RegExp][] = [
    [
      'rleu',
      'unknown-activation',
      /^Activation "rleu" is not known\. Known: linear, relu, leakyRelu, prelu, .*gelu, abs, sine, step, softsign; for dense also maxout and softmax\.$/,
    ],
    [{ type: 'toString' }, 'unknown-activation', /"toString" is not known/],
    ['', 'unknown-activation', /"" is not known/],
    [{ type: 'elu', alpha: -1 }, 'bad-activation', /elu has alpha = -1; alpha must be a finite number ≥ 0/],
    [{ type: 'leakyRelu', alpha: NaN }, 'bad-activation', /alpha = NaN/],
    [{ type: 'leakyRelu', alpha: '1' }, 'bad-activation', /alpha = "1" is a string; alpha must be a finite number/],
    [{ type: 'leakyRelu', alpha: 1e39 }, 'bad-activation', /alpha = 1e\+39/],
    [{ type: 'swish', beta: Infinity }, 'bad-activation', /beta = Infinity/],
    [{ type: 'prelu', alpha: NaN }, 'bad-activation', /prelu has alpha = NaN; alpha must be a finite number\./],
    [{ type: 'prelu', per: 'row' }, 'bad-activation', /per = "row"; per must be "unit" or "layer"/],
    [{ type: 'swish', learned: 1 }, 'bad-activation', /learned = 1; learned must be true or false/],
    [{ type: 'sine', omega: Infinity }, 'bad-activation', /sine has omega = Infinity/],
    [{ type: 'gelu', approximate: 'erf' }, 'bad-activation', /approximate = "erf"/],
  ];
  test.for(wrong)('refuses %j', ([activation, code, message]) => {
    const error = ((): unknown => {
      try {
        return resolveActivation(activation as Activation);
      } catch (error) {
        return error;
      }
    })();
    expect(error).toBeInstanceOf(MlpError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

test('activationsWgsl has a case for every row, in the table’s order, in both functions', () => {
  const [, forward = '', backward = ''] = activationsWgsl().split(/^fn /m);
  for (const [index, [name, row]] of rows.entries()) {
    expect(forward).toContain(`case ${index}: { return ${row.wgsl[0]}; } // ${name}`);
    expect(backward).toContain(`case ${index}: { return ${row.wgsl[1]}; } // ${name}`);
  }
  expect(activationsWgsl()).toMatch(/^override ACTIVATION: u32 = 0;\noverride ALPHA: f32 = 0\.0;$/m);
});

/** The helpers of shaders/lib/activations.wgsl and a row's expressions, read as JavaScript: the formulas, without f32. */
function shaderFunctions(row: WholeRow): {
  activate: (z: number, alpha: number) => number;
  derivative: (v: number, alpha: number) => number;
} {
  const wgsl = readFileSync(new URL('../../shaders/lib/activations.wgsl', import.meta.url), 'utf8');
  const helpers = wgsl
    .replace(/fn (\w+)\(([^)]*)\) -> f32/g, (_, name, list) => `function ${name}(${list.replaceAll(': f32', '')})`)
    .replaceAll(/: (f32|bool)\b/g, '');
  const built = `
    const { abs, min, max, exp, sign, round, floor } = Math;
    const clamp = (x, low, high) => min(max(x, low), high);
    const select = (no, yes, condition) => (condition ? yes : no);
    ${helpers}
    return { activate: (z, ALPHA) => ${row.wgsl[0]}, derivative: (v, ALPHA) => ${row.wgsl[1]} };`;
  return new Function(built)();
}
