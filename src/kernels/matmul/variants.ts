import gemv from '../../../shaders/matmul/matmul-gemv.wgsl';
import tiled from '../../../shaders/matmul/matmul-tiled.wgsl';
import { type AdapterTraits, type PER_STEP, type Program, program, type StepValues } from '../../plan/dispatch.js';
import type { DType, Tensor } from '../../plan/tensor.js';
import { onHardware, onSoftware } from '../software/adapter.js';

/** A matmul as far as the choice of a program depends on it: its sizes, its form, what its epilogue does. */
export interface MatmulProblem {
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
  readonly vec4C: boolean;
  /** A is a data set, and the batch is gathered and converted where it is loaded; its elements may be bytes. */
  readonly gathered: boolean;
  readonly bytes: boolean;
  readonly epilogue: {
    readonly BIAS: boolean;
    readonly ACTIVATION_GRADIENT: boolean;
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
  | 'matmul-gemv-serial'
  | 'matmul-gemv'
  | 'matmul-8x8-128x128'
  | 'matmul-8x8-128x64'
  | 'matmul-8x8-64x64'
  | 'matmul-4x4-64x64'
  | 'matmul-4x4-32x32-split'
  | 'matmul-4x4-32x32';

/** The most rows that `matmul-gemv` computes; with them a tile would mostly be idle. */
export const GEMV_ROWS = 8;
/** Columns that an invocation of `matmul-gemv` computes. */
const GEMV_COLUMNS = 4;
/** Where K is shorter, to split it saves less than the tree of sums costs. */
const LEAST_SPLIT_K = 256;
/** Where K is shorter, parts save no more steps than a second dispatch may take: twice what a tree of sums wants. */
const LEAST_K_IN_PARTS = 512;
/** Steps of a part, at least: then it loads four times as many elements as it stores sums, which are read again. */
const LEAST_STEPS_OF_PART = 2;
/** The least part of a large tile's elements, edges included, that must be elements of C. */
const LEAST_USE = 0.85;
/** Elements of C from which on it pays that workgroups which run at the same time share operands. */
const BANDS_FROM = 2048 * 2048;
/** Whose adapters have registers for 8 × 8 sums; on others they spill, or leave too few invocations running. */
const WITH_MANY_REGISTERS: readonly string[] = ['nvidia', 'amd', 'apple'];

/** A size of `matmul-tiled`, by its overrides. */
interface Tile {
  readonly variant: MatmulVariant;
  readonly PER_THREAD: 4 | 8;
  readonly THREADS_X: number;
  readonly THREADS_Y: number;
  readonly TILE_K: number;
  readonly SLICES: number;
}
/** From the largest to the smallest. */
const LARGE_TILES: readonly Tile[] = [
  { variant: 'matmul-8x8-128x128', PER_THREAD: 8, THREADS_X: 16, THREADS_Y: 16, TILE_K: 8, SLICES: 1 },
  { variant: 'matmul-8x8-128x64', PER_THREAD: 8, THREADS_X: 8, THREADS_Y: 16, TILE_K: 16, SLICES: 1 },
  { variant: 'matmul-8x8-64x64', PER_THREAD: 8, THREADS_X: 8, THREADS_Y: 8, TILE_K: 16, SLICES: 1 },
  { variant: 'matmul-4x4-64x64', PER_THREAD: 4, THREADS_X: 16, THREADS_Y: 16, TILE_K: 16, SLICES: 1 },
];
const SMALLEST_TILE: Tile = {
  variant: 'matmul-4x4-32x32',
  PER_THREAD: 4,
  THREADS_X: 8,
  THREADS_Y: 8,
  TILE_K: 16,
  SLICES: 1,
};
const SPLIT_TILE: Tile = { ...SMALLEST_TILE, variant: 'matmul-4x4-32x32-split', TILE_K: 8, SLICES: 4 };
/** The variants that compute a matmul in parts: the first, or the second on adapters that cannot run it. */
export const VARIANTS_IN_PARTS: readonly string[] = [SPLIT_TILE.variant, SMALLEST_TILE.variant];
/** A step of the first along K; the second has two for it. */
const STEP_IN_PARTS: number = SPLIT_TILE.TILE_K * SPLIT_TILE.SLICES;

/** The uniforms and buffers of a matmul's dispatch; `shaders/lib/matmul-operands.wgsl` tells more. */
export interface MatmulCall {
  readonly uniforms: {
    readonly dims: Readonly<
      Record<'M' | 'N' | 'K' | 'bias_offset' | 'kept_offset' | 'keep_offset' | 'scale' | 'shift', number>
    >;
    readonly step: StepValues | typeof PER_STEP;
  };
  readonly buffers: Readonly<Record<'A' | 'A4' | 'B' | 'B4' | 'bias' | 'kept' | 'C' | 'C4', Tensor<DType> | undefined>>;
}

/**
 * Every program that can compute the matmul on some adapter: the one table of the library's matmul variants. Of those
 * that it can run an adapter takes the first that it prefers; a tuner may time them all.
 *
 * A GPU reads B once if there are few rows; else it takes the largest tile of which there are enough to fill it twice, or the
 * smallest, and splits K where even those are too few.
 * @param software the programs for software adapters; none on a page that needs none
 */
export function matmulPrograms(problem: MatmulProblem, software: SoftwarePrograms): readonly Program<MatmulVariant>[] {
  const { M, N, K, epilogue } = problem;
  const layout = { ...operandsOf(problem), VEC4_C: problem.vec4C, ...epilogue };
  const smallest = tileGrid(problem, SMALLEST_TILE);
  return [
    ...(M <= GEMV_ROWS ? [gemvProgram(problem, layout)] : []),
    ...software(problem, layout),
    ...LARGE_TILES.map((tile) =>
      tileProgram(problem, layout, tile, (adapter) => {
        const { workgroups, rows, columns } = tileGrid(problem, tile);
        const enough = fills(workgroups, adapter) && M * N >= LEAST_USE * workgroups * rows * columns;
        return onHardware(adapter) && enough && (tile.PER_THREAD === 4 || WITH_MANY_REGISTERS.includes(adapter.vendor));
      }),
    ),
    tileProgram(
      problem,
      layout,
      SPLIT_TILE,
      (adapter) => onHardware(adapter) && K >= LEAST_SPLIT_K && !fills(smallest.workgroups, adapter),
    ),
    // Any adapter can run it, those too that prefer none.
    tileProgram(problem, layout, SMALLEST_TILE),
  ];
}

/** The overrides of `matmul-operands.wgsl`. */
export const operandsOf = (problem: MatmulProblem): Omit<Layout, 'VEC4_C' | keyof MatmulProblem['epilogue']> => ({
  TRANSPOSE_A: problem.transposeA,
  TRANSPOSE_B: problem.transposeB,
  ONES_ROW: problem.onesRow,
  VEC4_A: problem.vec4A,
  VEC4_B: problem.vec4B,
  GATHERED: problem.gathered,
  BYTES: problem.bytes,
});

/**
 * The number of parts into which K is cut, each for workgroups of its own; 1 if the matmul stays whole, in one dispatch.
 *
 * Parts cost a second dispatch that adds them, and a way through memory. They are for GPUs of whose cores more than half have
 * nothing to do, even with the smallest tiles, and are as many as fill it twice, as far as K goes.
 */
export function partsFor({ M, N, K }: Pick<MatmulProblem, 'M' | 'N' | 'K'>, adapter: AdapterTraits): number {
  const { workgroups } = tileGrid({ M, N }, SMALLEST_TILE);
  const mostlyIdle = 2 * workgroups <= adapter.parallelWidth;
  if (onSoftware(adapter) || M <= GEMV_ROWS || K < LEAST_K_IN_PARTS || !mostlyIdle) return 1;
  return Math.min(Math.ceil((2 * adapter.parallelWidth) / workgroups), Math.floor(mostParts(K) / LEAST_STEPS_OF_PART));
}

/** So many steps there are along K, and no part goes without. */
export const mostParts = (K: number): number => Math.ceil(K / STEP_IN_PARTS);

/** Lists the programs of a matmul that only software adapters prefer; `software/quad.ts` has them. */
export type SoftwarePrograms = (problem: MatmulProblem, layout: Layout) => readonly Program<MatmulVariant>[];

/** The overrides that all programs have. */
export type Layout = Readonly<
  Record<'TRANSPOSE_A' | 'TRANSPOSE_B' | 'ONES_ROW' | 'VEC4_A' | 'VEC4_B' | 'VEC4_C' | 'GATHERED' | 'BYTES', boolean>
> &
  MatmulProblem['epilogue'];

function gemvProgram(problem: MatmulProblem, layout: Layout): Program<MatmulVariant> {
  const { overrides, workgroups } = gemvSizes(problem, layout);
  const { ROWS } = overrides;
  const { COLUMNS } = gemv.overrides;
  const SLICES = ROWS === 1 ? 64 : ROWS <= 4 ? 32 : 16;
  return program(gemv, { ...overrides, SLICES }, workgroups, {
    suits: allows(COLUMNS * SLICES, 16 * ROWS * COLUMNS * SLICES),
    prefers: onHardware,
    unused: unusedC(layout),
  });
}

/** The grid of `matmul-gemv`, and its overrides but for SLICES: it has programs for GPUs and for software adapters. */
export function gemvSizes(
  problem: MatmulProblem,
  layout: Layout,
): {
  readonly overrides: Layout & { readonly EDGE_K: boolean; readonly ROWS: number };
  readonly workgroups: readonly [number, number];
} {
  const { M, K } = problem;
  const ROWS = M === 1 ? 1 : M <= 4 ? 4 : GEMV_ROWS;
  return {
    overrides: { ...layout, EDGE_K: K % 4 !== 0, ROWS },
    workgroups: grid(problem, GEMV_ROWS, GEMV_COLUMNS * gemv.overrides.COLUMNS),
  };
}

function tileProgram(
  problem: MatmulProblem,
  layout: Layout,
  tile: Tile,
  prefers: Program['prefers'] = () => true,
): Program<MatmulVariant> {
  const { M, N, K } = problem;
  const { variant, ...overrides } = tile;
  const { rows, columns, size } = tileGrid(problem, tile);
  const { THREADS_X, THREADS_Y, TILE_K, SLICES } = tile;
  return program(
    tiled,
    {
      ...layout,
      ...overrides,
      EDGE_M: M % rows !== 0,
      EDGE_N: N % columns !== 0,
      EDGE_K: K % (TILE_K * SLICES) !== 0,
      BANDS: M * N >= BANDS_FROM,
    },
    size,
    {
      variant,
      suits: allows(THREADS_X * THREADS_Y * SLICES, 4 * SLICES * (TILE_K * (rows + columns) + 64)),
      prefers,
      unused: unusedC(layout),
    },
  );
}

/** Of C's two bindings the one that such overrides leave unused. */
export const unusedC = ({ VEC4_C }: Pick<Layout, 'VEC4_C'>): readonly string[] => [VEC4_C ? 'C' : 'C4'];

/** The adapter's limits allow so many invocations, and bytes of workgroup memory. */
const allows =
  (invocations: number, bytes: number): Program['suits'] =>
  ({ limits }) =>
    invocations <= limits.maxComputeInvocationsPerWorkgroup && bytes <= limits.maxComputeWorkgroupStorageSize;

const fills = (workgroups: number, { parallelWidth }: AdapterTraits): boolean => workgroups >= 2 * parallelWidth;

function tileGrid(
  problem: Pick<MatmulProblem, 'M' | 'N'>,
  { PER_THREAD, THREADS_X, THREADS_Y }: Tile,
): { rows: number; columns: number; size: readonly [number, number]; workgroups: number } {
  const [rows, columns] = [PER_THREAD * THREADS_Y, PER_THREAD * THREADS_X];
  const size = grid(problem, rows, columns);
  return { rows, columns, size, workgroups: size[0] * size[1] };
}

/** Workgroups that compute `rows` × `columns` elements of C each. */
export function grid(
  { M, N }: Pick<MatmulProblem, 'M' | 'N'>,
  rows: number,
  columns: number,
): readonly [number, number] {
  return [Math.ceil(N / columns), Math.ceil(M / rows)];
}
