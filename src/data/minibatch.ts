import { DataError } from '../base/errors.js';
import { checkList, isList, type Numbers } from '../base/values.js';
import { areNames, type ClassLabels } from './labels.js';
import { checkSamples, type SampleOptions, type Samples } from './samples.js';

/**
 * Labels of a minibatch: the class of each sample, an index or a boolean; or a row of probabilities or values for each
 * sample, flat or nested.
 * @example
 * const targets: Targets = [2, 0, 1]; // classes, or with softmaxCrossEntropy() the same as one-hot rows
 */
export type Targets = Numbers | readonly boolean[];

/**
 * Checks a minibatch on the host, and converts it to typed arrays.
 * @param where the beginning of error messages
 * @param features inputs of the model
 * @param link link of the loss: with softmax, one number for each sample is its class
 * @throws {ShapeError|DataError} if the arrays are not allowed or do not fit together
 */
export function checkMinibatch(
  where: string,
  inputs: Numbers,
  targets: Targets,
  weights: Numbers | undefined,
  features: number,
  link: string,
): Samples {
  checkList(`${where}: targets`, targets);
  if (areNames(targets)) {
    throw new DataError(
      `${where}: targets has names of classes, which only a data set can number. Pass indices, or create a Dataset with classes.`,
    );
  }
  const labels: Pick<SampleOptions, 'classes' | 'targets'> = areClasses(inputs, targets, features, link)
    ? { classes: targets as ClassLabels }
    : { targets: targets as Numbers };
  return checkSamples(where, { inputs, features, ...labels, ...(weights && { weights }) });
}

/** True if targets are classes: booleans, or with softmax one number for each sample. */
function areClasses(inputs: unknown, targets: unknown, features: number, link: string): boolean {
  if (!isList(inputs) || !isList(targets)) return false;
  const [rows, first] = [isList(inputs[0]) ? inputs.length : inputs.length / features, targets[0]];
  const isOne = !isList(first) || first.length === 1;
  return typeof first === 'boolean' || (link === 'softmax' && targets.length === rows && isOne);
}
