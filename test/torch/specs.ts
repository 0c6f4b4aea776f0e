/** The spec of a model, a loss or an optimizer: plain data, as the library's `spec` gives it. */
export interface Spec {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** An option that is a number. @throws {TypeError} if it is there and is none, or is not there and has no default */
export function numberOf(spec: Spec, option: string, fallback?: number): number {
  const value = spec[option] ?? fallback;
  if (typeof value !== 'number') throw new TypeError(`${spec.type}: ${option} = ${String(value)} is no number.`);
  return value;
}

/** An option that is true or false; false if it is not there. */
export function flagOf(spec: Spec, option: string): boolean {
  const value = spec[option] ?? false;
  if (typeof value !== 'boolean') throw new TypeError(`${spec.type}: ${option} = ${String(value)} is no boolean.`);
  return value;
}

/** A spec from plain data that may be its type alone. */
export function specOf(value: unknown): Spec {
  if (typeof value === 'string') return { type: value };
  if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
    return { ...value, type: value.type };
  }
  throw new TypeError(`${JSON.stringify(value)} is no spec: it has no type.`);
}

/** An option that is a list of specs. */
export function specsOf(spec: Spec, option: string): Spec[] {
  const value = spec[option];
  if (!Array.isArray(value)) throw new TypeError(`${spec.type}: ${option} is no list.`);
  return value.map(specOf);
}

/** A parameter, its gradient or its statistics, as `weights()` names and orders them. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Statistics that a layer keeps: no optimizer touches them. */
export const isStatistic = ({ name }: Parameter): boolean => /running/i.test(name);

/** A matrix that multiplies the inputs: what penalties are of. */
export const isWeightMatrix = ({ name, shape }: Parameter): boolean => shape.length === 2 && name.endsWith('weight');
