import direct from '../../shaders/matmul-direct.wgsl';
import quad from '../../shaders/matmul-quad.wgsl';
import tiled from '../../shaders/matmul-tiled.wgsl';
import { type AdapterTraits, type Program, program } from '../gpu/dispatch.js';

/** A product as far as the choice of a program depends on it: its sizes, its form, what its epilogue does. */
export interface Product {
  /** Rows of C; with `onesRow` one more than op(A) has stored. */
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly onesRow: boolean;
  /** A row of the stored matrix is a whole number of vec4s, and begins at one. */
  readonly vec4A: boolean;
  readonly vec4B: boolean;
  readonly epilogue: {
    readonly BIAS: boolean;
    readonly GATE: boolean;
    readonly KEEP: boolean;
    readonly ACTIVATION: number;
    readonly ALPHA: number;
  };
}

/** The names that `MatmulOptions.variant` may insist on. */
export type MatmulVariant =
  | 'matmul-quad-8x8'
  | 'matmul-quad-16x16'
  | 'matmul-quad-32x16'
  | 'matmul-direct'
  | 'matmul-tiled';

/** Multiply-adds from which on large tiles are worth their compilation, 0.2 to 0.3 s on SwiftShader. */
const WORTH_COMPILING = 2 ** 22;
/** Large tiles may reach beyond the edges by this share of what lies inside. */
const MOST_WASTE = 0.15;
/** Rows and columns that one invocation of `matmul-direct` computes. */
const DIRECT_TILE = 16;
/** Rows and columns that one invocation of `matmul-tiled` computes. */
const TILED_PER_THREAD = 4;

/**
 * Every program that can compute the product somewhere: the one table of the library's matmul variants. An adapter takes
 * the first that it prefers; a tuner may time all that it can run.
 */
export function matmulPrograms(product: Product): readonly Program<MatmulVariant>[] {
  const { M, N, K, onesRow, vec4A, vec4B, epilogue } = product;
  const layout = {
    TRANSPOSE_A: product.transposeA,
    TRANSPOSE_B: product.transposeB,
    ONES_ROW: onesRow,
    ...epilogue,
  };
  const fromStorage = { ...layout, VEC4_A: vec4A, VEC4_B: vec4B, K_TAIL: K % 4 !== 0 };
  // These compute the row of ones beside their tiles.
  const stored = { N, M: onesRow ? M - 1 : M };
  const quads = { suits: withSubgroups, prefers: onSoftware };
  const tall = program(quad, { ...fromStorage, LARGE: true, TALL: true }, grid(stored, 64, 32), {
    ...quads,
    variant: 'matmul-quad-32x16',
  });
  const large = program(quad, { ...fromStorage, LARGE: true }, grid(stored, 32), {
    ...quads,
    variant: 'matmul-quad-16x16',
  });
  const later = M * N * K < WORTH_COMPILING ? undefined : waste(stored, 64, 32) < MOST_WASTE ? tall : large;
  return [
    program(quad, fromStorage, grid(stored, 16), { ...quads, variant: 'matmul-quad-8x8', later }),
    large,
    tall,
    program(
      direct,
      fromStorage,
      grid(stored, DIRECT_TILE * direct.overrides.WORKGROUP_Y, DIRECT_TILE * direct.overrides.WORKGROUP_X),
      { prefers: onSoftware },
    ),
    program(tiled, layout, grid(product, TILED_PER_THREAD * tiled.overrides.THREADS)),
  ];
}

/** A CPU adapter has no registers to run out of, and pays for barriers. */
const onSoftware = ({ software }: AdapterTraits): boolean => software;

const withSubgroups = ({ features }: AdapterTraits): boolean => features.has('subgroups');

/** Workgroups that compute `rows` × `columns` elements of C each. */
function grid({ M, N }: Pick<Product, 'M' | 'N'>, rows: number, columns: number = rows): [number, number] {
  return [Math.ceil(N / columns), Math.ceil(M / rows)];
}

/** How much such tiles compute beyond the edges, as a share of what lies inside. */
function waste(size: Pick<Product, 'M' | 'N'>, rows: number, columns: number): number {
  const [x, y] = grid(size, rows, columns);
  return (x * columns * y * rows) / (size.M * size.N) - 1;
}
