import { assertOption } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { Random } from '../../base/random.js';
import { table } from '../../base/text-table.js';
import type { Numbers } from '../../base/values.js';
import type { Model } from '../../model/model.js';
import { mean } from '../accumulators.js';
import type { Shard } from '../batches.js';
import type { Session } from '../session.js';

/**
 * Options of `Trainer.checkGradients`.
 * @example const checks = await trainer.checkGradients(images, labels, { elements: 32, seed: 1 });
 */
export interface CheckGradientsOptions {
  /**
   * (samples): weights of the samples, as `Trainer.step` takes them. Default: 1 for each sample.
   * Example: `weights: [1, 2]`.
   */
  readonly weights?: Numbers | undefined;
  /**
   * Maximum number of elements to compare in each parameter tensor: a positive integer. Half of them have the largest
   * gradients, and the others are random. Default: 16.
   * Example: `elements: 10`.
   */
  readonly elements?: number | undefined;
  /** Seed for the random elements and the random direction: an integer ≥ 0. Default: 0. Example: `seed: 1`. */
  readonly seed?: number | undefined;
}

const NAMES: OptionNames<CheckGradientsOptions> = { weights: 1, elements: 1, seed: 1 };

/** The comparison of a parameter tensor's gradient with centred differences of the loss. */
export interface GradientCheck {
  /** Name of the parameter tensor, as in `Mlp.weights()`. */
  readonly name: string;
  /** Shape of the parameter tensor. */
  readonly shape: readonly number[];
  /**
   * Number of elements that were compared. The slope along one random direction through the whole tensor is compared
   * too.
   */
  readonly checked: number;
  /** Largest magnitude of an element of the analytic gradient. */
  readonly scale: number;
  /** The comparison with the largest `error`. */
  readonly worst: {
    /** Index of the element in the tensor, row by row; −1 for the random direction. */
    readonly index: number;
    /** Slope of the loss from the gradient that the kernels computed. */
    readonly analytic: number;
    /** Slope of the loss from centred differences. */
    readonly numeric: number;
  };
  /**
   * |analytic − numeric| of `worst`, minus the uncertainty of the differences (at least 0), divided by `scale`, or by
   * |numeric| if that is larger. For the random direction, the root mean square of the gradient takes the place of
   * `scale`.
   */
  readonly error: number;
  /** True if `error` is at most 0.01. */
  readonly passed: boolean;
}

/** The subject of a check: a loss that can be computed repeatedly, and the gradients to compare with it. */
interface Checked {
  readonly model: Model;
  /** The original parameters, in the layout of the model's flat tensor. */
  readonly values: Float32Array<ArrayBuffer>;
  /** The analytic gradients, in the same layout. */
  readonly gradients: Float32Array;
  /** Computes the mean loss of the batch with the current parameters of the model. */
  loss(): Promise<number>;
}

/** A line in the space of parameters, along which the loss is differentiated. */
interface Probe {
  /** Index of the only element that moves, in its tensor; −1 if all elements move. */
  readonly index: number;
  /** The speed of each element of the flat tensor that moves. */
  readonly moves: ReadonlyMap<number, number>;
}

/**
 * Half-widths h of the differences, relative to the parameter's size. The wide ones have less rounding, the narrow ones
 * less curvature.
 */
const WIDTHS = [2 ** -4, 2 ** -5, 2 ** -6];
/** Relative rounding error of a loss in float32: a few dozen roundings of 2⁻²⁴, which partly cancel. */
const LOSS_ROUNDING = 2 ** -21;
/** Maximum `error` of a gradient that passes. */
const TOLERANCE = 0.01;

/** Checks the gradients of a minibatch, which the session has just computed. @param shard the minibatch */
export async function checkGradients(
  session: Session,
  shard: Shard,
  options: CheckGradientsOptions,
): Promise<GradientChecks> {
  const { elements = 16, seed = 0 } = checkOptions('checkGradients', options, NAMES);
  assertOption('checkGradients:', { elements }, 'a positive integer');
  assertOption('checkGradients:', { seed }, 'an integer >= 0', 'bad-seed');
  const { model } = session;
  const { gradients: analytic, accumulators } = shard.source;
  const [values, gradients] = await Promise.all([model.flatParameters.read(), analytic.read()]);
  const loss = async (): Promise<number> => {
    session.replay('gradients', shard, 0, 1);
    return mean(await accumulators.losses.read(), shard.samples);
  };
  return await compare({ model, values, gradients, loss }, elements, seed);
}

/**
 * Compares gradients with (L(w + h) − L(w − h)) / 2h, and returns a row for each parameter tensor. The loss is float32,
 * so each difference has an uncertainty, which is estimated from three widths h and subtracted. A kink of the loss
 * within h adds to the uncertainty: the bend (L(w + h) − L(w))/h − (L(w) − L(w − h))/h shrinks with h where the loss is
 * smooth, and stays constant where its slope jumps. The parameters are restored at the end, also after an error.
 */
