import type { Dataset } from '../data/dataset.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import { assertDevice, type Device } from '../plan/device.js';
import type { CrossValidation, CrossValidationOptions, FoldOptions } from './folds.js';

/**
 * Cross-validation: divides a data set at random into parts of equal size, within one sample. For each part, trains a new
 * model on all other samples and evaluates it on the part. The parts share the memory of the data set. The memory of a
 * fold is freed before the next one, and after an error.
 * @param device a `Gpu`
 * @param dataset samples on the device or in host memory, not a stream; it can be used meanwhile
 * @throws {MlpError} `bad-option` or `bad-seed` if an option is not known or out of range, or the data set is a stream;
 * `other-gpu` if it is on another device; nothing is trained
 * @throws {DataError} if `stratify` is set, but the labels are not classes
 * @throws as `Mlp.create`, `Mlp.trainer`, `Trainer.fit` and `Trainer.evaluate`
 * @example
 * const options = {
 *   model: { inputs: 4, layers: [dense(16, 'relu'), dense(3)] },
 *   trainer: { loss: softmaxCrossEntropy(), optimizer: adam(), batchSize: 32, metrics: [accuracy()] },
 *   fit: { epochs: 50 },
 * };
 * const { mean, std } = await crossValidate(gpu, options, flowers, { folds: 5, stratify: true });
 * console.log(`accuracy ${mean.accuracy} ± ${std.accuracy}`);
 */
export async function crossValidate<M extends AnyMetric = never>(
  device: Device,
  options: CrossValidationOptions<M>,
  dataset: Dataset,
  folding: FoldOptions<M> = {},
): Promise<CrossValidation<M>> {
  assertDevice('crossValidate', device);
  const { runFolds } = await import('./folds.js');
  return await runFolds(device, options, dataset, folding);
}
