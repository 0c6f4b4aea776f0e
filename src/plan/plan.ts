import { elements } from '../base/check.js';
import { DisposedError } from '../base/errors.js';
import { table } from '../base/text-table.js';
import { bind, type Command, current, encode, type Pass, uploadUniforms } from '../gpu/command.js';
import type { Gpu } from '../gpu/gpu.js';
import { type AdapterTraits, choose, type Dispatch, type Program, type StepValues } from './dispatch.js';
import { BINDING_ALIGNMENT, bytesPerElement, type DType, Storage, Tensor } from './tensor.js';
import { type PlanMemory, Workspace } from './workspace.js';

/** Bytes of a per-step record: few words, at the distance that dynamic offsets must keep. */
const STEP_BYTES = BINDING_ALIGNMENT;

/** What shaders read as `step`, and behind it numbers of the optimizer's own. */
export type StepRecord = StepValues & { readonly own?: readonly number[] | undefined };

/** The per-step records of a submit: written at once before it, one record a replay. */
export class StepRecords {
  readonly buffer: GPUBuffer;
  readonly #gpu: Gpu;
  readonly #bytes: ArrayBuffer;

  /** @param capacity records that one submit can hold */
  constructor(gpu: Gpu, capacity: number) {
    this.#gpu = gpu;
    this.#bytes = new ArrayBuffer(capacity * STEP_BYTES);
    this.buffer = gpu.allocateUniforms(this.#bytes.byteLength, 'steps');
  }

  /** Queues the records of the next submit; one write. */
  write(steps: readonly StepRecord[]): void {
    const view = new DataView(this.#bytes);
    for (const [slot, { first, rows, index, learning_rate, own = [] }] of steps.entries()) {
      const offset = slot * STEP_BYTES;
      view.setUint32(offset, first, true);
      view.setUint32(offset + 4, rows, true);
      view.setUint32(offset + 8, index, true);
      view.setFloat32(offset + 12, learning_rate, true);
      for (const [number, value] of own.entries()) view.setFloat32(offset + 16 + 4 * number, value, true);
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

/** A dispatch, and the part of the step that it belongs to. */
export interface Recorded {
  readonly phase: string;
  readonly dispatch: Dispatch;
}

/** The same work in other dispatches, and what to say about it. */
export interface Rewritten {
  readonly recorded: readonly Recorded[];
  readonly notes: readonly string[];
  /** What these dispatches write and read besides what was recorded. */
  readonly transient?: readonly Storage[];
}

/** Looks at all of a step, and may find other dispatches for it on an adapter. */
export type Rewrite = (recorded: readonly Recorded[], adapter: AdapterTraits) => Rewritten;

/** Records the dispatches of a step, and what memory they need. */
export class PlanBuilder {
  readonly #rewrite: Rewrite | undefined;
  readonly #workspace: Workspace;
  /** Whether the plan has the workspace for itself. */
  readonly #own: boolean;
  readonly #recorded: Recorded[] = [];
  readonly #names: Map<string, number> = new Map<string, number>();
  readonly #transient: Set<Storage> = new Set<Storage>();
  readonly #kept: Set<Storage> = new Set<Storage>();
  #phase = 'main';
  #allocated: readonly Storage[] = [];
  #final: Rewritten | undefined;
  #chosen: ReadonlyMap<Dispatch, Program> | undefined;

  /**
   * @param rewrite fuses and splits dispatches, once all are recorded
   * @param workspace shared with plans that never run in between; without it, the plan has memory of its own
   */
  constructor(rewrite?: Rewrite, workspace?: Workspace) {
    this.#rewrite = rewrite;
    this.#own = workspace === undefined;
    this.#workspace = workspace ?? new Workspace();
  }

  /** A tensor that one dispatch of this plan writes and later ones read. A dispatch whose result nobody reads is dropped. */
  tensor(label: string, shape: readonly number[]): Tensor;
  tensor<T extends DType>(label: string, shape: readonly number[], dtype: T): Tensor<T>;
  tensor(label: string, shape: readonly number[], dtype: DType = 'f32'): Tensor<DType> {
    const storage = new Storage(label, elements(shape) * bytesPerElement(dtype));
    this.#transient.add(storage);
    return new Tensor(storage, 0, shape, dtype);
  }

  /** A tensor that starts as zeros and keeps its values from replay to replay, and from plan to plan of a workspace. */
  state(label: string, shape: readonly number[]): Tensor {
    const number = this.#names.get(label) ?? 0;
    this.#names.set(label, number + 1);
    const bytes = 4 * elements(shape);
    return new Tensor(this.#workspace.state(`${label} ${number} ${bytes}`, label, bytes), 0, shape, 'f32');
  }

  /** Numbers that are known when the plan is recorded. */
  constant(label: string, values: readonly number[]): Tensor {
    const tensor = this.state(label, [values.length]);
    this.#workspace.fill(tensor.storage, values);
    return tensor;
  }

  /** Says that a tensor is read from outside of the plan, so that what writes it stays. */
  keep(tensor: Tensor<DType>): void {
    this.#kept.add(tensor.storage);
  }

  /** Begins a part of the step, for the plan's table. */
  phase(name: string): void {
    this.#phase = name;
  }

  add(dispatch: Dispatch): void {
    this.#recorded.push({ phase: this.#phase, dispatch });
  }

  /** Chooses variants, allocates, binds and compiles. @throws {MlpError} `out-of-memory`, `shader` or `validation`; nothing is left behind */
  async compile(gpu: Gpu, what: string, steps?: StepRecords): Promise<Plan> {
    const { tuning = 'off' } = gpu.tuning;
    if (tuning !== 'off') this.#chosen = await this.#tuned(gpu);
    const plan = await gpu
      .guarded(what, () => this.build(gpu, what, steps))
      .catch((error: unknown) => {
        this.#workspace.dispose(this.#allocated);
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
    const { tune } = await import('../gpu/tuner.js');
    return await tune(
      gpu,
      this.#finished(gpu).recorded.map(({ dispatch }) => dispatch),
    );
  }

  /** Allocates and binds at once; pipelines are compiled when they are first used, or by `ready()`. */
  build(gpu: Gpu, what: string, steps?: StepRecords): Plan {
    const { recorded: live, notes } = this.#finished(gpu);
    this.#workspace.lend(this.#lives(live));
    this.#allocated = this.#workspace.allocate(gpu);
    const dispatches = live.map(({ dispatch }) => dispatch);
    const { buffer, offsets } = uploadUniforms(gpu, dispatches);
    const commands = live.map(({ phase, dispatch }, index): PlannedCommand => {
      const program = this.#chosen?.get(dispatch) ?? choose(dispatch, gpu.info);
      return { ...bind(gpu, dispatch, program, buffer, offsets[index] ?? {}, steps?.buffer), phase };
    });
    return new Plan(gpu, what, { commands, notes, uniforms: buffer, workspace: this.#workspace, own: this.#own });
  }

  /** What the plan runs: without what nobody reads, and rewritten. */
  #finished({ info }: Gpu): Rewritten {
    if (this.#final === undefined) {
      const recorded = this.#live(this.#recorded);
      const fused = this.#rewrite?.(recorded, info) ?? { recorded, notes: [] };
      for (const storage of fused.transient ?? []) this.#transient.add(storage);
      this.#final = { ...fused, recorded: this.#live(fused.recorded) };
    }
    return this.#final;
  }

  /** For each transient storage, the first and the last dispatch that need it. */
  #lives(live: readonly Recorded[]): Map<Storage, readonly [number, number]> {
    const lives = new Map<Storage, readonly [number, number]>();
    for (const [index, { dispatch }] of live.entries()) {
      for (const tensor of Object.values(dispatch.buffers)) {
        if (tensor === undefined || !this.#transient.has(tensor.storage)) continue;
        const [first] = lives.get(tensor.storage) ?? [index];
        lives.set(tensor.storage, [first, this.#kept.has(tensor.storage) ? live.length : index]);
      }
    }
    return lives;
  }

  /** The dispatches whose result is read by a later one, kept, or lives outside of the plan. */
  #live(all: readonly Recorded[]): readonly Recorded[] {
    const read = new Set(this.#kept);
    const live: Recorded[] = [];
    for (const recorded of [...all].reverse()) {
      const { buffers } = recorded.dispatch;
      const isLive = written(recorded.dispatch).some((storage) => !this.#transient.has(storage) || read.has(storage));
      if (!isLive) continue;
      for (const tensor of Object.values(buffers)) if (tensor !== undefined) read.add(tensor.storage);
      live.push(recorded);
    }
    return live.reverse();
  }
}

/** What a dispatch writes. */
function written({ buffers, programs }: Dispatch): Storage[] {
  const shader = programs[0]?.shader;
  return Object.entries(buffers).flatMap(([name, tensor]) =>
    tensor !== undefined && shader?.buffers[name]?.access === 'read_write' ? [tensor.storage] : [],
  );
}

/** A command, and the part of the step that it belongs to. */
type PlannedCommand = Command & { readonly phase: string };

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

/** A plan that has been replayed so often is worth compiling its later programs. */
const OFTEN = 16;

/** Recorded once, replayed every step: dispatches with their pipelines, bind groups and grid sizes settled. */
export class Plan {
  readonly label: string;
  readonly #gpu: Gpu;
  readonly #commands: readonly PlannedCommand[];
  readonly #uniforms: GPUBuffer;
  readonly #workspace: Workspace;
  readonly #own: boolean;
  readonly #notes: readonly string[];
  #encoded = 0;
  #disposed = false;

  /** @internal @param parts the workspace is disposed with the plan if it is its own */
  constructor(
    gpu: Gpu,
    label: string,
    parts: {
      readonly commands: readonly PlannedCommand[];
      readonly uniforms: GPUBuffer;
      readonly notes: readonly string[];
      readonly workspace: Workspace;
      readonly own: boolean;
    },
  ) {
    this.#gpu = gpu;
    this.label = label;
    this.#commands = parts.commands;
    this.#uniforms = parts.uniforms;
    this.#notes = parts.notes;
    this.#workspace = parts.workspace;
    this.#own = parts.own;
  }

  /** Resolves when every pipeline is compiled; all are compiled at once. */
  async ready(): Promise<void> {
    const pipelines = new Set(this.#commands.map(({ pipeline }) => pipeline));
    await this.#gpu.pipelines.load();
    const all = Promise.all([...pipelines].map((pipeline) => pipeline.ready()));
    this.#gpu.catchUp();
    await all.catch((cause: unknown) => this.#gpu.explain(this.label, cause));
    this.#gpu.check();
  }

  /** Encodes a replay. @param stepOffset the byte offset of this step's record */
  encode(pass: Pass, stepOffset: number): void {
    if (this.#disposed) throw new DisposedError(`${this.label} has been disposed.`);
    this.#encoded += 1;
    if (this.#encoded === OFTEN) void this.#compileLater();
    encode(pass, this.#commands, stepOffset);
  }

  /** One after the other, since other plans may be waiting for the compiler; without them this one goes on as it is. */
  async #compileLater(): Promise<void> {
    for (const { later } of this.#commands) {
      if (this.#disposed) return;
      await later?.pipeline.ready().catch(() => undefined);
    }
  }

  /** Whether one replay can be of several steps: its record then has the rows of them all. */
  get takesRuns(): boolean {
    return this.#commands.every(({ dispatch: { run = false } }) => run);
  }

  /** What runs, in order. */
  get dispatches(): readonly PlannedDispatch[] {
    return this.#commands.map((command) => describe(command.phase, command.dispatch, current(command).program));
  }

  /** What it holds on the GPU, apart from the model's parameters, the data and a few words for results. */
  get memory(): PlanMemory {
    return this.#workspace.bytes;
  }

  /** The plan as a table, a line a dispatch, and what was fused, or why not. */
  toString(): string {
    const dispatches = table(
      ['phase', 'dispatch', 'variant', 'workgroups', 'bytes', 'FLOPs'],
      this.dispatches.map(({ phase, label, variant, workgroups, bytes, flops }) => [
        phase,
        label,
        variant,
        workgroups.join('×'),
        `${bytes}`,
        `${flops}`,
      ]),
    );
    const { state, transient } = this.memory;
    return [dispatches, ...this.#notes, `memory: ${state} bytes of state, ${transient} of values within a step`].join(
      '\n',
    );
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#own) this.#workspace.dispose();
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