async function compare(checked: Checked, elements: number, seed: number): Promise<GradientChecks> {
  const { model, values, gradients } = checked;
  const random = new Random(seed);
  const checks: GradientCheck[] = [];
  try {
    const tensors = model.cut(gradients);
    const here = await checked.loss();
    for (const [number, { start, length }] of model.parameters.filter(({ trained }) => trained).entries()) {
      const { name = '', shape = [] } = tensors[number] ?? {};
      const own = gradients.subarray(start, start + length);
      const scale = own.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      const rootMeanSquare = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0) / length);
      const chosen = choose(own, elements, random);
      let [worst, error] = [{ index: 0, analytic: 0, numeric: 0 }, -1];
      for (const { index, moves } of [...chosen.map((i) => single(i, start)), direction(start, length, random)]) {
        let analytic = 0;
        for (const [element, speed] of moves) analytic += speed * (gradients[element] ?? 0);
        const { slope, uncertainty } = await numericSlope(checked, values, moves, here);
        const excess = Math.max(Math.abs(analytic - slope) - uncertainty, 0);
        const size = Math.max(index < 0 ? rootMeanSquare : scale, Math.abs(slope));
        const relative = excess === 0 ? 0 : excess / size;
        // The negated comparison makes NaN the worst error.
        if (!(relative <= error)) {
          worst = { index, analytic, numeric: slope };
          error = relative;
        }
      }
      checks.push({ name, shape, checked: chosen.length, scale, worst, error, passed: error <= TOLERANCE });
    }
  } finally {
    if (!model.parts.disposed) model.flatParameters.write(values);
  }
  return Object.assign(checks, { toString: () => printed(checks) });
}

/** The comparisons of all parameter tensors, in the order of `Mlp.weights()`. `toString()` gives a table. */
export type GradientChecks = readonly GradientCheck[];

/**
 * Computes the slope of the loss along a line, and its uncertainty.
 * @param here the loss with the original parameters
 */
async function numericSlope(
  { model, loss }: Checked,
  values: Float32Array<ArrayBuffer>,
  moves: Probe['moves'],
  here: number,
): Promise<{ slope: number; uncertainty: number }> {
  let size = 0;
  for (const [element, speed] of moves) size = Math.max(size, Math.abs((values[element] ?? 0) * speed));
  const slopes: number[] = [];
  const bends: number[] = [];
  let rounding = 0;
  for (const width of WIDTHS) {
    const h = width * Math.max(size, 0.5);
    const ahead = await lossAt(h);
    const behind = await lossAt(-h);
    slopes.push((ahead.loss - behind.loss) / (ahead.moved - behind.moved));
    bends.push((ahead.loss - here) / ahead.moved - (here - behind.loss) / -behind.moved);
    rounding = (Math.abs(ahead.loss) * LOSS_ROUNDING) / h;
  }
  const [wide = 0, middle = 0, narrow = 0] = slopes;
  // Richardson extrapolation: both slopes have an error in h², and that of the narrow one is a quarter of the other's.
  const slope = (4 * narrow - middle) / 3;
  const spread = 2 * Math.abs(wide - middle) + 2 * Math.abs(middle - narrow);
  // Half the width halves the bend where the loss is smooth, but not at a kink, where the slope is off by half the
  // jump.
  const [, bend = 0, half = 0] = bends;
  return { slope, uncertainty: spread + Math.abs(2 * half - bend) + rounding };

  async function lossAt(distance: number): Promise<{ loss: number; moved: number }> {
    const there = values.slice();
    let [moved, speeds] = [0, 0];
    for (const [element, speed] of moves) {
      const before = values[element] ?? 0;
      there[element] = before + distance * speed;
      // The distance moved differs from `distance`, because the sum is rounded to float32.
      moved += ((there[element] ?? 0) - before) * speed;
      speeds += speed * speed;
    }
    model.flatParameters.write(there);
    return { loss: await loss(), moved: moved / speeds };
  }
}

/** Moves a single element. */
const single = (index: number, start: number): Probe => ({ index, moves: new Map([[start + index, 1]]) });

/**
 * Moves each element forwards or backwards, at random. All elements together move as far as a single one does
 * (Euclidean norm).
 */
function direction(start: number, length: number, random: Random): Probe {
  const speed = 1 / Math.sqrt(length);
  const moves = new Map(Array.from({ length }, (_, i) => [start + i, random.bits() % 2 === 0 ? speed : -speed]));
  return { index: -1, moves };
}

/** Chooses elements: one half with the largest gradients, the other half at random. */
function choose(gradient: Float32Array, count: number, random: Random): number[] {
  const all = random.shuffled(gradient.length);
  if (count >= all.length) return [...all];
  const largest = all
    .slice()
    .sort((a, b) => Math.abs(gradient[b] ?? 0) - Math.abs(gradient[a] ?? 0))
    .slice(0, Math.ceil(count / 2));
  return [...new Set([...largest, ...all.slice(0, Math.floor(count / 2))])];
}

/** The table of the checks. */
function printed(checks: readonly GradientCheck[]): string {
  const rows = checks.map(({ name, shape, checked, worst, error, passed }) => [
    name,
    shape.join('×'),
    `${checked}`,
    worst.analytic.toExponential(3),
    worst.numeric.toExponential(3),
    `${(100 * error).toFixed(2)} %`,
    passed ? 'right' : 'WRONG',
  ]);
  return table(['parameter', 'shape', 'elements', 'analytic', 'numeric', 'error', ''], rows);
}
