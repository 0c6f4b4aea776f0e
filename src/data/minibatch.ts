import { DataError } from '../base/errors.js';
import { checkList, isList, type Numbers } from '../base/values.js';
import type { LabelTensor } from '../kernels/gather-rows.js';
import type { Device } from '../plan/device.js';
import type { DeviceBuffer } from '../plan/memory.js';
import { Tensor } from '../plan/tensor.js';
import { deviceInputs, deviceLabels, isOnDevice, lengthOf } from './device-rows.js';
import { areNames, type ClassLabels } from './labels.js';
import { checkInputs, checkLabels, type HostLabels, type RawArray } from './samples.js';

/**
 * Inputs of a minibatch, (samples, inputs): numbers on the host, flat or nested; or a tensor, or a GPUBuffer of float32.
 * @example
 * const inputs: Inputs = Tensor.wrap(gpuBuffer, [64, 784]);
 */
export type Inputs = Numbers | Tensor | Tensor<'u8'> | DeviceBuffer;

/**
 * Labels of a minibatch: the class of each sample, an index or a boolean; or a row of probabilities or values for each
 * sample, flat or nested. A tensor of u32 has classes, one of float32 has rows. With softmaxCrossEntropy() a GPUBuffer of
 * one element for each sample has u32 classes, any other has float32.
 * @example
 * const targets: Targets = [2, 0, 1]; // classes, or with softmaxCrossEntropy() the same as one-hot rows
 */
export type Targets = Numbers | readonly boolean[] | Tensor | Tensor<'u32'> | DeviceBuffer;

/** A minibatch that has been checked; each of its parts is on the host or on the device. */
export interface CheckedMinibatch extends Pick<HostLabels, 'words' | 'classCount' | 'flaws'> {
  readonly inputs: RawArray | Tensor | Tensor<'u8'>;
  readonly labels: HostLabels['labels'] | LabelTensor;
  readonly rows: number;
}

/** The parts of a task that decide what a minibatch means. */
interface Task {
  readonly device: Device;
  /** Inputs of the model. */
  readonly features: number;
  /** Link of the loss: with softmax, one number for each sample is its class. */
  readonly link: string;
}

/**
 * Checks a minibatch, and converts what is on the host to typed arrays. Values on the device are not checked.
 * @param where the beginning of error messages
 * @throws {ShapeError|DataError|MlpError} if the parts are not allowed or do not fit together
 */
export function checkMinibatch(
  where: string,
  given: Inputs,
  targets: Targets,
  weights: Numbers | undefined,
  { device, features, link }: Task,
): CheckedMinibatch {
  const { inputs } = isOnDevice(device, given)
    ? deviceInputs(where, device, given, features)
    : checkInputs(where, given, features);
  const rows = inputs.length / features;
  const isClasses = isOnDevice(device, targets)
    ? targets instanceof Tensor
      ? (targets as Tensor<'u32' | 'f32'>).dtype === 'u32'
      : link === 'softmax' && lengthOf(targets) === rows
    : areClasses(where, targets, rows, link);
  const options = { [isClasses ? 'classes' : 'targets']: targets as ClassLabels, ...(weights && { weights }) };
  const labels = isOnDevice(device, targets)
    ? deviceLabels(where, device, options, rows)
    : checkLabels(where, options, rows);
  return { ...labels, inputs, rows };
}

/** True if targets are classes: booleans, or with softmax one number for each sample. @throws {DataError} */
function areClasses(where: string, targets: unknown, rows: number, link: string): boolean {
  checkList(`${where}: targets`, targets);
  if (areNames(targets)) {
    throw new DataError(
      `${where}: targets has names of classes, which only a data set can number. Pass indices, or create a Dataset with classes.`,
    );
  }
  const first = targets[0];
  const isOne = !isList(first) || first.length === 1;
  return typeof first === 'boolean' || (link === 'softmax' && targets.length === rows && isOne);
}
