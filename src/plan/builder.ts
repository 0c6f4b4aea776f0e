import { sizeOf } from '../base/check.js';
import type { Device } from './device.js';
import type { AdapterTraits, Dispatch, Program } from './dispatch.js';
import { lifetimes, liveDispatches } from './liveness.js';
import { Plan, type Recorded } from './plan.js';
import type { StepRecords } from './step-records.js';
import { bytesPerElement, type DType, Tensor, TensorStorage } from './tensor.js';
import { Workspace } from './workspace.js';

/** The same work in other dispatches, and what to say about it. */
export interface Rewritten {
  readonly recorded: readonly Recorded[];
  readonly notes: readonly string[];
  /** Storages that these dispatches write and read besides those that were recorded. */
  readonly transient?: readonly TensorStorage[];
}

/** Looks at all of a step, and may find other dispatches for it on an adapter. */
export type Rewrite = (recorded: readonly Recorded[], adapter: AdapterTraits) => Rewritten;

/** Records the dispatches of a step, and what memory they need. */
export class PlanBuilder {
  readonly #rewrite: Rewrite | undefined;
  readonly #workspace: Workspace;
  /** True if the plan has the workspace for itself. */
  readonly #own: boolean;
  readonly #recorded: Recorded[] = [];
  readonly #names: Map<string, number> = new Map<string, number>();
  readonly #transient: Set<TensorStorage> = new Set<TensorStorage>();
  readonly #kept: Set<TensorStorage> = new Set<TensorStorage>();
  #phase = 'main';
  #allocated: readonly TensorStorage[] = [];
  #final: Rewritten | undefined;

  /**
   * @internal
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
    const storage = new TensorStorage(label, sizeOf(shape) * bytesPerElement(dtype));
    this.#transient.add(storage);
    return new Tensor(storage, 0, shape, dtype);
  }

  /** A tensor that starts as zeros and keeps its values from replay to replay, and from plan to plan of a workspace. */
  state(label: string, shape: readonly number[]): Tensor {
    const number = this.#names.get(label) ?? 0;
    this.#names.set(label, number + 1);
    const bytes = 4 * sizeOf(shape);
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

  /** @internal Begins a part of the step, for the plan's table. */
  phase(name: string): void {
    this.#phase = name;
  }

  add(dispatch: Dispatch): void {
    this.#recorded.push({ phase: this.#phase, dispatch });
  }

  /**
   * @internal
   * Chooses variants, allocates, binds and compiles.
   * @throws {MlpError} `out-of-memory`, `shader` or `validation`; nothing is left behind
   */
  async compile(device: Device, what: string, steps?: StepRecords): Promise<Plan> {
    const chosen = await device.tune(this.#finished(device).recorded.map(({ dispatch }) => dispatch));
    let built: Plan | undefined;
    try {
      const plan = await device.guarded(what, () => {
        built = this.build(device, what, steps, chosen);
        return built;
      });
      await plan.ready();
      return plan;
    } catch (error) {
      built?.dispose();
      this.discard();
      throw error;
    }
  }

  /** @internal Gives back what the plan was the first of its workspace to need, because the device had no memory for the plan. */
  discard(): void {
    this.#workspace.dispose(this.#allocated);
  }

  /** @internal Allocates and binds at once; programs are compiled when they are first used, or by `ready()`. */
  build(
    device: Device,
    what: string,
    steps?: StepRecords,
    chosen: ReadonlyMap<Dispatch, Program> = new Map<Dispatch, Program>(),
  ): Plan {
    const { recorded, notes } = this.#finished(device);
    this.#workspace.lend(lifetimes(recorded, this.#transient, this.#kept));
    this.#allocated = this.#workspace.allocate(device);
    try {
      const dispatches = recorded.map(({ dispatch }) => dispatch);
      const replay = device.bind(what, dispatches, steps, chosen);
      return new Plan(what, { recorded, replay, notes, steps, workspace: this.#workspace, own: this.#own });
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** The dispatches of the plan: rewritten, and without those whose result nobody reads. */
  #finished({ info }: Device): Rewritten {
    if (this.#final === undefined) {
      const recorded = this.#live(this.#recorded);
      const fused = this.#rewrite?.(recorded, info) ?? { recorded, notes: [] };
      for (const storage of fused.transient ?? []) this.#transient.add(storage);
      this.#final = { ...fused, recorded: this.#live(fused.recorded) };
    }
    return this.#final;
  }

  #live(all: readonly Recorded[]): readonly Recorded[] {
    return liveDispatches(all, this.#transient, this.#kept);
  }
}
