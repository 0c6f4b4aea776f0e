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

interface Running {
  readonly use: Use;
  /** The method that a user called. */
  readonly what: string;
}

/** Answers "may this run now?", for a model and everything that is made of it. */
export class Access {
  readonly #running: Set<Running> = new Set<Running>();

  /** Asks for a use that ends where it begins. @throws {MlpError} `busy`, naming the operation that is in the way */
  check(use: Use, what: string): void {
    for (const { use: other, what: name } of this.#running) {
      if (BESIDE[use][other]) continue;
      const remedy = name === 'fit' ? ', or stop it through its signal' : '';
      throw new MlpError('busy', `${what}: ${name} is running on this model. Await it${remedy}.`);
    }
  }

  /** Asks for a use that lasts as long as `work`. @throws {MlpError} `busy`; and what `work` throws */
  async during<T>(use: Use, what: string, work: () => Promise<T>): Promise<T> {
    this.check(use, what);
    const running = { use, what };
    this.#running.add(running);
    try {
      return await work();
    } finally {
      this.#running.delete(running);
    }
  }
}
