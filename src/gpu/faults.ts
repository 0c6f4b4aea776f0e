import { DeviceLostError, DisposedError, MlpError } from '../base/errors.js';
import type { DeviceLoss, Guarded } from '../plan/device.js';
import type { BufferPool } from './pool.js';

/** Milliseconds after a failed call in which a loss may still become known. */
const LOSS_PATIENCE_MS = 500;

/** Everything that goes wrong on a device: its loss, errors of guarded calls, and those that nobody guarded. */
export class Faults {
  /** Resolves when the device is lost or destroyed, with the cause. */
  readonly lost: Promise<DeviceLoss>;
  destroyed = false;
  readonly #device: GPUDevice;
  readonly #pool: Pick<BufferPool, 'report' | 'distrust'>;
  #loss: DeviceLoss | undefined;
  /** An error that nobody guarded, and nobody has been told of yet. */
  #unreported: MlpError | undefined;

  /**
   * @param owned true if uncaptured errors are this library's: on an app's own device they are the app's
   * @param pool has bytes in use for messages, and after running out of memory maybe invalid buffers
   */
  constructor(device: GPUDevice, owned: boolean, pool: Pick<BufferPool, 'report' | 'distrust'>) {
    this.#device = device;
    this.#pool = pool;
    this.lost = device.lost.then(({ reason, message }) => {
      this.#loss = { reason: reason === 'destroyed' ? 'destroyed' : 'unknown', message };
      return this.#loss;
    });
    if (owned) {
      device.addEventListener('uncapturederror', ({ error }) => {
        this.#unreported ??= this.#asMlpError('', error);
      });
    }
  }

  /** @throws {DisposedError|DeviceLostError} if the device is gone; {MlpError} once for an error that nobody has been told of */
  check(): void {
    this.#checkThere();
    const unreported = this.#unreported;
    // Told once, it is over: the device works on.
    this.#unreported = undefined;
    if (unreported !== undefined) throw unreported;
  }

  /** @throws {DisposedError|DeviceLostError} if the device is gone */
  #checkThere(): void {
    if (this.destroyed) throw new DisposedError('This Gpu has been destroyed. Make a new one with Gpu.request().');
    if (this.#loss !== undefined) {
      const { reason, message } = this.#loss;
      throw new DeviceLostError(
        `The GPU device was lost (${reason}): ${message} Make a new Gpu and build the model on it again.`,
        reason,
      );
    }
  }

  /** Runs `build` within error scopes of its own. @throws what `build` throws */
  guard<T>(what: string, build: () => T): Guarded<T> {
    this.#device.pushErrorScope('validation');
    this.#device.pushErrorScope('out-of-memory');
    let scopes: Promise<readonly [GPUError | null, GPUError | null]>;
    let value: T;
    try {
      value = build();
    } finally {
      // Scopes are a stack for the whole device: both are popped before anything else can push.
      scopes = Promise.all([this.#device.popErrorScope(), this.#device.popErrorScope()]);
      scopes.catch(() => undefined);
    }
    const fault = scopes.then(
      ([memory, validation]) => {
        const error = memory ?? validation;
        return error === null ? undefined : this.#asMlpError(what, error);
      },
      (cause: unknown) => this.explain(what, cause).catch((error: Error) => error),
    );
    return { value, fault };
  }

  /** Runs `build` within error scopes of its own, and waits for them. @throws {MlpError} `out-of-memory`, or `validation` */
  async guarded<T>(what: string, build: () => T): Promise<T> {
    this.check();
    const { value, fault } = this.guard(what, build);
    const error = await fault;
    if (error !== undefined) throw error;
    this.check();
    return value;
  }

  /** Says in this library's terms why a WebGPU promise was rejected. @throws {DeviceLostError|DisposedError|MlpError} always */
  async explain(what: string, cause: unknown): Promise<never> {
    await this.lossIsKnown();
    this.#checkThere();
    if (cause instanceof MlpError) throw cause;
    this.check();
    throw new MlpError('gpu', `${what} failed: ${String(cause)}`, { cause });
  }

  /** Waits a little: `lost` may settle after the calls that the loss has made fail. */
  async lossIsKnown(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, LOSS_PATIENCE_MS);
    });
    await Promise.race([this.lost, patience]);
    clearTimeout(timer);
  }

  #asMlpError(what: string, error: GPUError): MlpError {
    const where = what === '' ? '' : `${what}: `;
    if (typeof GPUOutOfMemoryError !== 'undefined' && error instanceof GPUOutOfMemoryError) {
      this.#pool.distrust();
      return new MlpError(
        'out-of-memory',
        `${where}The GPU is out of memory; ${this.#pool.report.usedBytes} bytes are in use here. Use a smaller batch, or dispose of something. ${error.message}`,
      );
    }
    const bug =
      what === ''
        ? 'WebGPU refused a call, which is a bug in this library unless a shader or a buffer is your own: '
        : '';
    return new MlpError('validation', `${where}${bug}${error.message}`);
  }
}
