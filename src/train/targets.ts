import { DataError, MlpError } from '../base/errors.js';
import { Owner } from '../base/owner.js';
import { counting } from '../base/random.js';
import type { Dataset } from '../data/dataset.js';
import type { Statistics } from '../data/statistics.js';
import { gatherRows, type LabelTensor, type RowSource } from '../kernels/gather-rows.js';
import { scalingOf } from '../model/description.js';
import type { Model } from '../model/model.js';
import { NO_STEP } from '../plan/dispatch.js';
import { Tensor, upload } from '../plan/tensor.js';

/** Rows of a dispatch of `gatherRows`: a multiple of 64, so that the rows after them begin where a view may begin. */
const ROWS = 65_472;

/**
 * Standardizes the targets of a model, y ↦ (y − mean)·(1/std), before a step reads them: once for a data set on the
 * device, and on the host for minibatches and streams. Both compute in float32 in the same order, and therefore the same
 * bits. The difference is rounded before the multiplication, so that a large mean costs no precision. Weights of samples
 * stay as they are.
 */
export class TargetScaling {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Takes the statistics of the targets of a data set, unless the model knows statistics already. */
  async learn(dataset: Dataset): Promise<void> {
    if (this.#model.spec.targets !== 'standardize') return;
    const statistics = await dataset.targetStatistics();
    if (this.#model.spec.targets === 'standardize') this.#model.learns({ targets: scalingOf(statistics) });
  }

  /** Checks that the statistics are known. @throws {MlpError} `bad-option` if they are not */
  check(where: string): void {
    this.#statistics(where);
  }

  /**
   * Standardized copy of labels on the host.
   * @param words numbers of a label, its weight included
   * @throws {DataError} if the labels of a minibatch are on the device
   */
  onHost(where: string, labels: ArrayLike<number> | LabelTensor, words: number): Float32Array<ArrayBuffer> {
    const { mean, std } = this.#statistics(where);
    if (labels instanceof Tensor) {
      throw new DataError(`${where}: targets that the model standardizes must be an array, or be in a Dataset.`);
    }
    const factors = std.map((value) => Math.fround(1 / value));
    return Float32Array.from(labels, (value, i) => {
      const column = i % words;
      const factor = factors[column];
      return factor === undefined ? value : Math.fround(value - (mean[column] ?? 0)) * factor;
    });
  }

  /** Standardized copy of labels on the device, (samples, words). @param owner gets the copy */
  onDevice(where: string, labels: LabelTensor, owner: Owner): Tensor {
    const { mean, std } = this.#statistics(where);
    const { device } = this.#model;
    const [samples = 0, words = 1] = labels.shape;
    const result = owner.own(Tensor.empty(device, [samples, words], 'standardized targets'));
    const temporary = new Owner();
    try {
      const columns = Array.from({ length: words }, (_, column) => column);
      const scales = [
        columns.flatMap((column) => [1, -(mean[column] ?? 0)]),
        columns.flatMap((column) => [1 / (std[column] ?? 1), 0]),
      ].map((values) => temporary.own(Tensor.from(device, values, [words, 2], 'target scale')));
      const [differences, factors] = scales as [Tensor, Tensor];
      const most = Math.min(samples, ROWS);
      const order = temporary.own(upload<'u32'>(device, counting(samples), [samples], 'order'));
      const unused = temporary.own(Tensor.empty(device, [most, 1], 'unused labels', 'u32'));
      const shifted = temporary.own(Tensor.empty(device, [most, words], 'shifted targets'));
      const rowsOf = (data: Tensor, normalization: Tensor): RowSource => {
        return { data, labels: order.view(0, [samples, 1]), order, normalization };
      };
      for (let first = 0; first < samples; first += ROWS) {
        const rows = Math.min(ROWS, samples - first);
        const labelsOfRows = unused.view(0, [rows, 1]);
        const target = result.view(first * words, [rows, words]);
        device.run([
          gatherRows(rowsOf(labels as Tensor, differences), shifted.view(0, [rows, words]), labelsOfRows, {
            ...NO_STEP,
            first,
            rows,
          }),
          gatherRows(rowsOf(shifted, factors), target, labelsOfRows, { ...NO_STEP, rows }),
        ]);
      }
    } finally {
      // Work that is queued on the memory still runs.
      temporary.dispose();
    }
    return result;
  }

  #statistics(where: string): Statistics<readonly number[]> {
    const { targets } = this.#model.spec;
    if (targets !== undefined && targets !== 'standardize') return targets;
    throw new MlpError(
      'bad-option',
      `${where}: the model standardizes its targets, but has seen none yet. Call fit first, or pass { targets: { mean, std } } to Mlp.create.`,
    );
  }
}
