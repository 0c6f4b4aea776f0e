import { MlpError } from '../base/errors.js';
import { table } from '../base/text-table.js';
import type { Dispatch, Program } from '../plan/dispatch.js';
import type { BufferPool } from './pool.js';
import type { Pass } from './replay.js';

/** Timestamps in a query set: WebGPU's maximum. A dispatch needs two. */
const QUERIES = 4096;
const BYTES_PER_TIMESTAMP = 8;
const NANOSECONDS_PER_MILLISECOND = 1e6;

/** A row of a `Profile`: all dispatches with the same kernel, label and variant. */
export interface ProfiledDispatch {
  /** Name of the kernel, such as `matmul`. */
  readonly kernel: string;
  /** The kernel and the shapes of its operands, as in `trainer.plan`. */
  readonly label: string;
  /** Name of the program that ran: the shader, and its tile size where it has several. */
  readonly variant: string;
  /** Number of dispatches. */
  readonly count: number;
  /** Number of dispatches without a usable time, because the GPU's clock was reset. 0 without timestamps. */
  readonly dropped: number;
  /**
   * GPU time of one dispatch in milliseconds: the median over all usable times, or their mean if some of them are 0, as with a
   * browser's coarse clock (Chrome's has steps of 65.5 µs). `null` without timestamps.
   */
  readonly milliseconds: number | null;
  /** Sum of all usable GPU times, in milliseconds. `null` without timestamps. */
  readonly totalMilliseconds: number | null;
}

/**
 * Result of `Gpu.profile`: the GPU time of each kernel. Its string is a table.
 *
 * @example
 * const profile = await gpu.profile(() => trainer.fit(train, { epochs: 1 }));
 * console.log(`${profile}`);
 */
export class Profile {
  /** One row for each kernel, label and variant, in the order in which they first ran. */
  readonly dispatches: readonly ProfiledDispatch[];
  /** GPU time of all rows, in milliseconds. `null` without timestamps. */
  readonly totalMilliseconds: number | null;

  /** @internal */
  constructor(dispatches: readonly ProfiledDispatch[]) {
    this.dispatches = dispatches;
    const times = dispatches.flatMap(({ totalMilliseconds }) => totalMilliseconds ?? []);
    this.totalMilliseconds = times.length > 0 ? sum(times) : null;
  }

  /** A table with one line for each row: dispatch, variant, count, milliseconds each and in all, and share of the total. */
  toString(): string {
    const write = (milliseconds: number | null): string => milliseconds?.toFixed(3) ?? '–';
    const all = this.totalMilliseconds;
    return table(
      ['dispatch', 'variant', 'count', 'ms each', 'ms in all', 'share'],
      this.dispatches.map(({ label, variant, count, milliseconds, totalMilliseconds }) => [
        label,
        variant,
        `${count}`,
        write(milliseconds),
        write(totalMilliseconds),
        all && totalMilliseconds !== null ? `${Math.round((100 * totalMilliseconds) / all)} %` : '–',
      ]),
    );
  }
}

/** The parts of a `Gpu` that profiling needs. */
interface ProfiledGpu {
  readonly device: GPUDevice;
  readonly queue: { profiler: Profiler | undefined };
  check(): void;
  readStaging(staging: GPUBuffer, byteLength: number): Promise<ArrayBuffer>;
}

/** Implements `Gpu.profile`. */
export async function profile(gpu: ProfiledGpu, pool: BufferPool, work: () => unknown): Promise<Profile> {
  gpu.check();
  if (gpu.queue.profiler !== undefined) {
    throw new MlpError(
      'busy',
      'profile: another profile is being taken on this Gpu. Await it first; one cannot be taken within another.',
    );
  }
  const profiler = new Profiler(gpu.device);
  const started = performance.now();
  try {
    gpu.queue.profiler = profiler;
    try {
      await work();
    } finally {
      gpu.queue.profiler = undefined;
    }
    gpu.check();
    const timestamps = await profiler.read(gpu, pool);
    return new Profile(reduce(profiler.dispatched, timestamps, performance.now() - started));
  } finally {
    profiler.dispose();
  }
}

/** Identity of a dispatch that ran during a profile: the key of its row. */
type Dispatched = Pick<ProfiledDispatch, 'kernel' | 'label' | 'variant'>;

