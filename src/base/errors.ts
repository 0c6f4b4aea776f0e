/**
 * The errors of this library. Each says what failed, with values, what was expected, and what to do;
 * `code` is for programs and stays the same from version to version.
 */
export class MlpError extends Error {
  // Written out in each class: minifiers rename classes, and a name that users read must not change with them.
  override readonly name: string = 'MlpError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Which of the four things that WebGPU needs is missing. */
export type UnavailableReason = 'insecure-context' | 'no-webgpu' | 'no-adapter' | 'device-refused';

/** There is no WebGPU to be had here; `reason` says why. */
export class WebGpuUnavailableError extends MlpError {
  override readonly name: string = 'WebGpuUnavailableError';
  readonly reason: UnavailableReason;

  constructor(reason: UnavailableReason, message: string, options?: ErrorOptions) {
    super(reason, message, options);
    this.reason = reason;
  }
}

/** Sizes that do not fit together, or that nothing can have. */
export class ShapeError extends MlpError {
  override readonly name: string = 'ShapeError';
  constructor(message: string, options?: ErrorOptions) {
    super('shape', message, options);
  }
}

/** Data that cannot be trained on: bad labels, NaN, files that do not hold together. */
export class DataError extends MlpError {
  override readonly name: string = 'DataError';
  constructor(message: string, options?: ErrorOptions) {
    super('data', message, options);
  }
}

/** A model file or a checkpoint that does not hold together; the message says where. */
export class FormatError extends MlpError {
  override readonly name: string = 'FormatError';
  constructor(message: string, options?: ErrorOptions) {
    super('format', message, options);
  }
}

/** More than this GPU allows; the message names the limit, what was needed and what there is. */
export class LimitError extends MlpError {
  override readonly name: string = 'LimitError';
  constructor(message: string, options?: ErrorOptions) {
    super('limit', message, options);
  }
}

/** The GPU went away. Everything that was on it is gone. */
export class DeviceLostError extends MlpError {
  override readonly name: string = 'DeviceLostError';
  readonly reason: 'destroyed' | 'unknown';

  constructor(message: string, reason: 'destroyed' | 'unknown', options?: ErrorOptions) {
    super('device-lost', message, options);
    this.reason = reason;
  }
}

/** Something was used after dispose() or destroy(). */
export class DisposedError extends MlpError {
  override readonly name: string = 'DisposedError';
  constructor(message: string, options?: ErrorOptions) {
    super('disposed', message, options);
  }
}

/** Training was stopped because the loss or a parameter is NaN or infinite. */
export class NotFiniteError extends MlpError {
  override readonly name: string = 'NotFiniteError';
  /** The first step, from 0 on, after which something was not finite. */
  readonly step: number;
  /** The name of the parameter, as in `weights()`'s layers, or `loss`. */
  readonly where: string;

  constructor(message: string, step: number, where: string, options?: ErrorOptions) {
    super('not-finite', message, options);
    this.step = step;
    this.where = where;
  }
}
