import { monteCarloArithmetic } from './arithmetic.js';
import type { Kink } from './layers.js';
import { type Problem, type TrainedStep, trainReference } from './training.js';

/**
 * Bounds on the deviation of float32 from the float64 reference, tensor by tensor, estimated by Monte-Carlo arithmetic:
 * the same training is run several times with every result off by ±2⁻²⁴, and the largest deviation that any element had
 * is kept.
 *
 * A multiple of this deviation is a sound bound for a test. To first order the error of an element is Σ cᵢδᵢ over all
 * operations i, with the same cᵢ on the GPU and in the samples, as long as both form the same quantities. In a sample
 * |δᵢ| is 2⁻²⁴, which rounding to nearest never exceeds (its standard deviation is 0.43 of that); so a sample's errors
 * have at least the spread of a device's. Sums are the exception: a sample adds in the order of K, sequentially, which
 * is no better than the tiles and slices of a shader. WGSL allows either neighbour (2⁻²³) and functions of several
 * ulps; FACTOR = 8 is for those, and for how little the largest of a few samples says where a tensor has one element:
 * eight samples of a normal error all stay below an eighth of 3σ once in 20 000 times. The term 1e-6·max|tensor| is for
 * what is no function of the data, such as a hyperparameter rounded to float32.
 *
 * Limits. Errors on a device repeat, they are not drawn: a shader's approximation that is off to one side by more than
 * `call` says shows here as a failure, which is what a test is for. And it is first order: at a kink (relu, abs, step,
 * maxout, the absolute error) rounding decides a branch, no multiple of a small deviation covers the jump, and samples find
 * it only by luck. `nearestKink` tells how many deviations the closest value is away; below FACTOR the data must be drawn anew.
 */
export interface Sensitivity {
  readonly steps: readonly TrainedStep[];
  /** For each tensor of `tensorsOf(steps)`, the largest deviation of an element in any sample. */
  readonly deviations: ReadonlyMap<string, number>;
  /** The smallest distance from a kink, in deviations of the values there; Infinity where there are none. */
  readonly nearestKink: number;
}

/** Largest deviations times this, and so many deviations from a kink: see above. */
export const FACTOR = 8;
const FLOOR = 1e-6;

/** Everything that a training computed, by name: `2: outputs`, `2: loss`, `2: d0.weight`, `2: 0.weight` for step 2. */
export function tensorsOf(steps: readonly TrainedStep[]): Map<string, Float64Array> {
  const tensors = new Map<string, Float64Array>();
  for (const [index, { outputs, loss, penalty, gradients, parameters }] of steps.entries()) {
    tensors.set(`${index + 1}: outputs`, outputs);
    tensors.set(`${index + 1}: loss`, Float64Array.of(loss + penalty));
    for (const { name, data } of gradients) tensors.set(`${index + 1}: d${name}`, data);
    for (const { name, data } of parameters) tensors.set(`${index + 1}: ${name}`, data);
  }
  return tensors;
}

/** The reference of a training, and how sensitive each of its tensors is. */
export function sensitivityOf(problem: Problem, samples = 8, seed = 1): Sensitivity {
  const steps = trainReference(problem);
  const exact = tensorsOf(steps);
  const kinks = kinksOf(steps);
  const deviations = new Map<string, number>();
  const kinkDeviations = kinks.map(({ distances }) => new Float64Array(distances.length));
  for (let sample = 0; sample < samples; sample++) {
    const perturbed = trainReference(problem, monteCarloArithmetic(seed * 1000 + sample));
    for (const [name, values] of tensorsOf(perturbed)) {
      const deviation = largestDifference(values, exact.get(name) ?? new Float64Array());
      deviations.set(name, Math.max(deviation, deviations.get(name) ?? 0));
    }
    for (const [number, { distances }] of kinksOf(perturbed).entries()) {
      const largest = kinkDeviations[number];
      const expected = kinks[number]?.distances;
      if (largest === undefined || expected === undefined) throw new RangeError('Samples have other kinks.');
      for (const [i, value] of distances.entries()) {
        largest[i] = Math.max(largest[i]!, Math.abs(value - expected[i]!));
      }
    }
  }
  const nearest = kinks.map((kink, number) => nearestOf(kink, kinkDeviations[number] ?? new Float64Array()));
  return { steps, deviations, nearestKink: Math.min(Infinity, ...nearest) };
}

const kinksOf = (steps: readonly TrainedStep[]): Kink[] => steps.flatMap(({ kinks }) => [...kinks]);

/**
 * The smallest distance in deviations; that of an element in eight samples is taken together with its tensor's, as it may be
 * small by chance. An element that never moved is exact, and is where it is.
 */
function nearestOf({ distances }: Kink, deviations: Float64Array): number {
  const typical = largestOf(deviations);
  let nearest = Infinity;
  for (const [i, distance] of distances.entries()) {
    if (deviations[i] !== 0) nearest = Math.min(nearest, Math.abs(distance) / typical);
  }
  return nearest;
}

function largestDifference(values: Float64Array, expected: Float64Array): number {
  if (values.length !== expected.length) throw new RangeError('Samples have other shapes than the reference.');
  let largest = 0;
  for (const [i, value] of values.entries()) {
    const difference = Math.abs(value - expected[i]!);
    if (!(difference <= largest)) largest = difference; // a NaN stays
  }
  return largest;
}

/** A tensor's largest element. */
function largestOf(values: Float64Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** The deviation of a device's tensor from the reference, and its bound. */
export interface Comparison {
  readonly name: string;
  readonly error: number;
  readonly bound: number;
  /** The tensor's largest element in the reference. */
  readonly largest: number;
}

/** Compares the tensors that were computed elsewhere, by their names in `tensorsOf`. @throws {RangeError} for a name that is not there */
export function compareTensors(
  { steps, deviations }: Sensitivity,
  actual: ReadonlyMap<string, ArrayLike<number>>,
): Comparison[] {
  const expected = tensorsOf(steps);
  return [...actual].map(([name, values]) => {
    const reference = expected.get(name);
    if (reference === undefined) throw new RangeError(`The reference has no "${name}", but ${[...expected.keys()]}.`);
    const largest = largestOf(reference);
    const error = largestDifference(Float64Array.from(values), reference);
    return { name, error, largest, bound: FACTOR * (deviations.get(name) ?? 0) + FLOOR * largest };
  });
}
