import tiled from '../../../shaders/matmul/matmul-tiled.wgsl';
import { ShapeError } from '../../base/errors.js';
import { type Dispatch, dispatch, NO_STEP } from '../../plan/dispatch.js';
import { type DType, type Tensor, unaligned } from '../../plan/tensor.js';
import { type ActivationGradient, activationGradientOf, type WithActivationGradient } from '../activation-gradient.js';
import { type Activation, type ResolvedActivation, resolveActivation } from '../activations.js';
import type { GatheredRows } from '../gather-rows.js';
import { type MatmulProblem, type MatmulVariant, matmulPrograms, type SoftwarePrograms } from './variants.js';

/** Options of `matmul`. */
export interface MatmulOptions extends WithActivationGradient {
  /** True if A is stored transposed, as (K, M). Default: false. Example: `transposeA: true`. */
  readonly transposeA?: boolean | undefined;
  /** True if B is stored transposed, as (N, K). Default: false. Example: `transposeB: true`. */
  readonly transposeB?: boolean | undefined;
  /**
   * Appends a row of ones to op(A), so that the last row of C is the column sum of op(B). Default: false.
   * Example: `onesRow: true`.
   */
  readonly onesRow?: boolean | undefined;
  /** (N) elements, added to each row of the product. Default: none. Example: `bias: b`. */
  readonly bias?: Tensor | undefined;
  /** f, applied after the bias. Default: `'linear'`. Example: `activation: 'relu'`. */
  readonly activation?: Activation | undefined;
  /**
   * Also stores the pre-activation: C is then (2, M, N), the activation's output first. Default: false.
   * Example: `keepPreActivation: true`.
   */
  readonly keepPreActivation?: boolean | undefined;
  /**
   * Multiplies C by f′, (M, N), for a gradient; excludes bias and activation. Default: none.
   * Example: `activationGradient: { at: Y, activation: 'relu' }`.
   */
  readonly activationGradient?: ActivationGradient | undefined;
  /** The only variant of the kernel that may run. Default: the adapter chooses. Example: `variant: 'matmul-gemv'`. */
  readonly variant?: MatmulVariant | undefined;
}

/** The mathematics of a `matmul`: C = f(op(A)·op(B) + bias), or C = (op(A)·op(B)) ⊙ f′. */
export interface MatmulComputation extends MatmulOptions {
  readonly kind: 'matmul';
  readonly A: Tensor | GatheredRows;
  readonly B: Tensor;
  readonly C: Tensor;
  /** The sizes and the form of the matmul. */
  readonly problem: MatmulProblem;
  /** Describes the same matmul with another A: a batch of a data set, which the kernel gathers. */
  with(A: GatheredRows): MatmulDispatch;
}

/** A `matmul` dispatch, and the matmul that it computes. */
export interface MatmulDispatch extends Dispatch {
  /** @internal */
  readonly computes: MatmulComputation;
}

/**
 * Describes a dispatch that computes C = f(op(A)·op(B) + bias), or C = (op(A)·op(B)) ⊙ f′ with an activation gradient;
 * op transposes if the options say so. `variants.ts` lists the programs, and their shaders document the algorithms.
 * @param software lists the programs for software adapters; returns none on a page that runs on a GPU
 * @param A (M, K), or (K, M) with `transposeA`; or a batch of a data set, which the kernel gathers as `gatherRows` does
 * @param B (K, N), or (N, K) with `transposeB`
 * @param C (M, N), overwritten; (M + 1, N) with `onesRow`, (2, M, N) with `keepPreActivation`; not in the buffer of A
 * or B
 * @throws {ShapeError} if the shapes do not fit together, options exclude each other, or `variant` cannot compute the
 * matmul
 */
