import type { ParameterSpec } from './layer.js';

/** Weight and bias of a normalization of `features` features; empty if it is not affine. */
export function normParameters(features: number, affine: boolean): ParameterSpec[] {
  const shape = [features];
  return affine
    ? [
        { name: 'weight', shape, initializer: 1 },
        { name: 'bias', shape, initializer: 0 },
      ]
    : [];
}
