import { expect, test } from 'vitest';
import * as errors from '../../src/base/errors.js';

const cause = new Error('below');
const cases: readonly [errors.MlpError, name: string, code: string][] = [
  [new errors.MlpError('busy', 'm', { cause }), 'MlpError', 'busy'],
  [new errors.WebGpuUnavailableError('no-adapter', 'm', { cause }), 'WebGpuUnavailableError', 'no-adapter'],
  [new errors.ShapeError('m', { cause }), 'ShapeError', 'shape'],
  [new errors.DataError('m', { cause }), 'DataError', 'data'],
  [new errors.FormatError('m', { cause }), 'FormatError', 'format'],
  [new errors.LimitError('m', { cause }), 'LimitError', 'limit'],
  [new errors.DeviceLostError('m', 'unknown', { cause }), 'DeviceLostError', 'device-lost'],
  [new errors.DisposedError('m', { cause }), 'DisposedError', 'disposed'],
  [new errors.NotFiniteError('m', 7, 'loss', { cause }), 'NotFiniteError', 'not-finite'],
];

test.for(cases)('%s keeps its name, code, message and cause', ([error, name, code]) => {
  expect(error).toBeInstanceOf(Error);
  expect(error).toBeInstanceOf(errors.MlpError);
  expect(error).toMatchObject({ name, code, message: 'm', cause });
});

test('every class is in the table above', () => {
  const classes = Object.values(errors).map(({ name }) => name);
  expect(new Set(cases.map(([, name]) => name))).toEqual(new Set(classes));
});

test('details are kept', () => {
  expect(new errors.WebGpuUnavailableError('no-webgpu', 'm').reason).toBe('no-webgpu');
  expect(new errors.DeviceLostError('m', 'destroyed').reason).toBe('destroyed');
  expect(new errors.NotFiniteError('m', 7, 'dense0.W')).toMatchObject({ step: 7, where: 'dense0.W' });
});
