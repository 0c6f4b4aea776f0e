import { DataError, LimitError, MlpError, ShapeError } from './errors.js';

/** What a number must be, as messages say it. */
export type Kind =
  | 'a positive integer'
  | 'an integer ≥ 0'
  | 'a finite number'
  | 'a finite number ≥ 0'
  | 'a positive float32 number'
  | 'a number in [0, 1)'
  | 'a number in [0, 1]';
/** On the GPU, where all numbers go. */
const isFloat32 = (value: number): boolean => Number.isFinite(Math.fround(value));
const kinds: Readonly<Record<Kind, (value: number) => boolean>> = {
  'a positive integer': (value) => Number.isSafeInteger(value) && value > 0,
  'an integer ≥ 0': (value) => Number.isSafeInteger(value) && value >= 0,
  'a finite number': isFloat32,
  'a finite number ≥ 0': (value) => isFloat32(value) && value >= 0,
  // A GPU may take a subnormal for zero.
  'a positive float32 number': (value) => isFloat32(value) && value >= 2 ** -126,
  'a number in [0, 1)': (value) => value >= 0 && value < 1,
  'a number in [0, 1]': (value) => value >= 0 && value <= 1,
};

/**
 * Checks numbers by their names: `assertOption('trainer:', { batchSize }, 'a positive integer', 'shape')`.
 * @throws {MlpError} with the code that is given; a `ShapeError` for `shape`
 */
export function assertOption(
  where: string,
  numbers: Readonly<Record<string, unknown>>,
  kind: Kind,
  code = 'bad-option',
): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value === 'number' && kinds[kind](value)) continue;
    const message = `${where} ${name} = ${String(value)}; ${name} must be ${kind}.`;
    throw code === 'shape' ? new ShapeError(message) : new MlpError(code, message);
  }
}

/**
 * Checks that a value can do what it is wanted for: JavaScript lets a name pass, or a function that was not called.
 * @param like what to write instead
 * @throws {MlpError}
 */
export function assertMethod<Method extends string>(
  where: string,
  value: Readonly<Partial<Record<Method, unknown>>> | undefined,
  method: Method,
  like: string,
  code = 'bad-option',
): void {
  if (typeof value?.[method] === 'function') return;
  const what = typeof value === 'function' ? 'a function' : String(value);
  throw new MlpError(code, `${where} is ${what}; it must be a value like ${like}.`);
}

/** A kernel takes a workgroup a row in some dimension. @throws {ShapeError|LimitError} */
export function checkBatchSize(
  where: string,
  batchSize: number,
  limits: { readonly maxComputeWorkgroupsPerDimension: number },
): void {
  assertOption(where, { batchSize }, 'a positive integer', 'shape');
  const most = limits.maxComputeWorkgroupsPerDimension;
  if (batchSize > most) {
    throw new LimitError(
      `${where} batchSize = ${batchSize}, but this GPU allows ${most} workgroups in a dimension (maxComputeWorkgroupsPerDimension), one for each row. Use a smaller batch.`,
    );
  }
}

/** @throws {DataError} that says which row and column is not finite */
export function checkFinite(
  name: string,
  values: ArrayLike<number>,
  columns: number,
  original: ArrayLike<number> = values,
): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new DataError(
        `${name} at row ${Math.floor(i / columns)}, column ${i % columns} is ${String(original[i])}; it must be a finite float32 number.`,
      );
    }
  }
}

/** Checks a list of weights by its name: finite in float32, ≥ 0, and not all 0. @throws {MlpError} `bad-loss` that says which is not */
export function checkWeights(where: string, lists: Readonly<Record<string, readonly number[]>>): void {
  for (const [name, weights] of Object.entries(lists)) {
    // What is no list has no weights.
    const all = Array.from(weights);
    const bad = all.findIndex((weight) => typeof weight !== 'number' || !(weight >= 0 && isFloat32(weight)));
    if (bad < 0 && all.some((weight) => weight > 0)) continue;
    const what = bad < 0 ? 'has no weight above 0' : `has ${String(all[bad])} at ${bad}`;
    throw new MlpError('bad-loss', `${where}: ${name} ${what}; weights must be finite, ≥ 0, and not all 0.`);
  }
}

/** A shape as messages write it: (2, 3). */
export function formatShape(shape: readonly number[]): string {
  return `(${shape.join(', ')})`;
}

/** The product of a shape's sizes. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
