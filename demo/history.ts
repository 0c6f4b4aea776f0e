/** A point of the curves and their tables: one for each report, with test values at the end of each epoch. */
export interface Point {
  /** Number of training steps so far. */
  readonly step: number;
  readonly loss: number;
  readonly accuracy: number;
  /** Mean over about the last twenty steps, because a single batch is noisy. */
  readonly meanLoss: number;
  readonly meanAccuracy: number;
  readonly testLoss?: number;
  readonly testAccuracy?: number;
}

type Report = Pick<Point, 'step' | 'loss' | 'accuracy'>;

const MEMORY_STEPS = 20;

/** The points of a run, in the order of their steps. */
export class TrainingHistory {
  readonly points: Point[] = [];
  /** Sum of the weights in the running mean so far. Dividing by it makes the first means unbiased. */
  #weight = 0;

  add({ step, loss, accuracy }: Report): void {
    const last = this.points.at(-1);
    const share = 1 - Math.exp(-(step - (last?.step ?? 0)) / MEMORY_STEPS);
    this.#weight += (1 - this.#weight) * share;
    const towards = share / this.#weight;
    const meanLoss = last === undefined ? loss : last.meanLoss + towards * (loss - last.meanLoss);
    const meanAccuracy = last === undefined ? accuracy : last.meanAccuracy + towards * (accuracy - last.meanAccuracy);
    this.points.push({ step, loss, accuracy, meanLoss, meanAccuracy });
  }

  /** Adds test values to the last point. */
  addTest(testLoss: number, testAccuracy: number): void {
    const last = this.points.pop();
    if (last !== undefined) this.points.push({ ...last, testLoss, testAccuracy });
  }
}

/** All points with test values, and about `count` evenly spaced ones of the others. */
export function thinned(points: readonly Point[], count: number): Point[] {
  const every = Math.max(1, Math.ceil(points.length / count));
  return points.filter((point, i) => point.testLoss !== undefined || i % every === 0 || i === points.length - 1);
}
