import { DeviceLostError, DisposedError, MlpError } from '../base/errors.js';
import type { DeviceLoss, Guarded } from '../plan/device.js';
import type { BufferPool } from './pool.js';

/** Time to wait after a failed call for `device.lost`, in milliseconds: it may resolve later than the call fails. */
const LOSS_PATIENCE_MS = 500;

/** The errors of a device: its loss, errors inside error scopes (`guard`), and uncaptured errors. */
export class Faults {
  /** Resolves when the device is lost or destroyed, with the cause. */
  readonly lost: Promise<DeviceLoss>;
  destroyed = false;
  readonly #device: GPUDevice;
  readonly #pool: Pick<BufferPool, 'report' | 'distrust'>;
  #loss: DeviceLoss | undefined;
  /** The first uncaptured error since the last `check`, which will throw it. */
  #unreported: MlpError | undefined;

  /**
   * @param owned true if this library requested the device and handles its uncaptured errors; an app handles its own device's
   * @param pool provides the bytes in use for error texts; its buffers are distrusted after an out-of-memory error
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

  /**
   * @throws {DisposedError|DeviceLostError} if the device is destroyed or lost
   * @throws {MlpError} once for an uncaptured error
   */
  check(): void {
    this.#checkThere();
    const unreported = this.#unreported;
    // Thrown only once, because the device still works.
    this.#unreported = undefined;
    if (unreported !== undefined) throw unreported;
  }

  /** @throws {DisposedError|DeviceLostError} if the device is destroyed or lost */
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

  /** Runs `build` inside two error scopes. @throws whatever `build` throws */
  guard<T>(what: string, build: () => T): Guarded<T> {
    this.#device.pushErrorScope('validation');
    this.#device.pushErrorScope('out-of-memory');
    let scopes: Promise<readonly [GPUError | null, GPUError | null]>;
    let value: T;
    try {
      value = build();
    } finally {
      // The device has one stack of scopes: both are popped synchronously, before other code can push another scope.
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

  /** Runs `build` inside two error scopes and awaits their errors. @throws {MlpError} `out-of-memory` or `validation` */
  async guarded<T>(what: string, build: () => T): Promise<T> {
    this.check();
    const { value, fault } = this.guard(what, build);
    const error = await fault;
    if (error !== undefined) throw error;
    this.check();
    return value;
  }

  /** Converts the rejection of a WebGPU promise. @throws {DeviceLostError|DisposedError|MlpError} always */
  async explain(what: string, cause: unknown): Promise<never> {
    await this.lossIsKnown();
    this.#checkThere();
    if (cause instanceof MlpError) throw cause;
    this.check();
    throw new MlpError('gpu', `${what} failed: ${String(cause)}`, { cause });
  }

  /** Waits for `lost`, but 500 ms at most: it may settle after the calls that fail because of the loss. */
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
