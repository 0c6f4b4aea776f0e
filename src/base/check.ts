import { LimitError, MlpError, ShapeError } from './errors.js';

/**
 * Condition on a value, worded as error messages state it, but in ASCII. Chunks of an app can be decoded by different
 * charsets, and then a key with "≥" in one chunk is not the "≥" of another.
 */
export type Kind =
  | 'true or false'
  | 'a function'
  | 'a positive integer'
  | 'an integer >= 0'
  | 'a finite number'
  | 'a finite number >= 0'
  | 'a positive float32 number'
  | 'a number in [0, 1)'
  | 'a number in [0, 1]';
/** True if the value is finite after it is rounded to float32, the type of all numbers on the GPU. */
export const isFloat32 = (value: number): boolean => Number.isFinite(Math.fround(value));
/** Values of `typeof` that meet the conditions which are not on numbers. */
const types = { 'true or false': 'boolean', 'a function': 'function' } as const;
/** Test of each condition on a number. */
const conditions: Readonly<Record<Exclude<Kind, keyof typeof types>, (value: number) => boolean>> = {
  'a positive integer': (value) => Number.isSafeInteger(value) && value > 0,
  'an integer >= 0': (value) => Number.isSafeInteger(value) && value >= 0,
  'a finite number': isFloat32,
  'a finite number >= 0': (value) => isFloat32(value) && value >= 0,
  // A GPU may flush subnormal numbers, those below 2⁻¹²⁶, to zero.
  'a positive float32 number': (value) => isFloat32(value) && value >= 2 ** -126,
  'a number in [0, 1)': (value) => value >= 0 && value < 1,
  'a number in [0, 1]': (value) => value >= 0 && value <= 1,
};

/** Longest text of a value in a message, in characters. */
const SHOWN_LENGTH = 40;

/** Name of a value's type with its article, for messages: `a string`, `an array`, `a Float32Array`, `an object`. */
export function typeName(value: unknown): string {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const name = typeof value !== 'object' ? typeof value : /^(?:Array|Object|Null)$/.test(tag) ? tag.toLowerCase() : tag;
  return `${/^(?:[aeio]|HTML)/i.test(name) ? 'an' : 'a'} ${name}`;
}

/** Literal of a value that is short enough for messages: `"3"`, `2n`, `NaN`; undefined for an object or a function. */
function literal(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value);
  }
  if (typeof value === 'bigint') return `${value}n`;
  return value === null || !/object|function|symbol/.test(typeof value) ? String(value) : undefined;
}

/** True for a value whose literal shows its type. */
const isPlain = (value: unknown): boolean => typeof value === 'number' || value === undefined || value === null;

/** Describes a value for messages: `NaN`, `null`, `"3" (a string)`, `true (a boolean)`, `an array`. */
export function describe(value: unknown): string {
  const text = literal(value);
  if (text === undefined) return `${typeName(value)}${value instanceof Promise ? ' that is not awaited' : ''}`;
  return isPlain(value) ? text : `${text} (${typeName(value)})`;
}

/** States the value of an option for messages: `fit: epochs = -1`, or `fit: epochs = "3" is a string`. */
export function assigned(where: string, name: string, value: unknown): string {
  const text = literal(value);
  const equals = text === undefined ? name : `${name} = ${text}`;
  // "has units = "64" is a string" is no sentence.
  return isPlain(value)
    ? `${where} ${equals}`
    : `${where.replace(/ (?:has|with)$/, ':')} ${equals} is ${typeName(value)}`;
}

/**
 * Checks each of the named values: `assertOption('trainer:', { batchSize }, 'a positive integer', 'shape')`.
 * @param where the beginning of the error message
 * @throws {MlpError} with the given code if a value does not meet the condition; a `ShapeError` if the code is `shape`
 */
export function assertOption(
  where: string,
  values: Readonly<Record<string, unknown>>,
  kind: Kind,
  code = 'bad-option',
): void {
  for (const [name, value] of Object.entries(values)) {
    if (kind === 'true or false' || kind === 'a function') {
      if (typeof value === types[kind]) continue;
    } else if (typeof value === 'number' && conditions[kind](value)) continue;
    const message = `${assigned(where, name, value)}; ${name} must be ${kind.replace('>=', '≥')}.`;
    throw code === 'shape' ? new ShapeError(message) : new MlpError(code, message);
  }
}