/** Records every dispatch of a profile, each in its own compute pass between two timestamps. */
export class Profiler {
  /** The dispatches so far, in order. */
  readonly dispatched: Dispatched[] = [];
  readonly #device: GPUDevice;
  readonly #timed: boolean;
  readonly #sets: GPUQuerySet[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#timed = device.features.has('timestamp-query');
  }

  /** Replacement for the compute pass of a submit. */
  begin(encoder: GPUCommandEncoder): PassPerDispatch {
    return new PassPerDispatch((dispatch, program) => {
      const timestampWrites = this.#record(dispatch, program);
      return encoder.beginComputePass({ label: dispatch.label, ...(timestampWrites && { timestampWrites }) });
    });
  }

  /** The timestamps in nanoseconds, two for each dispatch in `dispatched`; `undefined` without timestamps. */
  async read(gpu: ProfiledGpu, pool: BufferPool): Promise<BigUint64Array | undefined> {
    if (this.#sets.length === 0) return undefined;
    const count = 2 * this.dispatched.length;
    const bytes = count * BYTES_PER_TIMESTAMP;
    const resolved = pool.acquire(bytes, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC, 'timestamps');
    const staging = pool.acquire(bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST, 'timestamps');
    try {
      const encoder = this.#device.createCommandEncoder({ label: 'profile' });
      for (const [number, set] of this.#sets.entries()) {
        const first = number * QUERIES;
        encoder.resolveQuerySet(set, 0, Math.min(QUERIES, count - first), resolved, first * BYTES_PER_TIMESTAMP);
      }
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
      this.#device.queue.submit([encoder.finish()]);
      return new BigUint64Array(await gpu.readStaging(staging, bytes));
    } finally {
      // Not released for reuse, because nothing else requests buffers of these sizes and usages.
      pool.discard(resolved);
      pool.discard(staging);
    }
  }

  dispose(): void {
    for (const set of this.#sets) set.destroy();
  }

  /** Records a dispatch, and returns the timestamps to write around it. */
  #record({ kernel, label }: Dispatch, { variant }: Program): GPUComputePassTimestampWrites | undefined {
    const first = (2 * this.dispatched.length) % QUERIES;
    this.dispatched.push({ kernel, label, variant });
    if (!this.#timed) return undefined;
    if (first === 0) this.#sets.push(this.#device.createQuerySet({ type: 'timestamp', count: QUERIES }));
    const querySet = this.#sets.at(-1);
    return querySet && { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
  }
}

/** Encodes each dispatch into a compute pass of its own. */
class PassPerDispatch implements Pass {
  readonly #open: (dispatch: Dispatch, program: Program) => GPUComputePassEncoder;
  #pass: GPUComputePassEncoder | undefined;

  constructor(open: (dispatch: Dispatch, program: Program) => GPUComputePassEncoder) {
    this.#open = open;
  }

  next(dispatch: Dispatch, program: Program): void {
    this.end();
    this.#pass = this.#open(dispatch, program);
  }

  setPipeline(pipeline: GPUComputePipeline): void {
    this.#pass?.setPipeline(pipeline);
  }

  setBindGroup(index: number, bindGroup: GPUBindGroup, dynamicOffsets?: readonly number[]): void {
    this.#pass?.setBindGroup(index, bindGroup, dynamicOffsets);
  }

  dispatchWorkgroups(x: number, y: number, z: number): void {
    this.#pass?.dispatchWorkgroups(x, y, z);
  }

  end(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}

/**
 * Reduces the dispatches to one row for each kernel, label and variant, in order of first appearance.
 *
 * A time is dropped if the GPU's counter was reset: if one of its timestamps is 0 or missing, if it ends before it begins, or
 * if it is longer than the whole profile.
 * @param timestamps begin and end of each dispatch, in nanoseconds
 * @param wallMilliseconds duration of the whole profile on the host's clock
 */
export function reduce(
  dispatched: readonly Dispatched[],
  timestamps: BigUint64Array | undefined,
  wallMilliseconds: number,
): ProfiledDispatch[] {
  const rows = new Map<string, { readonly what: Dispatched; count: number; readonly times: number[] }>();
  for (const [number, what] of dispatched.entries()) {
    const key = JSON.stringify([what.kernel, what.label, what.variant]);
    const row = rows.get(key) ?? { what, count: 0, times: [] };
    rows.set(key, row);
    row.count += 1;
    const [begin = 0n, end = 0n] = timestamps?.subarray(2 * number, 2 * number + 2) ?? [];
    const time = Number(end - begin) / NANOSECONDS_PER_MILLISECOND;
    if (begin > 0n && end >= begin && time <= wallMilliseconds) row.times.push(time);
  }
  return [...rows.values()].map(({ what, count, times }) => ({
    ...what,
    count,
    dropped: timestamps === undefined ? 0 : count - times.length,
    milliseconds: times.length > 0 ? typical(times) : null,
    totalMilliseconds: times.length > 0 ? sum(times) : null,
  }));
}

/** The median, or the mean if some times are 0: a coarse clock's median is a whole number of steps, the mean is finer. */
function typical(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  if (sorted[0] === 0) return sum(times) / times.length;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return (upper + (sorted[Math.floor((sorted.length - 1) / 2)] ?? upper)) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
