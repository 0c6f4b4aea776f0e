// @ts-check
// JavaScript, so that the command can check a file before it bundles the bench and measures for minutes.

/** @typedef {import('../case.js').Report} Report */
/**
 * Checks a value; returns a description of what is wrong, or undefined.
 * @typedef {(value: unknown, path: string) => string | undefined} Check
 */

/** A file is not a report that this bench can read. The message names the file, in whole sentences. */
export class ReportError extends Error {
  /** @override */
  name = 'ReportError';
}

/** @param {unknown} value */
function described(value) {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * @param {string} what
 * @param {(value: unknown) => boolean} holds
 * @returns {Check}
 */
const is = (what, holds) => (value, path) =>
  holds(value) ? undefined : `${path} is ${described(value)}; expected ${what}.`;

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const text = is('a text', (value) => typeof value === 'string');
const flag = is('true or false', (value) => typeof value === 'boolean');
const number = is('a number', (value) => typeof value === 'number');
const amount = is('a number ≥ 0', (value) => typeof value === 'number' && value >= 0);
const date = is('a date', (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)));

/** @param {...string} words */
const oneOf = (...words) => is(`one of ${words.join(', ')}`, (value) => words.some((word) => word === value));

/**
 * @param {Check} check
 * @returns {Check}
 */
const optional = (check) => (value, path) => (value === undefined ? undefined : check(value, path));

/**
 * @param {Check} check
 * @returns {Check}
 */
const list = (check) => (value, path) =>
  Array.isArray(value)
    ? first(value, (element, place) => check(element, `${path}[${place}]`))
    : `${path} is ${described(value)}; expected a list.`;

/**
 * @param {Check} check
 * @returns {Check}
 */
const each = (check) => (value, path) =>
  isRecord(value)
    ? first(Object.entries(value), ([key, element]) => check(element, `${path}["${key}"]`))
    : `${path} is ${described(value)}; expected an object.`;

/**
 * Checks the named members of an object. Other members are allowed, because a newer bench may write more.
 * @param {Readonly<Record<string, Check>>} members
 * @returns {Check}
 */
const object = (members) => (value, path) =>
  isRecord(value)
    ? first(Object.entries(members), ([key, check]) => check(value[key], path === '' ? key : `${path}.${key}`))
    : `${path || 'The whole'} is ${described(value)}; expected an object.`;

/**
 * @template T
 * @param {readonly T[]} elements
 * @param {(element: T, place: number) => string | undefined} wrong
 */
function first(elements, wrong) {
  for (const [place, element] of elements.entries()) {
    const found = wrong(element, place);
    if (found !== undefined) return found;
  }
  return undefined;
}

const result = object({
  case: text,
  group: oneOf('adapter', 'kernel', 'training', 'prediction', 'start'),
  contender: text,
  samples: list(number),
  median: number,
  p25: number,
  p75: number,
  flops: optional(amount),
  bytes: optional(amount),
  gflops: optional(number),
  gbps: optional(number),
  shareOfPeak: optional(number),
  bound: optional(oneOf('compute', 'memory', 'launch')),
  compileMs: optional(amount),
  dispatches: optional(amount),
  gpuBytes: optional(amount),
  chosen: optional(flag),
  ratio: optional(each(number)),
  value: optional(number),
  unit: optional(text),
  error: optional(text),
});

/**
 * Checks that a result has samples or an error, and that its quartiles are in order.
 * @type {Check}
 */
function sound(value, path) {
  const wrong = result(value, path);
  if (wrong !== undefined) return wrong;
  const { samples, p25, median, p75, error } = /** @type {Report['results'][number]} */ (value);
  if (error !== undefined) return undefined;
  if (samples.length === 0) return `${path} has neither samples nor an error.`;
  return p25 <= median && median <= p75
    ? undefined
    : `${path} has quartiles ${p25} and ${p75} around a median of ${median}.`;
}

const report = object({
  date,
  commit: text,
  settings: object({ quick: flag, full: flag, only: text }),
  environment: object({
    adapter: object({ vendor: text, architecture: text, description: text, software: flag }),
    runtime: text,
    cpu: optional(text),
    versions: each(text),
    limits: each(number),
  }),
  results: list(sound),
});

/**
 * Parses and checks a report that --json has written.
 * @param {string} source contents of the file
 * @param {string} name the file's name, for the error message
 * @returns {Report}
 * @throws {ReportError}
 */
export function readReport(source, name) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(source);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ReportError(`${name} is not JSON: ${reason}. Pass a file that the bench wrote with --json.`, { cause });
  }
  const schema = isRecord(value) ? value.schema : undefined;
  if (schema === undefined) {
    throw new ReportError(`${name} is no report of this bench: it has no schema. Pass a file written with --json.`);
  }
  if (schema !== 1) {
    throw new ReportError(`${name} has schema ${described(schema)}, and this bench reads schema 1. Measure it again.`);
  }
  const wrong = report(value, '');
  if (wrong !== undefined) throw new ReportError(`${name} is no sound report: ${wrong}`);
  return /** @type {Report} */ (value);
}
