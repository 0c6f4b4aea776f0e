import shader from '../../shaders/matmul-tiled.wgsl';
import { type Activation, type ResolvedActivation, resolveActivation } from '../activations.js';
import { ShapeError } from '../errors.js';
import { type Dispatch, dispatch } from '../gpu/dispatch.js';
import { type Tensor, unaligned } from '../gpu/tensor.js';
import { type MatmulVariant, matmulPrograms } from './matmul-variants.js';

/** What a gradient is multiplied by where it is written: the derivative of the activation below, at what that kept. */
export interface Gate {
  readonly activation: Activation;
  /** The activation's output, or its pre-activation, as the table in `activations.ts` says. */
  readonly at: Tensor;
}

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** op(A) gets one more row, of ones: the last row of C is then the column sum of op(B). */
  readonly onesRow?: boolean;
  /** (N) elements, added to each row. */
  readonly bias?: Tensor;
  /** Applied after the bias. */
  readonly activation?: Activation;
  /** Also stores the pre-activation: C is then (2, M, N), the activation first. */
  readonly keepPreActivation?: boolean;
  /** Multiplies C by f′; excludes bias and activation. */
  readonly gate?: Gate;
  /** Insists on a variant, instead of the adapter's own. */
  readonly variant?: MatmulVariant;
}

/**
 * Describes C = f(op(A)·op(B) + bias), where op transposes on request, or C = (op(A)·op(B)) ⊙ f′(gate).
 * `matmul-variants.ts` lists the programs, and their shaders tell how.
 * @param A (M, K), or (K, M) with `transposeA`
 * @param B (K, N), or (N, K) with `transposeB`
 * @param C (M, N), overwritten; (M + 1, N) with `onesRow`, (2, M, N) with `keepPreActivation`; not in A's or B's buffer
 * @throws {ShapeError} if sizes do not fit together
 */
export function matmul(A: Tensor, B: Tensor, C: Tensor, options: MatmulOptions = {}): Dispatch {
  const { transposeA = false, transposeB = false, onesRow = false, keepPreActivation = false, bias, gate } = options;
  const [storedM, K] = oriented(A, transposeA);
  const [rowsOfB, N] = oriented(B, transposeB);
  const M = storedM + (onesRow ? 1 : 0);
  if (K !== rowsOfB) {
    throw new ShapeError(
      `matmul: op(A) has ${K} columns but op(B) has ${rowsOfB} rows; both are K. A is (${A.shape.join(', ')}), B is (${B.shape.join(', ')}). ${hint(A, B, transposeB)}`,
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
  if (gate !== undefined && (gate.at.length !== M * N || bias !== undefined || options.activation !== undefined)) {
    throw new ShapeError(
      `matmul: a gate has the shape of C, (${M}, ${N}), and goes without bias and activation; it has ${gate.at.length} elements.`,
    );
  }
  const activation = resolveActivation(gate?.activation ?? options.activation ?? 'linear');
  const start = bias === undefined ? undefined : unaligned(bias);
  const gateStart = gate === undefined ? undefined : unaligned(gate.at);
  // A row of the stored matrix is a whole number of vec4s, and begins at one.
  const vec4A = (transposeA ? storedM : K) % 4 === 0;
  const vec4B = (transposeB ? K : N) % 4 === 0;
  const vec4C = N % 4 === 0;
  const possible = matmulPrograms({
    M,
    N,
    K,
    transposeA,
    transposeB,
    onesRow,
    vec4A,
    vec4B,
    vec4C,
    epilogue: {
      BIAS: bias !== undefined,
      GATE: gate !== undefined,
      KEEP: keepPreActivation,
      ACTIVATION: activation.index,
      ALPHA: activation.alpha,
    },
  });
  const name = label(M, N, K, transposeA, transposeB, activation, options);
  const programs = possible.filter(({ variant }) => options.variant === undefined || options.variant === variant);
  if (programs.length === 0) {
    throw new ShapeError(
      `${name}: the variant "${options.variant}" cannot compute it. Those that can: ${possible.map(({ variant }) => variant).join(', ')}.`,
    );
  }
  return dispatch(shader, {
    kernel: 'matmul',
    label: name,
    programs,
    uniforms: {
      dims: { M, N, K, bias_offset: start?.offset ?? 0, gate_offset: gateStart?.offset ?? 0, keep_offset: M * N },
    },
    buffers: {
      A,
      A4: vec4A ? A : undefined,
      B,
      B4: vec4B ? B : undefined,
      bias: start?.base,
      gate: gateStart?.base,
      C,
      C4: vec4C ? C : undefined,
    },
    flops: 2 * M * N * K,
  });
}

function oriented({ shape, label: name }: Tensor, transpose: boolean): readonly [number, number] {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new ShapeError(`matmul: "${name}" is (${shape.join(', ')}); a matrix has two sizes.`);
  }
  return transpose ? [columns, rows] : [rows, columns];
}

function hint(A: Tensor, B: Tensor, transposeB: boolean): string {
  const fits = !transposeB && A.shape[1] === B.shape[1];
  return fits ? 'Pass { transposeB: true } if B is stored (N, K).' : 'Make the inner sizes equal.';
}

function label(
  M: number,
  N: number,
  K: number,
  transposeA: boolean,
  transposeB: boolean,
  { name }: ResolvedActivation,
  { bias, gate, onesRow = false, activation }: MatmulOptions,
): string {
  const form = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
  const parts = [`matmul ${form} ${M}×${N}×${K}`];
  if (onesRow) parts.push('ones');
  if (bias !== undefined) parts.push('bias');
  if (activation !== undefined && name !== 'linear') parts.push(name);
  if (gate !== undefined) parts.push(`⊙ ${name}′`);
  return parts.join(' ');
}
