import { MlpError } from '../base/errors.js';

/**
 * Use of a model's parameters by an operation: `update` changes them (fit, step, restore, setWeights, loadWeights); `borrow`
 * changes them temporarily and restores them (lossSurface, checkGradients); `read` only reads them (evaluate, predict, save,
 * weights, gradients, diagnose, checkpoint).
 */
export type Use = 'update' | 'borrow' | 'read';

/** For each requested use, the running uses beside which it may begin. */
const BESIDE: Readonly<Record<Use, Readonly<Record<Use, boolean>>>> = {
  // A submit is atomic: a reader sees the parameters as they are between two submits of an update.
  update: { update: false, borrow: false, read: true },
  // During a borrow a reader would see the temporary parameters, and the restore would undo an update.
  borrow: { update: false, borrow: false, read: false },
  read: { update: true, borrow: false, read: true },
};

/** A trainer's session. While its fit is paused it queues nothing, so other operations may use the model. */
interface User {
  /** True while its fit is paused. */
  readonly isPaused: boolean;
  /** True during the steps of an epoch. Between epochs a fit evaluates its validation set, which is a read. */
  readonly midEpoch: boolean;
}

/** An operation that is running. */
interface Running {
  readonly use: Use;
  /** Name of the public method, for error texts. */
  readonly what: string;
  /** The trainer's session that runs it, if any. */
  readonly by: User | undefined;
  /** Resolves when the operation ends. */
  readonly over: Promise<void>;
}

/**
 * True if `running` is a paused fit of another session, which does not block the requested use. A borrow is blocked by a fit
 * that is paused between epochs, because that fit may still evaluate its validation set.
 */
const isHeld = ({ use, by }: Running, asked: Use, asker?: User): boolean =>
  use === 'update' && by !== asker && by?.isPaused === true && (asked !== 'borrow' || by.midEpoch);

/** Decides if an operation may run now on a model, for the model itself and all its trainers. */
export class Access {
  readonly #running: Set<Running> = new Set<Running>();
  #updates = 0;

  /** Number of updates that were allowed so far. A paused fit tells by it that others may have changed the model. */
  get updates(): number {
    return this.#updates;
  }

  /**
   * Checks that an operation may begin now. Sufficient by itself for an operation that ends synchronously.
   * @param what name of the public method, for the error text
   * @param by the session that requests the use; its own paused fit blocks it
   * @throws {MlpError} `busy`, naming the running operation that blocks this one
   */
  check(use: Use, what: string, by?: User): void {
    for (const running of this.#running) {
      if (BESIDE[use][running.use] || isHeld(running, use, by)) continue;
      const remedy = running.what === 'fit' ? ', or stop it through its signal' : '';
      throw new MlpError('busy', `${what}: ${running.what} is running on this model. Await it${remedy}.`);
    }
    if (use === 'update') this.#updates += 1;
  }

  /** Runs `work`, and blocks conflicting uses until it ends. @throws {MlpError} `busy`; and whatever `work` throws */
  async during<T>(use: Use, what: string, work: () => Promise<T>, by?: User): Promise<T> {
    this.check(use, what, by);
    let end = (): void => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const running = { use, what, by, over };
    this.#running.add(running);
    try {
      return await work();
    } finally {
      this.#running.delete(running);
      end();
    }
  }

  /** Waits, at the end of a pause, until all updates and borrows that began during the pause have ended. */
  async regained(by: User): Promise<void> {
    for (const running of this.#running) {
      if (running.by !== by && !isHeld(running, 'update', by) && !BESIDE.update[running.use]) await running.over;
    }
  }
}
