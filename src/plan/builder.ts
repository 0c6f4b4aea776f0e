import { sizeOf } from '../base/check.js';
import type { Device } from './device.js';
import type { AdapterTraits, Dispatch, Program } from './dispatch.js';
import { lifetimes, liveDispatches } from './liveness.js';
import { Plan, type Recorded } from './plan.js';
import type { StepRecords } from './step-records.js';
import { bytesPerElement, type DType, Tensor, TensorStorage } from './tensor.js';
import { Workspace } from './workspace.js';

/** Result of a `Rewrite`. */
export interface Rewritten {
  /** Dispatches that do the same work as the recorded ones. */
  readonly recorded: readonly Recorded[];
  /** Lines for the plan's table: the dispatches that were fused, or the reasons why they were not. */
  readonly notes: readonly string[];
  /** Storages of the new dispatches that no recorded dispatch uses. */
  readonly transient?: readonly TensorStorage[];
}

/** Replaces the dispatches of a step by others that do the same work faster on an adapter. */
export type Rewrite = (recorded: readonly Recorded[], adapter: AdapterTraits) => Rewritten;

/**
 * Records the dispatches of a training step or another sequence, and the memory that they need. Layers, losses and
 * optimizers get one as an argument of `record`; it is compiled to a plan, which replays the dispatches.
 * @example
 * const Y = plan.tensor('Y', [128, 10]);
 * plan.add(matmul(X, W, Y));
 */
export class PlanBuilder {
  readonly #rewrite: Rewrite | undefined;
  readonly #workspace: Workspace;
  /** True if no other plan uses the workspace, so that the plan disposes of it. */
  readonly #ownsWorkspace: boolean;
  readonly #recorded: Recorded[] = [];
  /** Number of states of each label. */
  readonly #names: Map<string, number> = new Map<string, number>();
  /** Storages whose values are needed within one replay only. */
  readonly #transient: Set<TensorStorage> = new Set<TensorStorage>();
  /** Transient storages that are read from outside of the plan. */
  readonly #kept: Set<TensorStorage> = new Set<TensorStorage>();
  #phase = 'main';
  /** Storages of the workspace that were allocated for this plan. */
  #allocated: readonly TensorStorage[] = [];
  /** Cache of `#finished`. */
  #final: Rewritten | undefined;

  /**
   * @internal
   * @param rewrite fuses and splits dispatches after all are recorded
   * @param workspace memory shared with other plans, which must not run between two dispatches of this one; without it,
   * the plan has its own memory
   */
  constructor(rewrite?: Rewrite, workspace?: Workspace) {
    this.#rewrite = rewrite;
    this.#ownsWorkspace = workspace === undefined;
    this.#workspace = workspace ?? new Workspace();
  }

  /**
   * Creates a float32 tensor that one dispatch of this plan writes and later dispatches read. Its memory is reused
   * after the last dispatch that reads it. A dispatch whose result is never read is removed from the plan; `keep`
   * prevents that.
   */
  tensor(label: string, shape: readonly number[]): Tensor;
  /** Creates such a tensor of another element type. */
  tensor<T extends DType>(label: string, shape: readonly number[], dtype: T): Tensor<T>;
  tensor(label: string, shape: readonly number[], dtype: DType = 'f32'): Tensor<DType> {
    const storage = new TensorStorage(label, sizeOf(shape) * bytesPerElement(dtype));
    this.#transient.add(storage);
    return new Tensor(storage, 0, shape, dtype);
  }

  /**
   * Creates a float32 tensor that is zero at first and keeps its values between replays, such as an optimizer's
   * velocity. Plans that share a workspace share the states of the same label, order and size.
   */
  state(label: string, shape: readonly number[]): Tensor {
    const number = this.#names.get(label) ?? 0;
    this.#names.set(label, number + 1);
    const bytes = 4 * sizeOf(shape);
    return new Tensor(this.#workspace.state(`${label} ${number} ${bytes}`, label, bytes), 0, shape, 'f32');
  }

  /** Creates a tensor of numbers that are known when the plan is recorded, of shape (count). */
  constant(label: string, values: readonly number[]): Tensor {
    const tensor = this.state(label, [values.length]);
    this.#workspace.fill(tensor.storage, values);
    return tensor;
  }

  /** Marks a tensor as read from outside of the plan, so that the dispatches that write it are not removed. */
  keep(tensor: Tensor<DType>): void {
    this.#kept.add(tensor.storage);
  }

  /** @internal Names the phase of the dispatches that follow, such as `forward`, for the plan's table. */
  phase(name: string): void {
    this.#phase = name;
  }

  /** Adds a dispatch. Dispatches run in the order in which they were added. */
  add(dispatch: Dispatch): void {
    this.#recorded.push({ phase: this.#phase, dispatch });
  }

  /**
   * @internal Chooses the programs, allocates memory, binds it and compiles the programs.
   * @param what name of the plan, which begins its error messages
   * @param steps records of the steps, if dispatches have `PER_STEP`
   * @throws {MlpError} `out-of-memory`, `shader` or `validation`; memory that was allocated is freed
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

  /**
   * @internal Frees the storages of the workspace that were allocated for this plan, because the plan cannot be used.
   */
  discard(): void {
    this.#workspace.dispose(this.#allocated);
  }

  /**
   * @internal Allocates and binds memory without waiting; programs are compiled by `plan.ready()`, or when they are
   * first used.
   */
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
      return new Plan(what, { recorded, replay, notes, steps, workspace: this.#workspace, own: this.#ownsWorkspace });
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Dispatches of the plan: rewritten, and without those whose result is never read. */
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
