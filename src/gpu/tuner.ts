import type { Device } from '../plan/device.js';
import { candidates, type Dispatch, NO_STEP, PER_STEP, type Program } from '../plan/dispatch.js';
import type { DeviceBuffer } from '../plan/memory.js';
import { type DType, Tensor, TensorStorage } from '../plan/tensor.js';
import { type Binder, bindAll, encode, type Pass } from './replay.js';
import type { GpuInfo, GpuOptions } from './request.js';
import { TuningCache } from './tuning-cache.js';

/**
 * Effort of measuring. `budget`: milliseconds for all candidates of a plan, compilation included. `sample`: milliseconds for
 * one sample of one candidate. `rounds`: maximum number of samples of a candidate.
 */
const EFFORT = {
  auto: { budget: 1000, sample: 5, rounds: 3 },
  full: { budget: Number.POSITIVE_INFINITY, sample: 20, rounds: 10 },
};
/** Share of the default program's time that another must stay below to replace it: a smaller gain may be chance. */
const MARGIN = 0.95;

/** The parts of a `Gpu` that measuring needs. */
interface TunedGpu extends Device, Binder {
  readonly info: GpuInfo;
  readonly tuning: Pick<GpuOptions, 'tuning' | 'tuningStorage'>;
  allocate: Device['allocate'];
  submit(label: string, record: (pass: Pass) => void): void;
}

const caches = new WeakMap<TunedGpu, TuningCache>();

/** A candidate program while it is measured. */
interface Contender {
  readonly program: Program;
  /** Runs `count` dispatches in one submit; resolves to the milliseconds of one. */
  readonly time: (count: number) => Promise<number>;
  /** Shortest time so far, in milliseconds. */
  best: number;
}

/**
 * Chooses the fastest program of each dispatch that has several programs for this adapter: from the cache, or by measuring. The
 * result lacks the dispatches that keep their default program.
 * @throws {DeviceLostError|MlpError} if the device is lost, or a program does not compile
 */
export async function tune(gpu: TunedGpu, dispatches: readonly Dispatch[]): Promise<ReadonlyMap<Dispatch, Program>> {
  const chosen = new Map<Dispatch, Program>();
  const full = gpu.tuning.tuning === 'full';
  const { budget, sample, rounds } = EFFORT[full ? 'full' : 'auto'];
  const cache = caches.get(gpu) ?? new TuningCache(gpu.info, gpu.tuning.tuningStorage);
  caches.set(gpu, cache);
  const deadline = performance.now() + budget;
  for (const dispatch of dispatches) {
    // `auto` skips programs that are made for GPUs: a software adapter takes longer than the budget to compile them.
    const tried = ({ prefers }: Program): boolean => full || !gpu.info.software || prefers(gpu.info);
    // Without `later`, which would replace a program while it is measured.
    const rivals = candidates(dispatch, gpu.info)
      .filter(tried)
      .map(({ later: _, ...program }) => program);
    if (rivals.length < 2) continue;
    const known = cache.recall(dispatch.label);
    const remembered = rivals.find(({ variant }) => variant === known);
    const program = remembered ?? (await fastest(gpu, dispatch, rivals, { deadline, sample, rounds }));
    if (program === undefined) continue;
    chosen.set(dispatch, program);
    if (remembered === undefined) cache.remember(dispatch.label, program.variant);
  }
  return chosen;
}

/** Measures programs on temporary buffers; `undefined` if the time was up before two of them were measured. */
async function fastest(
  gpu: TunedGpu,
  dispatch: Dispatch,
  rivals: readonly Program[],
  { deadline, sample, rounds }: { readonly deadline: number; readonly sample: number; readonly rounds: number },
): Promise<Program | undefined> {
  const buffers: Record<string, Tensor<DType>> = {};
  for (const [name, tensor] of Object.entries(dispatch.buffers)) {
    if (tensor === undefined) continue;
    const storage = new TensorStorage(tensor.label, tensor.storage.byteLength);
    buffers[name] = new Tensor(storage, tensor.start, tensor.shape, tensor.dtype);
  }
  // No plan replays the dispatch here, so any valid step will do.
  const uniforms = Object.fromEntries(
    Object.entries(dispatch.uniforms).map(([name, values]) => [name, values === PER_STEP ? anyStep(dispatch) : values]),
  );
  const measured: Contender[] = [];
  const uniformBuffers: DeviceBuffer[] = [];
  try {
    for (const { storage } of Object.values(buffers)) storage.allocate(gpu);
    for (const program of rivals) {
      if (performance.now() > deadline) break;
      const copy = { ...dispatch, buffers: { ...dispatch.buffers, ...buffers }, uniforms };
      const { commands, uniforms: uniformBuffer } = bindAll(gpu, [copy], undefined, new Map([[copy, program]]));
      uniformBuffers.push(uniformBuffer);
      await Promise.all(commands.map(({ pipeline }) => pipeline.ready()));
      const time = async (count: number): Promise<number> => {
        const start = performance.now();
        gpu.submit('tuning', (pass) => {
          for (let i = 0; i < count; i++) encode(pass, commands);
        });
        await gpu.idle();
        gpu.check();
        return (performance.now() - start) / count;
      };
      await time(1);
      measured.push({ program, time, best: await time(1) });
    }
    // Interleaved, so that a disturbance slows all of them. Each round drops the slower half, but keeps two.
    let racing = measured;
    for (let round = 0; round < rounds && measured.length > 1 && performance.now() < deadline; round++) {
      for (const one of racing)
        one.best = Math.min(one.best, await one.time(Math.ceil(sample / Math.max(one.best, 1e-3))));
      racing = [...racing].sort((a, b) => a.best - b.best).slice(0, Math.max(2, Math.ceil(racing.length / 2)));
    }
  } finally {
    for (const { storage } of Object.values(buffers)) storage.dispose();
    for (const buffer of uniformBuffers) gpu.free(buffer);
  }
  const [preferred, ...others] = measured;
  const rival = others.sort((a, b) => a.best - b.best)[0];
  if (preferred === undefined || rival === undefined) return undefined;
  return rival.best < MARGIN * preferred.best ? rival.program : preferred.program;
}

/** A step record with a value for every field, including those that an optimizer adds. */
function anyStep({ programs }: Dispatch): Readonly<Record<string, number>> {
  const own = programs.flatMap(({ shader }) => Object.keys(shader.uniforms.step?.fields ?? {}));
  return { ...Object.fromEntries(own.map((field) => [field, 0])), ...NO_STEP };
}
