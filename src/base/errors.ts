/**
 * Base class of all errors that this library throws. The message states what failed with the values involved, what was
 * expected, and what to do; its wording may change. Programs should compare `code`, which stays the same between
 * versions.
 *
 * A subclass has the code of its name: `shape`, `data`, `format`, `limit`, `device-lost`, `disposed`, `not-finite`, or
 * the `reason` of a `WebGpuUnavailableError`. Other codes:
 *
 * - an argument is not allowed: `bad-option`, or for one kind of argument `bad-activation`, `bad-initializer`,
 *   `bad-layer`, `bad-loss`, `bad-metric`, `bad-normalization`, `bad-optimizer`, `bad-schedule`, `bad-seed`
 * - a name is not known: `unknown-activation`, `unknown-initializer`, `unknown-layer`
 * - another operation is in progress: `busy`
 * - objects do not belong together: `other-gpu` (data set and model are on different devices), `other-training` (the
 *   checkpoint is of a different model or trainer), `no-gpu` (a wrapped tensor has no device), `not-trainable` (a layer
 *   cannot be trained), `no-gradients` (the plan was not recorded for training)
 * - a file cannot be fetched: `fetch`
 * - a kernel is not correct: `bad-shader`, `bad-dispatch`, `per-step`, `no-program` (no program suits the adapter)
 * - WebGPU reports an error: `out-of-memory`, `validation`, `shader` (it does not compile), `gpu` (any other)
 *
 * @example
 * try {
 *   await trainer.fit(data, { epochs: 5 });
 * } catch (error) {
 *   if (error instanceof MlpError && error.code === 'out-of-memory') retryWithSmallerBatch();
 * }
 */
export class MlpError extends Error {
  // A literal in each class: minifiers rename classes, but the name that users read must stay the same.
  /** Name of the class. */
  override readonly name: string = 'MlpError';
  /** Kind of the error, for programs. The list is at `MlpError`. */
  readonly code: string;

  /**
   * Creates an error with a code for programs and a message for people; `options.cause` is the error behind it, if any.
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Reason why WebGPU is not available:
 *
 * - `insecure-context`: the page is not served over https or from localhost
 * - `no-webgpu`: the browser, or Node, does not provide WebGPU
 * - `no-adapter`: WebGPU found no adapter, or none in 10 s
 * - `device-refused`: the adapter did not give a device, or lacks a required feature
 */
export type UnavailableReason = 'insecure-context' | 'no-webgpu' | 'no-adapter' | 'device-refused';

/**
 * Thrown by `Gpu.request` if WebGPU is not available. `code` is equal to `reason`.
 * @example
 * const gpu = await Gpu.request().catch((error) => {
 *   if (error instanceof WebGpuUnavailableError) showNotice(error.reason);
 * });
 */
export class WebGpuUnavailableError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'WebGpuUnavailableError';
  /** Reason why WebGPU is not available. */
  readonly reason: UnavailableReason;

  /** Creates an error whose `code` is the reason; `options.cause` is the error behind it, if any. */
  constructor(reason: UnavailableReason, message: string, options?: ErrorOptions) {
    super(reason, message, options);
    this.reason = reason;
  }
}

/** Thrown if sizes or shapes do not match, or are not positive integers. `code` is `shape`. */
export class ShapeError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'ShapeError';
  /** Creates an error with a message for people; `options.cause` is the error behind it, if any. */
  constructor(message: string, options?: ErrorOptions) {
    super('shape', message, options);
  }
}

/**
 * Thrown for data that cannot be used: a label that is not a class, a value that is not finite, an empty split, or a
 * CSV or IDX file that is malformed. `code` is `data`.
 */
export class DataError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'DataError';
  /** Creates an error with a message for people; `options.cause` is the error behind it, if any. */
  constructor(message: string, options?: ErrorOptions) {
    super('data', message, options);
  }
}

/**
 * Thrown for a model file or a checkpoint that is malformed, of another version, or does not match the model. The
 * message states the position or the name. `code` is `format`.
 */
export class FormatError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'FormatError';
  /** Creates an error with a message for people; `options.cause` is the error behind it, if any. */
  constructor(message: string, options?: ErrorOptions) {
    super('format', message, options);
  }
}

/**
 * Thrown if work needs more than the device allows; the message has the limit's name and both numbers. `code` is
 * `limit`.
 */
export class LimitError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'LimitError';
  /** Creates an error with a message for people; `options.cause` is the error behind it, if any. */
  constructor(message: string, options?: ErrorOptions) {
    super('limit', message, options);
  }
}

/**
 * Thrown by calls on a device that was lost, as after a crash of its driver. All memory on it is lost: request a new
 * `Gpu`, and create models and data sets again. `code` is `device-lost`.
 */
export class DeviceLostError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'DeviceLostError';
  /** `destroyed` if the app destroyed the GPUDevice; `unknown` if the loss has another cause. */
  readonly reason: 'destroyed' | 'unknown';

  /** Creates an error with a message and the reason of the loss; `options.cause` is the error behind it, if any. */
  constructor(message: string, reason: 'destroyed' | 'unknown', options?: ErrorOptions) {
    super('device-lost', message, options);
    this.reason = reason;
  }
}

/** Thrown if an object is used after its `dispose()` or `destroy()`. `code` is `disposed`. */
export class DisposedError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'DisposedError';
  /** Creates an error with a message for people; `options.cause` is the error behind it, if any. */
  constructor(message: string, options?: ErrorOptions) {
    super('disposed', message, options);
  }
}

/**
 * Thrown by `fit`, which stops training, if the loss or a parameter is NaN or infinite. Use a smaller learning rate,
 * limit the gradients with `clip`, or normalise the inputs. The message says which state the parameters are in; the
 * option `onNotFinite` of `fit` decides it. `code` is `not-finite`.
 */
export class NotFiniteError extends MlpError {
  /** Name of the class. */
  override readonly name: string = 'NotFiniteError';
  /** Number of the first step, counted from 0, after which a value was not finite. */
  readonly step: number;
  /** `loss`, or the index of the layer with the parameter, as a string: `'2'`. */
  readonly where: string;
  /**
   * True if parameters and optimizer state are again those of the latest time when they were known to be finite
   * (`onNotFinite: "restore"`); false if the parameters are those after the failure, and may not be finite.
   */
  readonly restored: boolean;

  /** Creates an error with a message, the step and the place; `options.cause` is the error behind it, if any. */
  constructor(
    message: string,
    step: number,
    where: string,
    options: ErrorOptions & {
      /** The property `restored`. Default: false. */
      readonly restored?: boolean | undefined;
    } = {},
  ) {
    super('not-finite', message, options);
    this.step = step;
    this.where = where;
    this.restored = options.restored ?? false;
  }
}
