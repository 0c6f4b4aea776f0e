import { Owner } from '../base/owner.js';
import { Tensor } from '../plan/tensor.js';
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
