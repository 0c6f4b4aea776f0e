import type { ActivationName } from '../../src/kernels/activations.js';

/**
 * The activations with which a kernel that applies one is tested: derivatives from y and from z, with a parameter and
 * without. All kernels share `lib/activations.wgsl`, whose every activation the tests of `bias-activation`, `train-tiny`
 * and the parity of trainings run; on a software adapter each activation is one more compilation of each kernel.
 */
export const representativeActivations: readonly ActivationName[] = [
  'linear',
  'relu',
  'leakyRelu',
  'tanh',
  'gelu',
  'sine',
];
