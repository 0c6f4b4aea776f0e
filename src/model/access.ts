import { MlpError } from '../base/errors.js';

/**
 * The ways to use a model's parameters: `update` changes them (fit, step, restore, setWeights, loadWeights); `borrow` moves them
 * and puts them back (lossSurface, checkGradients); `read` looks at them (evaluate, predict, save, weights, gradients, diagnose,
 * checkpoint).
 */
export type Use = 'update' | 'borrow' | 'read';

/** For each use that is asked for, the uses that it may begin beside. */
const BESIDE: Readonly<Record<Use, Readonly<Record<Use, boolean>>>> = {
  // A reader sees the parameters of one moment in each submit, whatever is queued behind it.
  update: { update: false, borrow: false, read: true },
  // A reader would see moved parameters, and an update would be undone.
  borrow: { update: false, borrow: false, read: false },
  read: { update: true, borrow: false, read: true },
};

/** A trainer's session: while it is paused it queues nothing, and others may have the model. */
interface User {
  readonly isPaused: boolean;
  /** True while it queues steps; between epochs a fit validates, which is a read. */
  readonly midEpoch: boolean;
}

interface Running {
  readonly use: Use;
  /** The method that a user called. */
  readonly what: string;
  readonly by: User | undefined;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
}

/** True for a paused fit of another session, which a borrow may begin beside only where the fit reads nothing either. */
const isHeld = ({ use, by }: Running, asked: Use, asker?: User): boolean =>
  use === 'update' && by !== asker && by?.isPaused === true && (asked !== 'borrow' || by.midEpoch);

/** Answers "may this run now?", for a model and everything that is made of it. */
export class Access {
  readonly #running: Set<Running> = new Set<Running>();

  /**
   * Asks for a use that ends where it begins.
   * @param by the session that asks, which its own pause does not make way for
   * @throws {MlpError} `busy`, naming the operation that is in the way
   */
  check(use: Use, what: string, by?: User): void {
    for (const running of this.#running) {
      if (BESIDE[use][running.use] || isHeld(running, use, by)) continue;
      const remedy = running.what === 'fit' ? ', or stop it through its signal' : '';
      throw new MlpError('busy', `${what}: ${running.what} is running on this model. Await it${remedy}.`);
    }
  }

  /** Asks for a use that lasts as long as `work`. @throws {MlpError} `busy`; and what `work` throws */
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

  /** Waits, after a pause, for updates and borrows that have begun meanwhile. */
  async regained(by: User): Promise<void> {
    for (const running of this.#running) {
      if (running.by !== by && !isHeld(running, 'update', by) && !BESIDE.update[running.use]) await running.over;
    }
  }
}
