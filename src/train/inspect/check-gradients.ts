import { assertOption } from '../../base/check.js';
import { Random } from '../../base/random.js';
import { table } from '../../base/text-table.js';
import type { Model } from '../../model/model.js';
import { mean } from '../accumulators.js';
import type { Shard } from '../batches.js';
import type { Session } from '../session.js';

export interface CheckGradientsOptions {
  /** Of the samples, as `step` takes them. */
  readonly weights?: ArrayLike<number>;
  /** Elements of each parameter tensor that are compared; half of them those of the largest gradients. */
  readonly elements?: number;
  /** Decides which elements, beside the largest. */
  readonly seed?: number;
}

/** A parameter tensor's gradient, compared with centred differences. */
export interface GradientCheck {
  readonly name: string;
  readonly shape: readonly number[];
  /** Elements that were compared; there is also one random direction through all of them. */
  readonly checked: number;
  /** The largest magnitude of the analytic gradient. */
  readonly scale: number;
  /** Where analytic and numeric value are furthest outside of what rounding explains; −1 is the random direction. */
  readonly worst: { readonly index: number; readonly analytic: number; readonly numeric: number };
  /**
   * |analytic − numeric| of the worst, less what the differences are uncertain by, relative to `scale`; for the random
   * direction, to the root mean square of the gradient.
   */
  readonly error: number;
  /** Whether `error` is at most 1 %. */
  readonly passed: boolean;
}

/** What is checked: a loss that can be computed again and again, and gradients that claim to be its own. */
interface Checked {
  readonly model: Model;
  /** Parameters and gradients, both in the layout of the model's flat tensor. */
  readonly values: Float32Array<ArrayBuffer>;
  readonly gradients: Float32Array;
  /** The mean loss of the batch with the parameters that the model has now. */
  loss(): Promise<number>;
}

/** A straight line through the parameters. */
interface Probe {
  readonly index: number;
  /** Elements of the flat tensor, and how fast each moves. */
  readonly moves: ReadonlyMap<number, number>;
}

/** Half-widths of the differences, relative to the parameter's size: from where rounding is small to where curvature is. */
const WIDTHS = [2 ** -4, 2 ** -5, 2 ** -6];
/** Rounding of a loss in float32, as a multiple of itself: a few dozen roundings of 2⁻²⁴ that do not all add up. */
const LOSS_ROUNDING = 2 ** -21;
const WRONG = 0.01;

/** Checks the gradients that a minibatch has just given. @param shard the minibatch */
export async function checkGradients(
  session: Session,
  shard: Shard,
  options: CheckGradientsOptions,
): Promise<GradientChecks> {
  const { elements = 16, seed = 0 } = options;
  assertOption('checkGradients:', { elements }, 'a positive integer');
  assertOption('checkGradients:', { seed }, 'an integer ≥ 0', 'bad-seed');
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
 * Compares gradients with (L(w + h) − L(w − h)) / 2h, a row for each parameter tensor. The loss is float32, so each
 * difference has an uncertainty, which is estimated from three widths h and forgiven; so is a kink within h: (L(w + h) − L(w))/h
 * less (L(w) − L(w − h))/h shrinks with h where the loss is smooth, and stays what it is where its slope jumps.
 * The model has its parameters back at the end, whatever happens.
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
        // A NaN is the worst of all.
        if (!(relative <= error)) {
          worst = { index, analytic, numeric: slope };
          error = relative;
        }
      }
      checks.push({ name, shape, checked: chosen.length, scale, worst, error, passed: error <= WRONG });
    }
  } finally {
    if (!model.parts.disposed) model.flatParameters.write(values);
  }
  return Object.assign(checks, { toString: () => printed(checks) });
}

/** A row for each parameter tensor; `toString()` is a table. */
export type GradientChecks = readonly GradientCheck[];

/** The slope of the loss along a line, and how far off it may be. @param here the loss where the line begins */
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
  // Both have an error in h², three quarters of which the smaller width is without.
  const slope = (4 * narrow - middle) / 3;
  const spread = 2 * Math.abs(wide - middle) + 2 * Math.abs(middle - narrow);
  // Half the width, half the bend, but for a kink: half its jump is what the slope is off by.
  const [, bend = 0, half = 0] = bends;
  return { slope, uncertainty: spread + Math.abs(2 * half - bend) + rounding };

  async function lossAt(distance: number): Promise<{ loss: number; moved: number }> {
    const there = values.slice();
    let [moved, speeds] = [0, 0];
    for (const [element, speed] of moves) {
      const before = values[element] ?? 0;
      there[element] = before + distance * speed;
      // What float32 made of it.
      moved += ((there[element] ?? 0) - before) * speed;
      speeds += speed * speed;
    }
    model.flatParameters.write(there);
    return { loss: await loss(), moved: moved / speeds };
  }
}

const single = (index: number, start: number): Probe => ({ index, moves: new Map([[start + index, 1]]) });

/** Every element moves, forwards or backwards, and all of them together as far as a single one does. */
function direction(start: number, length: number, random: Random): Probe {
  const speed = 1 / Math.sqrt(length);
  const moves = new Map(Array.from({ length }, (_, i) => [start + i, random.bits() % 2 === 0 ? speed : -speed]));
  return { index: -1, moves };
}

/** Where the gradient is largest, and anywhere. */
function choose(gradient: Float32Array, count: number, random: Random): number[] {
  const all = random.shuffled(gradient.length);
  if (count >= all.length) return [...all];
  const largest = all
    .slice()
    .sort((a, b) => Math.abs(gradient[b] ?? 0) - Math.abs(gradient[a] ?? 0))
    .slice(0, Math.ceil(count / 2));
  return [...new Set([...largest, ...all.slice(0, Math.floor(count / 2))])];
}

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
