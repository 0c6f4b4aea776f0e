import { DisposedError } from '../base/errors.js';
import { table } from '../base/text-table.js';
import type { Replay } from './device.js';
import { type Dispatch, NO_STEP, type Program } from './dispatch.js';
import type { BufferCopy } from './memory.js';
import type { StepRecord, StepRecords } from './step-records.js';
import type { PlanMemory, Workspace } from './workspace.js';

/** Dispatch, and the phase of the step that it belongs to. */
export interface Recorded {
  readonly phase: string;
  readonly dispatch: Dispatch;
}

/** Description of a dispatch of a plan. */
export interface PlannedDispatch {
  /** Phase of the step, such as `forward`. */
  readonly phase: string;
  /** Name of the kernel. */
  readonly kernel: string;
  /** Kernel and shape, such as `matmul NN 128×10×784`. */
  readonly label: string;
  /**
   * Program that the dispatch runs on this adapter. It can change after many replays, to a faster one with the same
   * results.
   */
  readonly variant: string;
  /** Number of workgroups in x, y and z. */
  readonly workgroups: readonly [number, number, number];
  /** Bytes of the tensors that the dispatch binds. */
  readonly bytes: number;
  /** Number of floating-point operations; a multiply-add counts as 2. */
  readonly flops: number;
}

/** Parts of a plan, which the plan disposes of. */
interface PlanParts {
  readonly recorded: readonly Recorded[];
  readonly replay: Replay;
  readonly notes: readonly string[];
  readonly steps: StepRecords | undefined;
  readonly workspace: Workspace;
  /** True if the plan also disposes of the workspace. */
  readonly own: boolean;
}

/**
 * Dispatches that are recorded once and replayed for each step, with their programs, memory and grids already chosen.
 * Trainers make plans; `trainer.plan` is the one of a training step.
 * @example
 * console.log(`${trainer.plan}`);
 */
export class Plan {
  /** @internal Name of the plan, for messages. */
  readonly label: string;
  readonly #parts: PlanParts;
  #disposed = false;

  /** @internal */
  constructor(label: string, parts: PlanParts) {
    this.label = label;
    this.#parts = parts;
  }

  /**
   * @internal Compiles all programs, in parallel, and resolves when they are compiled.
   * @throws {MlpError} `shader` if one does not compile
   */
  ready(): Promise<void> {
    return this.#parts.replay.ready();
  }

  /**
   * @internal Queues a replay for each record, followed by copies, in one submit.
   * @param what name of the operation, which begins error messages
   * @throws {DisposedError} after `dispose`
   */
  run(what: string, records: readonly StepRecord[] = [NO_STEP], copies: readonly BufferCopy[] = []): void {
    if (this.#disposed) throw new DisposedError(`${this.label} has been disposed.`);
    const { replay, steps } = this.#parts;
    replay.submit(what, steps?.write(records) ?? records.map(() => 0), copies);
  }

  /**
   * @internal True if one replay can run several steps; the rows of its record are then the rows of all their batches.
   */
  get takesRuns(): boolean {
    return this.#parts.recorded.every(({ dispatch: { run = false } }) => run);
  }

  /** Dispatches in the order in which they run. */
  get dispatches(): readonly PlannedDispatch[] {
    const { recorded, replay } = this.#parts;
    return recorded.map(({ phase, dispatch }, index) => describe(phase, dispatch, replay.programOf(index)));
  }

  /** Bytes that the plan uses on the device, without the model's parameters, the data and a few words for results. */
  get memory(): PlanMemory {
    return this.#parts.workspace.bytes;
  }

  /**
   * Formats the plan as a table with a line for each dispatch, followed by the fusions, the reasons against others, and
   * the memory.
   */
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
    const memory = `memory: ${state} bytes of state, ${transient} of values within a step`;
    return [dispatches, ...this.#parts.notes, memory].join('\n');
  }

  /** @internal Frees the memory. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { own, workspace, replay } = this.#parts;
    if (own) workspace.dispose();
    replay.dispose();
  }

  /** @internal Vue reads it: `ref()` and `reactive()` then make no proxy, which could not reach the private members. */
  get __v_skip(): true {
    return true;
  }
}

/** Describes a dispatch and the program that it runs. */
function describe(
  phase: string,
  { kernel, label, buffers, flops }: Dispatch,
  { variant, workgroups }: Program,
): PlannedDispatch {
  let bytes = 0;
  for (const tensor of new Set(Object.values(buffers))) bytes += tensor?.byteLength ?? 0;
  return { phase, kernel, label, variant, workgroups, bytes, flops };
}