/**
 * Checks that each of the named values is one of the words: `assertWord('cosine:', { per }, ['step', 'epoch'])`.
 * @param where the beginning of the error message
 * @throws {MlpError} with the given code
 */
export function assertWord(
  where: string,
  values: Readonly<Record<string, unknown>>,
  words: readonly string[],
  code = 'bad-option',
): void {
  for (const [name, value] of Object.entries(values)) {
    if (words.some((word) => word === value)) continue;
    const text = typeof value === 'string' ? `${where} ${name} = ${literal(value)}` : assigned(where, name, value);
    const list = words.map((word) => `"${word}"`).join(', ');
    throw new MlpError(code, `${text}; ${name} must be ${list.replace(/, ("[^"]*")$/, ' or $1')}.`);
  }
}

/**
 * Checks that a value is a list, of any length.
 * @param where the beginning of the error message
 * @param like an example of a correct value, for the message
 * @throws {MlpError} with the given code
 */
export function assertList(where: string, name: string, value: unknown, like: string, code = 'bad-option'): void {
  if (Array.isArray(value)) return;
  throw new MlpError(code, `${assigned(where, name, value)}; ${name} must be a list, such as ${like}.`);
}

/**
 * Checks that a value has the method that its caller will use. Without TypeScript an app can pass a name ("relu") or a
 * function that it forgot to call (`dense`) in place of an object.
 * @param where the beginning of the error message
 * @param like an example of a correct value, for the message
 * @throws {MlpError} with the given code if the value does not have the method
 */
export function assertMethod<Method extends string>(
  where: string,
  value: Readonly<Partial<Record<Method, unknown>>> | null | undefined,
  method: Method,
  like: string,
  code = 'bad-option',
): void {
  if (typeof value?.[method] === 'function') return;
  throw new MlpError(code, `${where} is ${describe(value)}; it must be a value like ${like}.`);
}

/**
 * Checks the signal that stops an operation, if there is one.
 * @throws {MlpError} `bad-option`, also for an AbortController in the place of its signal
 */
export function assertSignal(where: string, signal: AbortSignal | undefined): void {
  const { aborted, addEventListener }: Partial<AbortSignal> = Object(signal);
  if (signal === undefined || (typeof aborted === 'boolean' && typeof addEventListener === 'function')) return;
  const remedy = 'signal' in Object(signal) ? ' Pass controller.signal.' : '';
  throw new MlpError('bad-option', `${assigned(where, 'signal', signal)}; signal must be an AbortSignal.${remedy}`);
}

/**
 * Checks that a constructor was called by the library. TypeScript knows that it is private, plain JavaScript does not.
 * @param part an argument of the constructor
 * @param member a name that only the right argument has
 * @param how the public call that makes an object of the class, for the message
 */
export function assertMade(className: string, part: unknown, member: string, how: string): void {
  if (typeof part === 'object' && part !== null && member in part) return;
  throw new MlpError('bad-option', `new ${className}: the constructor is private. Use ${how}.`);
}

/**
 * Checks a batch size against the device: some kernels use one workgroup for each row in one dimension of their grid.
 * @throws {ShapeError} if it is not a positive integer
 * @throws {LimitError} if it exceeds `maxComputeWorkgroupsPerDimension`
 */
export function checkBatchSize(
  where: string,
  batchSize: number,
  limits: { readonly maxComputeWorkgroupsPerDimension: number },
): void {
  assertOption(where, { batchSize }, 'a positive integer', 'shape');
  const most = limits.maxComputeWorkgroupsPerDimension;
  if (batchSize > most) {
    throw new LimitError(
      `${where} batchSize = ${batchSize}, but this GPU allows ${most} workgroups in a dimension (maxComputeWorkgroupsPerDimension), one for each row. Use a smaller batch${where === 'trainer:' ? ', and accumulate several in a step' : ''}.`,
    );
  }
}

/** Formats a shape for messages: `(2, 3)`. */
export function formatShape(shape: readonly number[]): string {
  return `(${shape.join(', ')})`;
}

/** Number of elements of a shape: the product of its sizes. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
