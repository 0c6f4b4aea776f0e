import { assertOption } from '../base/check.js';
import { Random } from '../base/random.js';

/** Points in the plane and their classes, as `Dataset.create` takes them. */
export interface Points {
  readonly inputs: Float32Array<ArrayBuffer>;
  readonly classes: Uint32Array<ArrayBuffer>;
  readonly features: 2;
}

export interface SpiralOptions {
  readonly samples: number;
  /** Arms, one a class; 2 by default. */
  readonly classes?: number;
  /** Turns of an arm; 1 by default. */
  readonly turns?: number;
  /** Standard deviation of what is added to each coordinate; 0 by default. */
  readonly noise?: number;
  /** Decides the noise. */
  readonly seed?: number;
}

export type MoonOptions = Pick<SpiralOptions, 'samples' | 'noise' | 'seed'>;

/** Exclusive or: the corners of the unit square, class 1 where the coordinates differ. */
export function xor(): Points {
  return { inputs: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), classes: Uint32Array.of(0, 1, 1, 0), features: 2 };
}

/**
 * Spirals around the origin, a class each: r·(cos φ, sin φ), where r grows from 0 to 1 and φ = 2π·(turns·r + class/classes).
 * Samples take the classes in turn. The same numbers on every machine.
 * @throws {MlpError} for an option that is out of range
 */
export function spirals({ samples, classes = 2, turns = 1, noise = 0, seed = 0 }: SpiralOptions): Points {
  assertOption('spirals:', { samples, classes }, 'a positive integer');
  assertOption('spirals:', { turns }, 'a finite number');
  return points('spirals:', samples, classes, { noise, seed }, (radius, arm) => {
    const [cosine, sine] = onCircle(turns * radius + arm / classes);
    return [radius * cosine, radius * sine];
  });
}

/**
 * Two half moons that reach into each other: (cos πt, sin πt) and (1 − cos πt, ½ − sin πt), t from 0 to 1.
 * Samples take the classes in turn. The same numbers on every machine.
 * Source: scikit-learn's make_moons.
 * @throws {MlpError} for an option that is out of range
 */
export function moons({ samples, noise = 0, seed = 0 }: MoonOptions): Points {
  assertOption('moons:', { samples }, 'a positive integer');
  return points('moons:', samples, 2, { noise, seed }, (t, moon) => {
    const [cosine, sine] = onCircle(t / 2);
    return moon === 0 ? [cosine, sine] : [1 - cosine, 0.5 - sine];
  });
}

/** @param place the point of a class at `t`, which runs through (0, 1] */
function points(
  where: string,
  samples: number,
  classCount: number,
  { noise, seed }: { readonly noise: number; readonly seed: number },
  place: (t: number, label: number) => readonly [number, number],
): Points {
  assertOption(where, { noise }, 'a finite number ≥ 0');
  assertOption(where, { seed }, 'an integer ≥ 0', 'bad-seed');
  const random = new Random(seed);
  const stray = (): number => (noise === 0 ? 0 : noise * random.normal());
  const inputs = new Float32Array(2 * samples);
  const classes = new Uint32Array(samples);
  for (let i = 0; i < samples; i++) {
    const label = i % classCount;
    const ofClass = Math.ceil((samples - label) / classCount);
    const [x, y] = place((Math.floor(i / classCount) + 1) / ofClass, label);
    inputs.set([x + stray(), y + stray()], 2 * i);
    classes[i] = label;
  }
  return { inputs, classes, features: 2 };
}

/**
 * (cos 2πt, sin 2πt) from + − × ÷ alone: engines differ in the last bits of Math.sin, and data must not.
 * Taylor's series on half a turn to either side; what follows its last term is below 10⁻¹⁵.
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
