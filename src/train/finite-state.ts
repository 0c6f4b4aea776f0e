import { NotFiniteError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { Tensor } from '../plan/tensor.js';
import { ALL_FINITE, meanLoss, type ReadSums } from './accumulators.js';
import type { Progress, Session } from './session.js';

/**
 * Allocates a copy of a session's state on the device, for `onNotFinite: "restore"`, and keeps the present state.
 * @throws {MlpError} `out-of-memory`; nothing stays allocated
 */
export async function finiteState(session: Session): Promise<FiniteState> {
  const copies = new Owner();
  try {
    return await session.model.device.guarded('fit', () => new FiniteState(session, copies));
  } catch (error) {
    copies.dispose();
    throw error;
  }
}

/** The latest state of a session that is known to be finite: parameters, buffers, optimizer state and progress. */
export class FiniteState {
  readonly #session: Session;
  readonly #copies: Owner;
  readonly #kept: readonly { readonly live: Tensor; readonly copy: Tensor }[];
  #progress: Progress;
  /** The time of the state, for messages: "they were at the beginning of fit". */
  #time: string;

  constructor(session: Session, copies: Owner) {
    this.#session = session;
    this.#copies = copies;
    const state = [...session.state].filter(([, { byteLength }]) => byteLength > 0);
    this.#kept = state.map(([name, storage]) => {
      const live = new Tensor(storage, 0, [storage.byteLength / 4], 'f32');
      return { live, copy: copies.own(Tensor.empty(session.model.device, live.shape, `finite ${name}`)) };
    });
    this.#progress = session.progress;
    this.#time = '';
    this.keep('they were when fit began');
  }

  /** Keeps the present state. @param time the time of the state, for the message of an error */
  keep(time: string): void {
    for (const { live, copy } of this.#kept) copy.copyFrom(live);
    this.#progress = { ...this.#session.progress };
    this.#time = time;
  }

  /** Gives the session the state that was kept last. @returns the time of the state */
  restore(): string {
    for (const { live, copy } of this.#kept) live.copyFrom(copy);
    this.#session.progress = { ...this.#progress };
    this.#session.latestRows = 0;
    return `${this.#time} (step ${this.#progress.steps})`;
  }

  dispose(): void {
    this.#copies.dispose();
  }
}

/**
 * Makes the error of a session in which a value is not finite.
 * @param status a copy of `status`, which has the first step of each kind
 * @param before sums of the previous report
 * @param finite the latest finite state, which is restored if a value is not finite
 */
export function notFinite(
  { model, latestRate, every }: Session,
  status: Uint32Array,
  firstStep: number,
  epoch: number,
  before: ReadSums,
  finite: FiniteState | undefined,
): NotFiniteError {
  // The loss of a step of several batches has the number of the batch.
  const [batch = ALL_FINITE] = status;
  if (batch !== ALL_FINITE) status[0] = Math.floor(batch / every);
  const step = Math.min(...status);
  const layer = status.indexOf(step) - 1;
  const what = layer < 0 ? 'the loss' : `a parameter of layer ${layer} (${model.layers[layer]?.layer.spec.type ?? ''})`;
  const last = before.rows > 0 ? ` The mean loss before was ${meanLoss(before)}.` : '';
  const state =
    finite === undefined
      ? 'The parameters are those after this failure, and most likely not finite: put back earlier ones by trainer.restore(checkpoint) or model.setWeights(), or let fit do so with onNotFinite: "restore".'
      : `Parameters, running statistics and optimizer state are again as ${finite.restore()}.`;
  return new NotFiniteError(
    `fit: ${what} is not finite after step ${step} (epoch ${epoch}, its step ${step - firstStep}) at learning rate ${latestRate}.${last} ${state} Then use a smaller learning rate, limit the gradients by clip: { norm: 1 }, normalise the inputs, or look for extreme values in the data.`,
    step,
    layer < 0 ? 'loss' : `${layer}`,
    { restored: finite !== undefined },
  );
}
