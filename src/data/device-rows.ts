import { assertOption, formatShape, sizeOf } from '../base/check.js';
import { DataError, MlpError, ShapeError } from '../base/errors.js';
import type { LabelTensor } from '../kernels/gather-rows.js';
import type { Device } from '../plan/device.js';
import type { DeviceBuffer } from '../plan/memory.js';
import { type DType, Tensor } from '../plan/tensor.js';
import type { Flaws, SampleOptions } from './samples.js';

/** Numbers that are on a device: a tensor, or a buffer of 32-bit elements. On a `Gpu`, a buffer is a GPUBuffer. */
export type DeviceNumbers = Tensor<DType> | DeviceBuffer;

/** True for a tensor, and for a buffer of the device's kind. */
export function isOnDevice(device: Device, value: unknown): value is DeviceNumbers {
  return value instanceof Tensor || device.isBuffer(value);
}

/** Number of elements. */
export const lengthOf = (numbers: DeviceNumbers): number =>
  numbers instanceof Tensor ? numbers.length : Math.floor(numbers.size / 4);

/**
 * Checks numbers on a device, and returns them as rows. Nothing is copied, and the values are not checked.
 * @param name the name of the numbers, for messages
 * @param columns numbers in a row: a flat tensor has a multiple of them, any other tensor one row for each sample
 * @param types the element types that are allowed; a buffer is taken to have the first one
 * @returns (rows, columns)
 * @throws {ShapeError|DataError} if the shape or the element type differs
 * @throws {MlpError} `other-gpu` if the tensor is on another device; `bad-option` if the buffer lacks a usage
 * @throws {DisposedError} if the tensor is disposed
 */
export function deviceRows<T extends DType>(
  name: string,
  device: Device,
  given: DeviceNumbers,
  columns: number,
  ...types: readonly [T, ...T[]]
): Tensor<T> {
  const tensor = given instanceof Tensor ? given : Tensor.over(given, [lengthOf(given)], types[0]);
  const { shape, dtype, length, storage } = tensor;
  if (!(types as readonly DType[]).includes(dtype)) {
    throw new DataError(`${name} is a tensor of ${dtype}; it must be ${types.join(' or ')}.`);
  }
  if (!storage.isOn(device)) throw new MlpError('other-gpu', `${name} is a tensor on another device.`);
  const width = shape.length > 1 ? sizeOf(shape.slice(1)) : columns;
  if (width !== columns || length % columns !== 0 || length === 0) {
    throw new ShapeError(`${name} has shape ${formatShape(shape)}; it must be (samples, ${columns}).`);
  }
  return tensor.view(0, [length / columns, columns]) as Tensor<DType> as Tensor<T>;
}

/** Inputs on a device, as `checkInputs` returns those on the host. @param features default: those of the tensor's rows */
export function deviceInputs(
  where: string,
  device: Device,
  given: DeviceNumbers,
  features: number | undefined,
): { readonly inputs: Tensor | Tensor<'u8'>; readonly features: number } {
  const width =
    features ?? (given instanceof Tensor && given.shape.length > 1 ? sizeOf(given.shape.slice(1)) : undefined);
  assertOption(`${where}:`, { features: width }, 'a positive integer', 'shape');
  const name = `${where}: inputs`;
  const inputs = deviceRows<'f32' | 'u8'>(name, device, given, width ?? 1, 'f32', 'u8').assertCopyable(name);
  return { inputs: inputs as Tensor | Tensor<'u8'>, features: width ?? 1 };
}

/** Labels on a device. */
export interface DeviceLabels {
  /** (samples, 1) indices, or (samples, words) targets. */
  readonly labels: LabelTensor;
  readonly words: number;
  /** Width of a row of targets; for classes, the number of their names, or 0, which stands for unknown. */
  readonly classCount: number;
  readonly flaws: Flaws;
  readonly classNames?: readonly string[] | undefined;
}

/** Checks the shape of labels on a device. @throws as `deviceRows`, and {DataError} for weights, or two kinds of labels */
export function deviceLabels(
  where: string,
  device: Device,
  {
    classes,
    targets,
    weights,
    classNames,
  }: { readonly classes?: unknown; readonly targets?: unknown } & Pick<SampleOptions, 'weights' | 'classNames'>,
  count: number,
): DeviceLabels {
  const given = classes ?? targets;
  const name = `${where}: ${classes === undefined ? 'targets' : 'classes'}`;
  if (!isOnDevice(device, given) || (classes !== undefined && targets !== undefined) || weights !== undefined) {
    throw new DataError(`${name} on a device cannot have weights, or other labels beside them. Pass arrays.`);
  }
  const words = classes === undefined ? Math.max(1, Math.floor(lengthOf(given) / count)) : 1;
  const labels =
    classes === undefined
      ? deviceRows(name, device, given, words, 'f32')
      : deviceRows(name, device, given, words, 'u32');
  if (labels.shape[0] !== count) {
    throw new ShapeError(`${name} has ${labels.shape[0]} rows, but there are ${count} samples.`);
  }
  labels.assertCopyable(name);
  const classCount = classes === undefined ? words : (classNames?.length ?? 0);
  return { labels, words, classCount, flaws: {}, classNames };
}
