import { assertOption } from '../base/check.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { Random } from '../base/random.js';

/** Points in the plane and their classes, as options of `Dataset.create`. */
export interface Points {
  /** Coordinates, (samples, 2) in row-major order. */
  readonly inputs: Float32Array<ArrayBuffer>;
  /** Class of each point. */
  readonly classes: Uint32Array<ArrayBuffer>;
  /** Numbers in a sample: x and y. */
  readonly features: 2;
}

/** Options of `spirals`. */
export interface SpiralOptions {
  /** Number of points. Example: `samples: 300`. */
  readonly samples: number;
  /** Number of spiral arms; each is a class. Default: 2. Example: `classes: 3`. */
  readonly classes?: number | undefined;
  /** Turns of an arm around the origin. Default: 1. Example: `turns: 1.5`. */
  readonly turns?: number | undefined;
  /** Standard deviation of the normal noise that is added to each coordinate. Default: 0. Example: `noise: 0.02`. */
  readonly noise?: number | undefined;
  /** Seed of the noise, an integer ≥ 0. Default: 0. Example: `seed: 1`. */
  readonly seed?: number | undefined;
}

const SPIRAL_NAMES: OptionNames<SpiralOptions> = { samples: 1, classes: 1, turns: 1, noise: 1, seed: 1 };

/** Options of `moons`: `samples`, `noise` and `seed`, as for `spirals`. */
export type MoonOptions = Pick<SpiralOptions, 'samples' | 'noise' | 'seed'>;

const MOON_NAMES: OptionNames<MoonOptions> = { samples: 1, noise: 1, seed: 1 };

/**
 * Exclusive or: the four corners of the unit square, with class 1 if the coordinates differ and class 0 if they are
 * equal.
 * @example
 * const data = Dataset.create(gpu, xor());
 */
export function xor(): Points;
export function xor(options?: object): Points {
  checkOptions('xor', options, {});
  return { inputs: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), classes: Uint32Array.of(0, 1, 1, 0), features: 2 };
}

/**
 * Spiral arms around the origin, one per class: r·(cos φ, sin φ), where r grows from 0 to 1 and φ = 2π·(turns·r +
 * class/classes). Samples alternate between the classes: 0, 1, …, 0, 1, …. The numbers are the same on every machine.
 * @throws {MlpError} `bad-option` if an option is out of range, `bad-seed` if it is the seed
 * @example
 * const data = Dataset.create(gpu, spirals({ samples: 300, classes: 3, noise: 0.05 }));
 */
export function spirals(options: SpiralOptions): Points {
  const { samples, classes = 2, turns = 1, noise = 0, seed = 0 } = checkOptions('spirals', options, SPIRAL_NAMES);
  assertOption('spirals:', { samples, classes }, 'a positive integer');
  assertOption('spirals:', { turns }, 'a finite number');
  return points('spirals:', samples, classes, { noise, seed }, (radius, arm) => {
    const [cosine, sine] = onCircle(turns * radius + arm / classes);
    return [radius * cosine, radius * sine];
  });
}

/**
 * Two interleaving half moons: (cos πt, sin πt) for class 0 and (1 − cos πt, ½ − sin πt) for class 1, where t grows
 * from 0 to 1. Samples alternate between the classes: 0, 1, 0, 1, …. The numbers are the same on every machine.
 * Source: scikit-learn's make_moons.
 * @throws {MlpError} `bad-option` if an option is out of range, `bad-seed` if it is the seed
 * @example
 * const data = Dataset.create(gpu, moons({ samples: 200, noise: 0.1, seed: 1 }));
 */
export function moons(options: MoonOptions): Points {
  const { samples, noise = 0, seed = 0 } = checkOptions('moons', options, MOON_NAMES);
  assertOption('moons:', { samples }, 'a positive integer');
  return points('moons:', samples, 2, { noise, seed }, (t, moon) => {
    const [cosine, sine] = onCircle(t / 2);
    return moon === 0 ? [cosine, sine] : [1 - cosine, 0.5 - sine];
  });
}

/**
 * Makes the points of all classes, and adds noise.
 * @param pointAt returns the point of a class at the parameter t, which runs through (0, 1]
 */
function points(
  where: string,
  samples: number,
  classCount: number,
  { noise, seed }: { readonly noise: number; readonly seed: number },
  pointAt: (t: number, label: number) => readonly [number, number],
): Points {
  assertOption(where, { noise }, 'a finite number >= 0');
  assertOption(where, { seed }, 'an integer >= 0', 'bad-seed');
  const random = new Random(seed);
  const noiseTerm = (): number => (noise === 0 ? 0 : noise * random.normal());
  const inputs = new Float32Array(2 * samples);
  const classes = new Uint32Array(samples);
  for (let i = 0; i < samples; i++) {
    const label = i % classCount;
    const pointsOfClass = Math.ceil((samples - label) / classCount);
    const [x, y] = pointAt((Math.floor(i / classCount) + 1) / pointsOfClass, label);
    inputs.set([x + noiseTerm(), y + noiseTerm()], 2 * i);
    classes[i] = label;
  }
  return { inputs, classes, features: 2 };
}

/**
 * Computes (cos 2πt, sin 2πt) from + − × ÷ alone: JavaScript engines differ in the last bits of Math.sin, but data must
 * be the same on all of them. It is a Taylor series on angles in [−π, π], whose truncation error is below 10⁻¹⁵.
 */
function onCircle(t: number): readonly [cosine: number, sine: number] {
  const angle = 2 * Math.PI * (t - Math.round(t));
  let cosine = 0;
  let sine = 0;
  for (let n = 26; n >= 0; n -= 2) {
    cosine = 1 - (cosine * angle * angle) / ((n + 1) * (n + 2));
    sine = 1 - (sine * angle * angle) / ((n + 2) * (n + 3));
  }
  return [cosine, angle * sine];
}
