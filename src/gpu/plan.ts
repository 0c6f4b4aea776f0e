import { elements } from '../check.js';
import { DisposedError } from '../errors.js';
import { table } from '../table.js';
import { bind, type Command, current, encode, type Pass, uploadUniforms } from './command.js';
import { choose, type Dispatch, type Program, type StepValues } from './dispatch.js';
import type { Gpu } from './gpu.js';
import { BINDING_ALIGNMENT, bytesPerElement, type DType, Storage, Tensor } from './tensor.js';

/** Bytes of a per-step record: four words, at the distance that dynamic offsets must keep. */
const STEP_BYTES = BINDING_ALIGNMENT;

/** The per-step records of a submit: written at once before it, one record a step. */
export class StepRecords {
  /** Steps that one submit can hold. */
  readonly capacity: number;
  readonly buffer: GPUBuffer;
  readonly #gpu: Gpu;
  readonly #bytes: ArrayBuffer;

  constructor(gpu: Gpu, capacity: number) {
    this.#gpu = gpu;
    this.capacity = capacity;
    this.#bytes = new ArrayBuffer(capacity * STEP_BYTES);
    this.buffer = gpu.allocateUniforms(this.#bytes.byteLength, 'steps');
  }

  /** Queues the records of the next submit; one write. */
  write(steps: readonly StepValues[]): void {
    const view = new DataView(this.#bytes);
    for (const [slot, { first, rows, index, learning_rate }] of steps.entries()) {
      const offset = slot * STEP_BYTES;
      view.setUint32(offset, first, true);
      view.setUint32(offset + 4, rows, true);
      view.setUint32(offset + 8, index, true);
      view.setFloat32(offset + 12, learning_rate, true);
    }
    this.#gpu.write(this.buffer, 0, new Uint8Array(this.#bytes, 0, steps.length * STEP_BYTES));
  }

  /** The byte offset of a step's record. */
  offset(slot: number): number {
    return slot * STEP_BYTES;
  }

  dispose(): void {
    this.#gpu.free(this.buffer);
  }
}

/** Records the dispatches of a step, and what memory they need. */
export class PlanBuilder {
  readonly #recorded: { readonly phase: string; readonly dispatch: Dispatch }[] = [];
  readonly #owned: Storage[] = [];
  readonly #transient: Set<Storage> = new Set<Storage>();
  readonly #kept: Set<Storage> = new Set<Storage>();
  #phase = 'main';

  /** A tensor that one dispatch of this plan writes and later ones read. A dispatch whose result nobody reads is dropped. */
  tensor(label: string, shape: readonly number[]): Tensor {
    const tensor = this.state(label, shape);
    this.#transient.add(tensor.storage);
    return tensor;
  }

  /** A tensor that starts as zeros and keeps its values from step to step. */
  state(label: string, shape: readonly number[]): Tensor;
  state<T extends DType>(label: string, shape: readonly number[], dtype: T): Tensor<T>;
  state(label: string, shape: readonly number[], dtype: DType = 'f32'): Tensor<DType> {
    const storage = new Storage(label, elements(shape) * bytesPerElement(dtype));
    this.#owned.push(storage);
    return new Tensor(storage, 0, shape, dtype);
  }

  /** Says that a tensor is read from outside of the plan, so that what writes it stays. */
  keep(tensor: Tensor<DType>): void {
    this.#kept.add(tensor.storage);
  }

  /** Begins a part of the plan that can be replayed alone. */
  phase(name: string): void {
    this.#phase = name;
  }

  add(dispatch: Dispatch): void {
    this.#recorded.push({ phase: this.#phase, dispatch });
  }

  /** Chooses variants, allocates, binds and compiles. @throws {MlpError} `out-of-memory`, `shader` or `validation`; nothing is left behind */
  async compile(gpu: Gpu, what: string, steps?: StepRecords): Promise<Plan> {
    const { tuning = 'off' } = gpu.tuning;
    const chosen = tuning === 'off' ? undefined : await this.#tuned(gpu);
    const plan = await gpu
      .guarded(what, () => this.build(gpu, what, steps, chosen))
      .catch((error: unknown) => {
        for (const storage of this.#owned) storage.dispose();
        throw error;
      });
    try {
      await plan.ready();
    } catch (error) {
      plan.dispose();
      throw error;
    }
    return plan;
  }

  /** Few apps measure: the tuner is loaded where one does. */
  async #tuned(gpu: Gpu): Promise<ReadonlyMap<Dispatch, Program>> {
    const { tune } = await import('./tuner.js');
    return await tune(
      gpu,
      this.#live().map(({ dispatch }) => dispatch),
    );
  }

  /** Allocates and binds at once; pipelines are compiled when they are first used, or by `ready()`. */
  build(gpu: Gpu, what: string, steps?: StepRecords, chosen?: ReadonlyMap<Dispatch, Program>): Plan {
    const live = this.#live();
    const needed = new Set<Storage>(this.#owned.filter((storage) => !this.#transient.has(storage)));
    for (const { dispatch } of live) {
      for (const tensor of Object.values(dispatch.buffers)) if (tensor !== undefined) needed.add(tensor.storage);
    }
    const owned = this.#owned.filter((storage) => needed.has(storage));
    for (const storage of owned) storage.allocate(gpu);
    const dispatches = live.map(({ dispatch }) => dispatch);
    const { buffer, offsets } = uploadUniforms(gpu, dispatches);
    const phases = new Map<string, Command[]>();
    for (const [index, { phase, dispatch }] of live.entries()) {
      const commands = phases.get(phase) ?? [];
      const program = chosen?.get(dispatch) ?? choose(dispatch, gpu.info);
      commands.push(bind(gpu, dispatch, program, buffer, offsets[index] ?? {}, steps?.buffer));
      phases.set(phase, commands);
    }
    return new Plan(gpu, what, phases, owned, buffer);
  }

  /** The dispatches whose result is read by a later one, kept, or lives outside of the plan. */
  #live(): readonly { readonly phase: string; readonly dispatch: Dispatch }[] {
    const read = new Set(this.#kept);
    const live: { readonly phase: string; readonly dispatch: Dispatch }[] = [];
    for (const recorded of [...this.#recorded].reverse()) {
      const { buffers, programs } = recorded.dispatch;
      const shader = programs[0]?.shader;
      const tensors = Object.entries(buffers);
      const isLive = tensors.some(
        ([name, tensor]) =>
          tensor !== undefined &&
          shader?.buffers[name]?.access === 'read_write' &&
          (!this.#transient.has(tensor.storage) || read.has(tensor.storage)),
      );
      if (!isLive) continue;
      for (const [, tensor] of tensors) if (tensor !== undefined) read.add(tensor.storage);
      live.push(recorded);
    }
    return live.reverse();
  }
}

/** A row of `Plan.dispatches`. */
export interface PlannedDispatch {
  readonly phase: string;
  readonly kernel: string;
  readonly label: string;
  /** The program that was chosen for this adapter, or has taken over. */
  readonly variant: string;
  readonly workgroups: readonly [number, number, number];
  /** Bytes of the tensors that it binds. */
  readonly bytes: number;
  readonly flops: number;
}

/** A plan that has been encoded so often is worth compiling its later programs. */
const OFTEN = 48;

/** Recorded once, replayed every step: dispatches with their pipelines, bind groups and grid sizes settled. */
export class Plan {
  readonly label: string;
  readonly #gpu: Gpu;
  readonly #phases: ReadonlyMap<string, readonly Command[]>;
  readonly #owned: readonly Storage[];
  readonly #uniforms: GPUBuffer;
  #encoded = 0;
  #disposed = false;

  /** @internal */
  constructor(
    gpu: Gpu,
    label: string,
    phases: ReadonlyMap<string, readonly Command[]>,
    owned: readonly Storage[],
    uniforms: GPUBuffer,
  ) {
    this.#gpu = gpu;
    this.label = label;
    this.#phases = phases;
    this.#owned = owned;
    this.#uniforms = uniforms;
  }

  /** Resolves when every pipeline is compiled; all are compiled at once. */
  async ready(): Promise<void> {
    const pipelines = new Set([...this.#phases.values()].flat().map(({ pipeline }) => pipeline));
    const all = Promise.all([...pipelines].map((pipeline) => pipeline.ready()));
    await all.catch((cause: unknown) => this.#gpu.explain(this.label, cause));
    this.#gpu.check();
  }

  /** Encodes a phase, if the plan has it. @param stepOffset the byte offset of this step's record */
  encode(pass: Pass, phase: string, stepOffset: number): void {
    if (this.#disposed) throw new DisposedError(`${this.label} has been disposed.`);
    this.#encoded += 1;
    if (this.#encoded === OFTEN) void this.#compileLater();
    encode(pass, this.#phases.get(phase) ?? [], stepOffset);
  }

  /** One after the other, since other plans may be waiting for the compiler; without them this one goes on as it is. */
  async #compileLater(): Promise<void> {
    for (const { later } of [...this.#phases.values()].flat()) {
      if (this.#disposed) return;
      await later?.pipeline.ready().catch(() => undefined);
    }
  }

  /** What runs, in order. */
  get dispatches(): readonly PlannedDispatch[] {
    return [...this.#phases].flatMap(([phase, commands]) =>
      commands.map((command) => describe(phase, command.dispatch, current(command).program)),
    );
  }

  /** The plan as a table, a line a dispatch. */
  toString(): string {
    return planTable(this.dispatches);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const storage of this.#owned) storage.dispose();
    this.#gpu.free(this.#uniforms);
  }
}

function describe(
  phase: string,
  { kernel, label, buffers, flops }: Dispatch,
  { variant, workgroups }: Program,
): PlannedDispatch {
  let bytes = 0;
  for (const tensor of new Set(Object.values(buffers))) bytes += tensor?.byteLength ?? 0;
  return { phase, kernel, label, variant, workgroups, bytes, flops };
}

/** Dispatches as a table, a line each. */
export function planTable(dispatches: readonly PlannedDispatch[]): string {
  return table(
    ['phase', 'dispatch', 'variant', 'workgroups', 'bytes', 'FLOPs'],
    dispatches.map(({ phase, label, variant, workgroups, bytes, flops }) => [
      phase,
      label,
      variant,
      workgroups.join('×'),
      `${bytes}`,
      `${flops}`,
    ]),
  );
}
