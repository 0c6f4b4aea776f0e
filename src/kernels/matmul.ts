import direct from '../../shaders/matmul-direct.wgsl';
import quad from '../../shaders/matmul-quad.wgsl';
import tiled from '../../shaders/matmul-tiled.wgsl';
import { type Activation, type ResolvedActivation, resolveActivation } from '../activations.js';
import { ShapeError } from '../errors.js';
import { type AdapterTraits, type Dispatch, dispatch, type Program, program } from '../gpu/dispatch.js';
import { type Tensor, unaligned } from '../gpu/tensor.js';

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
  readonly variant?: 'matmul-direct' | 'matmul-quad' | 'matmul-quad-large' | 'matmul-tiled';
}

/** Rows and columns that one invocation of `matmul-direct` computes. */
const DIRECT_TILE = 16;
/** Rows and columns that a workgroup of `matmul-quad` computes, and with LARGE. */
const QUAD_TILE = 16;
const LARGE_QUAD_TILE = 32;
/** Multiply-adds from which on large quads are worth their compilation, some 0.15 s on two cores. */
const WORTH_COMPILING = 2 ** 22;
/** Rows and columns that one invocation of `matmul-tiled` computes. */
const TILED_PER_THREAD = 4;

/**
 * Describes C = f(op(A)·op(B) + bias), where op transposes on request, or C = (op(A)·op(B)) ⊙ f′(gate).
 * `shaders/matmul-direct.wgsl` and its namesakes tell how.
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
  const overrides = {
    TRANSPOSE_A: transposeA,
    TRANSPOSE_B: transposeB,
    ONES_ROW: onesRow,
    BIAS: bias !== undefined,
    GATE: gate !== undefined,
    KEEP: keepPreActivation,
    ACTIVATION: activation.index,
    ALPHA: activation.alpha,
  };
  return dispatch(direct, {
    kernel: 'matmul',
    label: label(M, N, K, transposeA, transposeB, activation, options),
    programs: programs(M, N, K, overrides, vec4A, vec4B).filter(
      ({ variant }) => options.variant === undefined || options.variant === variant,
    ),
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
    },
    flops: 2 * M * N * K,
  });
}

/**
 * The choice between the variants, for every product of the library: a CPU adapter wants register tiles straight from
 * storage, a GPU wants small ones through workgroup memory.
 */
function programs(
  M: number,
  N: number,
  K: number,
  overrides: Record<string, number | boolean>,
  vec4A: boolean,
  vec4B: boolean,
): readonly Program[] {
  const { WORKGROUP_X, WORKGROUP_Y } = direct.overrides;
  const { THREADS } = tiled.overrides;
  const rows = overrides.ONES_ROW === true ? M - 1 : M;
  const grid = (height: number, width: number, count = M): [number, number] => [
    Math.ceil(N / width),
    Math.ceil(count / height),
  ];
  const fromStorage = { ...overrides, VEC4_A: vec4A, VEC4_B: vec4B, K_TAIL: K % 4 !== 0 };
  const quads = ({ software, features }: AdapterTraits): boolean => software && features.has('subgroups');
  const tile = TILED_PER_THREAD * THREADS;
  const large = program(
    quad,
    { ...fromStorage, LARGE: true },
    grid(LARGE_QUAD_TILE, LARGE_QUAD_TILE, rows),
    quads,
    'matmul-quad-large',
  );
  const small = program(quad, fromStorage, grid(QUAD_TILE, QUAD_TILE, rows), quads);
  return [
    M * N * K < WORTH_COMPILING ? small : { ...small, later: large },
    large,
    program(
      direct,
      fromStorage,
      grid(DIRECT_TILE * WORKGROUP_Y, DIRECT_TILE * WORKGROUP_X, rows),
      ({ software }) => software,
    ),
    program(tiled, overrides, grid(tile, tile)),
  ];
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
