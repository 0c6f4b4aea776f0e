import { assertWord } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { scoreCounts, scoresOf } from '../../kernels/score-counts.js';
import { PER_STEP } from '../../plan/dispatch.js';
import { type Accumulator, type Metric, type Sums, type Task, wantsDecisions } from './metric.js';

/** Options of `auc`. */
export interface AucOptions {
  /**
   * Average over the classes of a softmax with more than two outputs, or over several logistic outputs: `macro` is the
   * plain mean, `weighted` the mean weighted by the number of samples of each class. Default: `macro`.
   * Example: `average: 'macro'`.
   */
  readonly average?: 'macro' | 'weighted' | undefined;
}

const NAMES: OptionNames<AucOptions> = { average: 1 };

/** Bins of a histogram, if there is one score. Several scores share twice as many, and have `LEAST_BINS` each at least. */
const BINS = 2 ** 15;
const LEAST_BINS = 2 ** 10;

const formOf = ({ link }: Task): { readonly logistic: boolean } => ({ logistic: link === 'logistic' });

/** Bins for each of a number of scores. */
function binsOf(scores: number): number {
  if (scores === 1) return BINS;
  return Math.max(LEAST_BINS, 2 ** Math.floor(Math.log2((2 * BINS) / scores)));
}

/** Histograms of the scores: of other samples, and of samples of the class. */
const histograms: Accumulator = {
  dtype: 'u32',
  shape(_, task) {
    const scores = scoresOf(task.outputs, formOf(task));
    return [scores, 2, binsOf(scores)];
  },
  record(plan, outputs, labels, sums, task) {
    if (sums.dtype === 'u32') plan.add(scoreCounts(outputs, labels, sums, PER_STEP, formOf(task)));
  },
};

/** The area under the curve of one class, and the number of its samples. */
interface Area {
  readonly value: number;
  readonly positives: number;
}

/**
 * Area under the ROC curve: the probability that a random sample of a class has a higher score than a random sample that
 * is not of the class, where equal scores count half. 1 is a perfect order, 0.5 that of chance. scikit-learn's
 * `roc_auc_score`: of class 1 for a single logistic output or a softmax of two; for a softmax of more classes the average
 * of each class against all others (`multi_class='ovr'`); for several logistic outputs the average over the outputs.
 * Classes without samples, or without other samples, are left out of the average; if none is left, the value is NaN. It
 * is NaN also if an output is not finite. Weights of samples and classes affect only the loss.
 *
 * Scores are log-odds, which do not saturate as probabilities do. The GPU counts them in bins: 32,768 bins of one score,
 * which are (1 + |z|/8)²/2048 wide at log-odds z; or 65,536/k bins of each of k scores, rounded down to a power of two, at
 * least 1,024. Two scores in one bin count as equal, so the value differs from the exact one by at most half of the share
 * of pairs (a sample of the class, another one) whose scores are in one bin. Adds one dispatch per step.
 * @throws {MlpError} `bad-option` if `average` is not known
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 64, metrics: [auc()] });
 */
export function auc(options: AucOptions = {}): Metric<'auc'> {
  const { average = 'macro' } = checkOptions('auc', options, NAMES);
  assertWord('auc:', { average }, ['macro', 'weighted']);
  return {
    name: 'auc',
    accumulator: histograms,
    unfit(task) {
      if (task.link === 'softmax' && task.outputs < 2) return 'needs two classes. Use binaryCrossEntropy()';
      return wantsDecisions(task);
    },
    value(sums, task) {
      const areas = areasOf(sums, task);
      const weightOf = ({ positives }: Area): number => (average === 'macro' ? 1 : positives);
      const weights = areas.reduce((sum, area) => sum + weightOf(area), 0);
      return areas.reduce((sum, area) => sum + weightOf(area) * area.value, 0) / weights;
    },
  };
}

/** The areas of all classes that have one. NaN for a class with a score that is not finite. */
function areasOf({ accumulators, rows }: Sums, task: Task): Area[] {
  const counts = accumulators.get(histograms) ?? new Float64Array(0);
  const bins = binsOf(scoresOf(task.outputs, formOf(task)));
  const areas: Area[] = [];
  for (let start = 0; start < counts.length; start += 2 * bins) {
    const area = areaOf(counts.subarray(start, start + bins), counts.subarray(start + bins, start + 2 * bins), rows);
    if (area !== undefined) areas.push(area);
  }
  return areas;
}

/** The area from the histograms of a score; undefined if one of them is empty. */
function areaOf(others: Float64Array, own: Float64Array, rows: number): Area | undefined {
  let negatives = 0;
  let positives = 0;
  let pairs = 0;
  for (let bin = 0; bin < own.length; bin++) {
    const [count, beside] = [own[bin] ?? 0, others[bin] ?? 0];
    pairs += count * (negatives + beside / 2);
    negatives += beside;
    positives += count;
  }
  if (positives + negatives < rows) return { value: Number.NaN, positives };
  return positives * negatives === 0 ? undefined : { value: pairs / (positives * negatives), positives };
}