export function describeMatmul(
  software: SoftwarePrograms,
  A: Tensor | GatheredRows,
  B: Tensor,
  C: Tensor,
  given: MatmulOptions = {},
): MatmulDispatch {
  const options = { ...given, activationGradient: activationGradientOf(given) };
  const {
    transposeA = false,
    transposeB = false,
    onesRow = false,
    keepPreActivation = false,
    bias,
    activationGradient,
  } = options;
  const gathered = 'source' in A ? A : undefined;
  const stored: Pick<Tensor<DType>, 'shape' | 'label'> = 'source' in A
    ? { shape: [A.batch, A.source.data.shape[1] ?? 1], label: 'the batch' }
    : A;
  const [storedM, K] = oriented(stored, transposeA);
  const [rowsOfB, N] = oriented(B, transposeB);
  const M = storedM + (onesRow ? 1 : 0);
  if (K !== rowsOfB) {
    throw new ShapeError(
      `matmul: op(A) has ${K} columns but op(B) has ${rowsOfB} rows; both are K. A is (${stored.shape.join(', ')}), B is (${B.shape.join(', ')}). ${hint(stored, B, transposeB)}`,
    );
  }
  const expected = keepPreActivation ? [2, M, N] : [M, N];
  if (expected.join() !== C.shape.join()) {
    throw new ShapeError(
      `matmul: C is (${C.shape.join(', ')}), but op(A)·op(B) ${keepPreActivation ? 'with its pre-activation ' : ''}is (${expected.join(', ')}).`,
    );
  }
  if (bias !== undefined && bias.length !== N) {
    throw new ShapeError(`matmul: bias has ${bias.length} elements, but C has ${N} columns.`);
  }
  if (
    activationGradient !== undefined &&
    (activationGradient.at.length !== M * N || bias !== undefined || options.activation !== undefined)
  ) {
    throw new ShapeError(
      `matmul: activationGradient excludes bias and activation, and its at must be (${M}, ${N}); it has ${activationGradient.at.length} elements.`,
    );
  }
  const activation = resolveActivation(activationGradient?.activation ?? options.activation ?? 'linear');
  const start = bias && unaligned(bias);
  const keptStart = activationGradient && unaligned(activationGradient.at);
  // A row of the stored matrix is a whole number of vec4s, and so begins at a vec4.
  const vec4A = (transposeA ? storedM : K) % 4 === 0;
  const vec4B = (transposeB ? K : N) % 4 === 0;
  const vec4C = N % 4 === 0;
  const bytes = gathered?.source.data.dtype === 'u8';
  if (gathered !== undefined && (activationGradient !== undefined || (bytes && !vec4A))) {
    throw new ShapeError('matmul: a gathered batch excludes activationGradient, and its rows must be whole words.');
  }
  const problem: MatmulProblem = {
    M,
    N,
    K,
    transposeA,
    transposeB,
    onesRow,
    vec4A,
    vec4B,
    vec4C,
    gathered: gathered !== undefined,
    bytes,
    epilogue: {
      BIAS: bias !== undefined,
      ACTIVATION_GRADIENT: activationGradient !== undefined,
      KEEP: keepPreActivation,
      ACTIVATION: activation.index,
      ALPHA: activation.alpha,
    },
  };
  const programs = matmulPrograms(problem, software);
  const name = label(M, N, K, transposeA, transposeB, activation, options, gathered?.source.data.dtype);
  const chosen = programs.filter(({ variant }) => options.variant === undefined || options.variant === variant);
  if (chosen.length === 0) {
    throw new ShapeError(
      `${name}: the variant "${options.variant}" cannot compute it. These can: ${programs.map(({ variant }) => variant).join(', ')}.`,
    );
  }
  const [scale, shift] = gathered?.source.common ?? [1, 0];
  const data = 'source' in A ? A.source.data : A;
  // No program has bindings that this shader lacks.
  const described = dispatch(tiled, {
    kernel: 'matmul',
    label: name,
    programs: chosen,
    uniforms: {
      dims: {
        M,
        N,
        K,
        bias_offset: start?.offset ?? 0,
        kept_offset: keptStart?.offset ?? 0,
        pre_activation_offset: M * N,
        scale,
        shift,
      },
      step: gathered?.step ?? NO_STEP,
    },
    buffers: {
      A: data,
      A4: vec4A && !bytes ? data : undefined,
      B,
      B4: vec4B ? B : undefined,
      bias: start?.base,
      kept: gathered?.source.order ?? keptStart?.base,
      C,
      C4: vec4C ? C : undefined,
    },
    flops: 2 * M * N * K,
  });
  return {
    ...described,
    computes: {
      kind: 'matmul',
      A,
      B,
      C,
      ...options,
      problem,
      with: (rows) => describeMatmul(software, rows, B, C, options),
    },
  };
}

/** The rows and columns of op(A) or op(B). @throws {ShapeError} if the tensor is not a matrix */
function oriented(
  { shape, label: name }: Pick<Tensor, 'shape' | 'label'>,
  transpose: boolean,
): readonly [number, number] {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new ShapeError(`matmul: "${name}" is (${shape.join(', ')}); a matrix has two sizes.`);
  }
  return transpose ? [columns, rows] : [rows, columns];
}

/** The advice at the end of an error about K. */
function hint(A: Pick<Tensor, 'shape'>, B: Tensor, transposeB: boolean): string {
  const fits = !transposeB && A.shape[1] === B.shape[1];
  return fits ? 'Pass { transposeB: true } if B is stored (N, K).' : 'Make the inner sizes equal.';
}

/** The label of the dispatch: the form, the sizes and the options of the matmul. */
function label(
  M: number,
  N: number,
  K: number,
  transposeA: boolean,
  transposeB: boolean,
  { name }: ResolvedActivation,
  { bias, activationGradient, onesRow = false, activation }: MatmulOptions,
  gathered: DType | undefined,
): string {
  const form = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
  const parts = [`matmul ${form} ${M}×${N}×${K}`];
  if (gathered !== undefined) parts.push(`gathered ${gathered}`);
  if (onesRow) parts.push('ones');
  if (bias !== undefined) parts.push('bias');
  if (activation !== undefined && name !== 'linear') parts.push(name);
  if (activationGradient !== undefined) parts.push(`⊙ ${name}′`);
  return parts.join(' ');
}
