import { DisposedError } from '../base/errors.js';
import { table } from '../base/text-table.js';
import type { Replay } from './device.js';
import { type Dispatch, NO_STEP, type Program } from './dispatch.js';
import type { BufferCopy } from './memory.js';
import type { StepRecord, StepRecords } from './step-records.js';
import type { PlanMemory, Workspace } from './workspace.js';

/** A dispatch, and the part of the step that it belongs to. */
export interface Recorded {
  readonly phase: string;
  readonly dispatch: Dispatch;
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

/** The parts of a plan, which it disposes of. */
interface PlanParts {
  readonly recorded: readonly Recorded[];
  readonly replay: Replay;
  readonly notes: readonly string[];
  readonly steps: StepRecords | undefined;
  readonly workspace: Workspace;
  /** True if the workspace is disposed with the plan. */
  readonly own: boolean;
}

/** Recorded once, replayed every step: dispatches with their programs, memory and grid sizes settled. */
export class Plan {
  /** @internal */
  readonly label: string;
  readonly #parts: PlanParts;
  #disposed = false;

  /** @internal */
  constructor(label: string, parts: PlanParts) {
    this.label = label;
    this.#parts = parts;
  }

  /** @internal Resolves when every program is compiled; all are compiled at once. */
  ready(): Promise<void> {
    return this.#parts.replay.ready();
  }

  /**
   * @internal
   * Queues a replay for each record, and copies behind them, in one submit.
   * @param what the caller, for messages
   */
  run(what: string, records: readonly StepRecord[] = [NO_STEP], copies: readonly BufferCopy[] = []): void {
    if (this.#disposed) throw new DisposedError(`${this.label} has been disposed.`);
    const { replay, steps } = this.#parts;
    replay.submit(what, steps?.write(records) ?? records.map(() => 0), copies);
  }

  /** @internal True if one replay can be of several steps: its record then has the rows of them all. */
  get takesRuns(): boolean {
    return this.#parts.recorded.every(({ dispatch: { run = false } }) => run);
  }

  /** The dispatches, in the order in which they run. */
  get dispatches(): readonly PlannedDispatch[] {
    const { recorded, replay } = this.#parts;
    return recorded.map(({ phase, dispatch }, index) => describe(phase, dispatch, replay.programOf(index)));
  }

  /** Bytes that it holds on the device, apart from the model's parameters, the data and a few words for results. */
  get memory(): PlanMemory {
    return this.#parts.workspace.bytes;
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
    const memory = `memory: ${state} bytes of state, ${transient} of values within a step`;
    return [dispatches, ...this.#parts.notes, memory].join('\n');
  }

  /** @internal */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { own, workspace, replay } = this.#parts;
    if (own) workspace.dispose();
    replay.dispose();
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
