import { expect } from 'vitest';
import { type Gpu, type Layer, type Loss, Mlp, type Optimizer, type Trainer, type Weight } from '../../../src/index.js';
import { Random } from '../../../src/random.js';
import { compareTensors, FACTOR, type Sensitivity, sensitivityOf } from './sensitivity.js';
import type { Batch, Problem } from './training.js';

/** What a loss is told of each sample. */
export type TargetKind = 'classes' | 'probabilities' | 'bits' | 'numbers';

/** A training that the library and the reference both do. */
export interface ParityCase {
  readonly inputs: number;
  readonly layers: readonly Layer[];
  readonly loss: Loss;
  readonly targets: TargetKind;
  readonly optimizer: Optimizer;
  readonly batch: number;
  /** Rows of the steps, in turn; all are full if there are none. */
  readonly rows?: readonly number[];
  readonly steps: number;
  /** Fewer for large networks, whose tensors have many elements. */
  readonly samples?: number;
}

/** The element that was furthest from the reference, relative to its tensor's largest, of all that a table compared. */
interface Worst {
  relative: number;
  /** The error beside its bound. */
  share: number;
  /** The loosest bound, relative to its tensor's largest element. */
  bound: number;
  where: string;
}

/** What is aimed at, relative to a tensor's largest element. */
const AIM = 1e-5;

/** Collects how far each table's cases are from the reference. */
export class ParityReport {
  readonly #tables: Map<string, Worst> = new Map<string, Worst>();

  add(table: string, where: string, error: number, bound: number, largest: number): void {
    const worst = this.#tables.get(table) ?? { relative: 0, share: 0, bound: 0, where: 'everything is exact' };
    this.#tables.set(table, worst);
    worst.share = Math.max(worst.share, bound === 0 ? 0 : error / bound);
    // What cancels to nothing but roundings has no size of its own to compare with.
    if (largest <= bound) return;
    worst.bound = Math.max(worst.bound, bound / largest);
    if (error / largest <= worst.relative) return;
    worst.relative = error / largest;
    worst.where = where;
  }

  /** A line for each table. */
  toString(): string {
    return [...this.#tables]
      .map(([table, { relative, share, bound, where }]) => {
        const verdict = relative <= AIM ? '' : `, MORE than the ${AIM} aimed at`;
        return (
          `parity, ${table}: worst ${relative.toExponential(1)} of a tensor's largest element${verdict} (${where}); ` +
          `${Math.round(100 * share)} % of its bound at most, bounds up to ${bound.toExponential(1)}`
        );
      })
      .join('\n');
  }
}

/**
 * Trains on the GPU and by the reference, from the same parameters and with the same batches. Compared are, for each step,
 * loss, outputs and every gradient before the update, and every parameter after it.
 * @param name of the case, for messages
 */
export async function expectParity(
  gpu: Gpu,
  parityCase: ParityCase,
  report: ParityReport,
  table: string,
  name: string,
): Promise<void> {
  const { inputs, layers, loss, optimizer, batch } = parityCase;
  using model = await Mlp.create(gpu, { inputs, layers, seed: 1 });
  const { problem, sensitivity, seed } = clearProblem(parityCase, model.spec.layers, await model.weights());
  model.setWeights(problem.parameters);
  using trainer = await model.trainer({ loss, optimizer, batchSize: batch });
  for (const [index, step] of problem.batches.entries()) {
    const actual = await trainStep(model, trainer, step, index + 1);
    for (const { name: tensor, error, bound, largest } of compareTensors(sensitivity, actual)) {
      report.add(table, `${name}, ${tensor}`, error, bound, largest);
      const message = `${name}, ${tensor}: off by ${error}, bound ${bound}, largest element ${largest} (seed ${seed})`;
      expect(error, message).toBeLessThanOrEqual(bound);
    }
  }
}

/** A step, and everything it computed, by the names of `tensorsOf`. */
async function trainStep(
  model: Mlp,
  trainer: Trainer,
  { inputs, targets }: Batch,
  step: number,
): Promise<Map<string, ArrayLike<number>>> {
  const outputs = await model.predict(inputs, { output: 'logits' });
  const { loss, gradients } = await trainer.gradients(inputs, targets);
  trainer.step(inputs, targets);
  const [lossOfStep, weights] = await Promise.all([trainer.loss(), model.weights()]);
  // `gradients` runs the plain kernels, a step the fused ones.
  expect(Math.abs(loss - lossOfStep)).toBeLessThanOrEqual(1e-5 * Math.abs(loss) + 1e-6);
  return new Map<string, ArrayLike<number>>([
    [`${step}: outputs`, outputs],
    [`${step}: loss`, [lossOfStep]],
    ...gradients.map(({ name, data }) => [`${step}: d${name}`, data] as const),
    ...weights.map(({ name, data }) => [`${step}: ${name}`, data] as const),
  ]);
}

/** Seeds that are tried before a case is given up: at a kink rounding decides, and there is nothing to compare. */
const SEEDS = 40;

/** Parameters and batches that keep clear of kinks, and what the reference makes of them. */
function clearProblem(
  parityCase: ParityCase,
  layers: Problem['layers'],
  shapes: readonly Weight[],
): { readonly problem: Problem; readonly sensitivity: Sensitivity; readonly seed: number } {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const problem = drawProblem(parityCase, layers, shapes, seed);
    const sensitivity = sensitivityOf(problem, parityCase.samples, seed);
    if (sensitivity.nearestKink > FACTOR) return { problem, sensitivity, seed };
  }
  throw new Error(`No data of ${SEEDS} seeds keep clear of kinks: take fewer rows, steps or units.`);
}

/** float32 numbers at random; parameters keep what is no weight and no bias, such as variances. */
function drawProblem(
  { inputs, loss, optimizer, targets, batch, rows, steps }: ParityCase,
  layers: Problem['layers'],
  shapes: readonly Weight[],
  seed: number,
): Problem {
  const random = new Random(seed);
  const draw = (count: number, deviation: number): Float32Array =>
    Float32Array.from({ length: count }, () => deviation * random.normal());
  const parameters = shapes.map(({ name, shape, data }) => {
    const [fanIn = 1, fanOut] = shape;
    if (fanOut !== undefined) return { name, shape, data: draw(data.length, 1 / Math.sqrt(fanIn)) };
    return { name, shape, data: name.endsWith('.bias') ? draw(data.length, 0.3) : data };
  });
  const outputs = shapes.findLast(({ shape }) => shape.length === 2)?.shape[1] ?? inputs;
  const batches = Array.from({ length: steps }, (_, step) => {
    const count = rows?.[step % rows.length] ?? batch;
    return { inputs: draw(count * inputs, 1), rows: count, targets: drawTargets(targets, count, outputs, random) };
  });
  return { layers, parameters, loss: loss.spec, optimizer: optimizer.spec, batches };
}

function drawTargets(kind: TargetKind, rows: number, outputs: number, random: Random): Float32Array {
  const draw = (count: number, compute: () => number): Float32Array => Float32Array.from({ length: count }, compute);
  if (kind === 'classes') return draw(rows, () => random.integer(outputs));
  if (kind === 'bits') return draw(rows * outputs, () => random.integer(2));
  if (kind === 'numbers') return draw(rows * outputs, () => random.normal());
  const targets = draw(rows * outputs, () => random.uniform(0.1, 1));
  for (let row = 0; row < rows; row++) {
    const probabilities = targets.subarray(row * outputs, (row + 1) * outputs);
    const sum = probabilities.reduce((total, value) => total + value, 0);
    for (const [k, value] of probabilities.entries()) probabilities[k] = value / sum;
  }
  return targets;
}
