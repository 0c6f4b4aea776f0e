import { Random } from '../../src/base/random.js';
import { Gpu, Tensor } from '../../src/kernels.js';
import { type Bounded, exact } from '../reference/bounded.js';
import './bounds.js';

let shared: Promise<Gpu> | undefined;

/** The device of all test files of a page: it compiles a pipeline once. After a crash of the GPU process there is a new one. */
export function sharedGpu(): Promise<Gpu> {
  shared ??= Gpu.request().then(async (gpu) => {
    gpu.lost.then(() => {
      shared = undefined;
    });
    // Then `gpu.run` compiles the text that plans run: on a software adapter, the specialised one.
    await gpu.pipelines.load();
    return gpu;
  });
  return shared;
}

/**
 * A `Gpu` of its own on the shared device, with memory and plans of its own. The browser answers with the pipelines that
 * the device has compiled before, if their text and overrides are the same.
 */
export async function ownGpu(): Promise<Gpu> {
  const { device } = await sharedGpu();
  return Gpu.from(device);
}

/** The bytes in use on a device, after all that was queued has come back: a read-back holds its buffer until then. */
export async function settledBytes(gpu: Gpu): Promise<number> {
  await gpu.device.queue.onSubmittedWorkDone();
  // A macrotask, for what runs when the reads before it resolve.
  await new Promise((resolve) => setTimeout(resolve));
  return gpu.memory.usedBytes;
}

/** A (rows, columns) matrix of float32 numbers from −1 to 1, the same for the same seed. */
export function randomMatrix(rows: number, columns: number, seed: number, scale = 1): Bounded {
  const random = new Random(seed);
  return exact(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, () => random.uniform(-scale, scale)),
  );
}

/** The word before and after a guarded tensor; no kernel may change it. */
const SENTINEL = 0xdeadbeef;
const GUARD = 64;

/** A tensor of NaN between sentinel words, so that a test finds stray writes and elements that were not written. */
export class Guarded {
  readonly tensor: Tensor;
  readonly #whole: Tensor;
  readonly #length: number;

  constructor(gpu: Gpu, shape: readonly number[], values?: ArrayLike<number>) {
    this.#length = shape.reduce((product, size) => product * size, 1);
    const words = new Uint32Array(2 * GUARD + Math.ceil(this.#length / 4) * 4).fill(SENTINEL);
    const middle = new Float32Array(words.buffer, 4 * GUARD, this.#length);
    if (values === undefined) middle.fill(Number.NaN);
    else middle.set(Float32Array.from(values));
    this.#whole = Tensor.empty(gpu, [words.length], 'guarded');
    this.#whole.write(new Float32Array(words.buffer));
    this.tensor = this.#whole.view(GUARD, shape, 'C');
  }

  /** The elements. @throws if a sentinel was overwritten */
  async read(): Promise<Float32Array<ArrayBuffer>> {
    const all = await this.#whole.read();
    const words = new Uint32Array(all.buffer);
    for (let i = 0; i < words.length; i++) {
      const inside = i >= GUARD && i < GUARD + this.#length;
      if (!inside && words[i] !== SENTINEL) throw new Error(`Word ${i - GUARD} outside of the tensor was overwritten.`);
    }
    return all.slice(GUARD, GUARD + this.#length);
  }

  dispose(): void {
    this.#whole.dispose();
  }
}

/** Values on the GPU. */
export function upload(gpu: Gpu, { shape, values }: Bounded): Tensor {
  return Tensor.from(gpu, values, shape);
}

/** Values in a caller's own buffer, which ends with the last value and is not a whole number of vec4s. */
export function unpadded(gpu: Gpu, { shape, values }: Bounded): Tensor {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = gpu.device.createBuffer({ size: 4 * values.length, usage });
  gpu.device.queue.writeBuffer(buffer, 0, Float32Array.from(values));
  return Tensor.wrap(buffer, shape, { gpu });
}
