import parts from '../../../shaders/matmul/matmul-parts.wgsl';
import tiled from '../../../shaders/matmul/matmul-tiled.wgsl';
import { ShapeError } from '../../base/errors.js';
import { type Dispatch, dispatch, linearGrid, NO_STEP, program } from '../../plan/dispatch.js';
import type { Tensor } from '../../plan/tensor.js';
import type { MatmulDispatch } from './matmul.js';
import { type MatmulCall, type MatmulProblem, mostParts, VARIANTS_IN_PARTS } from './variants.js';

/** The epilogue of a matmul without options. */
const NO_EPILOGUE: MatmulProblem['epilogue'] = {
  BIAS: false,
  ACTIVATION_GRADIENT: false,
  KEEP: false,
  ACTIVATION: 0,
  ALPHA: 0,
};

/**
 * Describes a matmul in two dispatches: the first computes the partial sums of each part of K with workgroups of its
 * own, the second adds them in the order of the parts and applies the epilogue. `shaders/matmul/matmul-parts.wgsl`
 * documents the second.
 * @param whole a matmul without the option `variant`
 * @param partials (parts, M, N), overwritten; in a buffer of its own
 * @throws {ShapeError} if `partials` has another shape, or more parts than K has steps
 */
export function inParts(whole: MatmulDispatch, partials: Tensor): readonly [Dispatch, Dispatch] {
  const { kernel, label, flops, computes } = whole;
  const { A, problem } = computes;
  // `describeMatmul` sets uniforms and buffers of these types.
  const { dims, step } = whole.uniforms as MatmulCall['uniforms'];
  const buffers = whole.buffers as MatmulCall['buffers'];
  const { M, N, K } = problem;
  const [count = 0] = partials.shape;
  if (count < 1 || partials.shape.join() !== [count, M, N].join()) {
    throw new ShapeError(`${label}: partials is (${partials.shape.join(', ')}), but must be (parts, ${M}, ${N}).`);
  }
  if (count > mostParts(K)) {
    throw new ShapeError(`${label}: partials has ${count} parts, but K = ${K} allows at most ${mostParts(K)}.`);
  }
  const tiles = whole.programs.filter(({ variant }) => VARIANTS_IN_PARTS.includes(variant));
  const programs = tiles.map(({ overrides, workgroups: [x, y], ...rest }) => ({
    ...rest,
    overrides: { ...overrides, ...NO_EPILOGUE, PARTS: count },
    workgroups: [x, y, count] as const,
  }));
  const VEC4 = buffers.C4 !== undefined;
  // A gathered batch binds its order as `kept`, where other matmuls bind the argument of the activation gradient.
  const gathered = 'source' in A;
  const computed = dispatch(tiled, {
    kernel,
    label: `${label}: ${count} parts`,
    programs,
    uniforms: { dims, step },
    buffers: {
      ...buffers,
      bias: undefined,
      kept: gathered ? buffers.kept : undefined,
      C: partials,
      C4: VEC4 ? partials : undefined,
    },
    flops,
  });
  const added = dispatch(parts, {
    label: `${label}: sum of ${count} parts`,
    programs: [
      program(parts, { ...problem.epilogue, VEC4_B: VEC4, VEC4_C: VEC4 }, linearGrid(M * Math.ceil(N / 4)), {
        unused: [VEC4 ? 'C' : 'C4'],
      }),
    ],
    uniforms: { dims: { ...dims, K: count }, step: NO_STEP },
    buffers: {
      A: undefined,
      A4: undefined,
      B: partials,
      B4: VEC4 ? partials : undefined,
      bias: buffers.bias,
      kept: gathered ? undefined : buffers.kept,
      C: buffers.C,
      C4: buffers.C4,
    },
  });
  return [computed, added];
}
