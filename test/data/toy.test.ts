import { describe, expect, test } from 'vitest';
import { MlpError } from '../../src/base/errors.js';
import { moons, type Points, spirals, xor } from '../../src/data/toy.js';

/** Half an ulp of float32 around 1, and a little for the series. */
const ROUNDING = 2 ** -24 + 1e-14;

function largestDifference({ inputs }: Points, expected: readonly (readonly [number, number])[]): number {
  expect(inputs.length).toBe(2 * expected.length);
  return expected.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - (inputs[i] ?? Number.NaN))), 0);
}

const counts = ({ classes }: Points): number[] =>
  [...classes].reduce<number[]>((sums, label) => {
    sums[label] = (sums[label] ?? 0) + 1;
    return sums;
  }, []);

test('xor has four samples', () => {
  expect(xor()).toEqual({
    inputs: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1),
    classes: Uint32Array.of(0, 1, 1, 0),
    features: 2,
  });
});

describe('spirals', () => {
  test('are where the formula says, over several turns and arms', () => {
    for (const turns of [0, 0.3, 1, -2, 7.25]) {
      const made = spirals({ samples: 300, classes: 3, turns });
      const expected = Array.from({ length: 300 }, (_, i): [number, number] => {
        const radius = (Math.floor(i / 3) + 1) / 100;
        const angle = 2 * Math.PI * (turns * radius + (i % 3) / 3);
        return [radius * Math.cos(angle), radius * Math.sin(angle)];
      });
      expect(largestDifference(made, expected), `${turns} turns`).toBeLessThan(ROUNDING);
    }
  });

  test('divide samples evenly, and end at radius 1 each', () => {
    const made = spirals({ samples: 11, classes: 3 });
    expect(counts(made)).toEqual([4, 4, 3]);
    const radii = [8, 9, 10].map((i) => Math.hypot(made.inputs[2 * i] ?? 0, made.inputs[2 * i + 1] ?? 0));
    expect(radii.map((radius) => radius.toFixed(6))).toEqual(['1.000000', '1.000000', '1.000000']);
  });
});

describe('moons', () => {
  test('are where the formula says', () => {
    const expected = Array.from({ length: 101 }, (_, i): [number, number] => {
      const moon = i % 2;
      const t = (Math.floor(i / 2) + 1) / (moon === 0 ? 51 : 50);
      const [cosine, sine] = [Math.cos(Math.PI * t), Math.sin(Math.PI * t)];
      return moon === 0 ? [cosine, sine] : [1 - cosine, 0.5 - sine];
    });
    const made = moons({ samples: 101 });
    expect(largestDifference(made, expected)).toBeLessThan(ROUNDING);
    expect(counts(made)).toEqual([51, 50]);
  });
});

describe('noise', () => {
  test('has the deviation that was asked for, the seed’s own values, and is not there by default', () => {
    const plain = moons({ samples: 4000 });
    const noisy = moons({ samples: 4000, noise: 0.25, seed: 1 });
    const differences = Array.from(noisy.inputs, (value, i) => value - (plain.inputs[i] ?? 0));
    const deviation = Math.sqrt(differences.reduce((sum, value) => sum + value * value, 0) / differences.length);
    // 8000 draws: the standard deviation of a sample deviation is σ/√(2n).
    expect(Math.abs(deviation - 0.25)).toBeLessThan((4 * 0.25) / Math.sqrt(2 * 8000));
    expect(moons({ samples: 4000, noise: 0.25, seed: 1 })).toEqual(noisy);
    expect(moons({ samples: 4000, noise: 0.25, seed: 2 }).inputs).not.toEqual(noisy.inputs);
    expect(moons({ samples: 4000, seed: 2 })).toEqual(plain);
  });

  test('is the same on every machine', () => {
    expect([...spirals({ samples: 2, turns: 0.7, noise: 0.1, seed: 3 }).inputs]).toEqual([
      -0.36445727944374084, -0.8973713517189026, 0.31671780347824097, 0.9129939079284668,
    ]);
  });
});

test.for<[what: string, make: () => Points, message: string]>([
  ['no samples', () => moons({ samples: 0 }), 'moons: samples = 0; samples must be a positive integer.'],
  ['half a class', () => spirals({ samples: 4, classes: 1.5 }), 'spirals: classes = 1.5'],
  ['endless turns', () => spirals({ samples: 4, turns: Infinity }), 'spirals: turns = Infinity'],
  ['negative noise', () => moons({ samples: 4, noise: -1 }), 'moons: noise = -1; noise must be a finite number ≥ 0.'],
  ['a fractional seed', () => moons({ samples: 4, seed: 0.5 }), 'moons: seed = 0.5'],
])('%s is refused', ([, make, message]) => {
  expect(make).toThrow(MlpError);
  expect(make).toThrow(message);
});
