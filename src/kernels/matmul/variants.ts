import gemv from '../../../shaders/matmul/matmul-gemv.wgsl';
import tiled from '../../../shaders/matmul/matmul-tiled.wgsl';
import { type AdapterTraits, type PER_STEP, type Program, program, type StepValues } from '../../plan/dispatch.js';
import type { DType, Tensor } from '../../plan/tensor.js';
import { onHardware, onSoftware } from '../software/adapter.js';

/** The properties of a matmul that the choice of a program depends on: its sizes, its form and its epilogue. */
export interface MatmulProblem {
  /** Rows of C; with `onesRow` one more than op(A) has in memory. */
  readonly M: number;
  /** Columns of C. */
  readonly N: number;
  /** Length of the sums: columns of op(A), rows of op(B). */
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly onesRow: boolean;
  /** True if each row of A, as stored, is a whole number of vec4s; `vec4B` and `vec4C` likewise. */
  readonly vec4A: boolean;
  readonly vec4B: boolean;
  readonly vec4C: boolean;
  /** True if A is a batch of a data set: the kernel gathers and converts its rows as it loads them. */
  readonly gathered: boolean;
  /** True if the data set has bytes. */
  readonly bytes: boolean;
  /** The overrides of `matmul-epilogue.wgsl`. */
  readonly epilogue: {
    readonly BIAS: boolean;
    readonly ACTIVATION_GRADIENT: boolean;
    readonly KEEP: boolean;
    readonly ACTIVATION: number;
    readonly ALPHA: number;
  };
}

/** Names of the variants of the matmul kernel, for `MatmulOptions.variant`. */
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

/** The most rows of C that `matmul-gemv` computes; for so few, most of a tile would be idle. */
export const GEMV_ROWS = 8;
/** The most products of a sum that are added up one after the other; longer sums are added up in runs (RUNS). */
export const LONGEST_SUM = 4096;
/** Columns of C that an invocation of `matmul-gemv` computes. */
const GEMV_COLUMNS = 4;
/** The least K to split within a workgroup: with a shorter K the split saves less than the tree of sums costs. */
const LEAST_SPLIT_K = 256;
/** The least K for parts, twice `LEAST_SPLIT_K`: a shorter K saves no more steps than a second dispatch may take. */
const LEAST_K_IN_PARTS = 512;
/** The least steps of a part: it then loads four elements for each partial sum, which is stored and read again. */
const LEAST_STEPS_OF_PART = 2;
/** The least share of the elements of large tiles, edges included, that must be elements of C. */
const LEAST_USE = 0.85;
/**
 * The least number of elements of C at which it pays that workgroups which run at the same time share operands (BANDS).
 */
const BANDS_FROM = 2048 * 2048;
/** Vendors of GPUs with registers for 8 × 8 sums; on other GPUs they spill, or leave too few invocations running. */
const WITH_MANY_REGISTERS: readonly string[] = ['nvidia', 'amd', 'apple'];

/** A tile size of `matmul-tiled`: the values of its overrides. */
interface Tile {
  readonly variant: MatmulVariant;
  readonly PER_THREAD: 4 | 8;
  readonly THREADS_X: number;
  readonly THREADS_Y: number;
  readonly TILE_K: number;
  readonly SLICES: number;
}
/** The large tiles, from the largest to the smallest. */
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
/**
 * The variants that compute a matmul in parts: the first one, or the second one on adapters that cannot run the first.
 */
export const VARIANTS_IN_PARTS: readonly string[] = [SPLIT_TILE.variant, SMALLEST_TILE.variant];
/** The elements of K in a step of the first of these variants; the second one takes two steps for as many. */
const STEP_IN_PARTS: number = SPLIT_TILE.TILE_K * SPLIT_TILE.SLICES;

/** The uniforms and buffers of a matmul's dispatch; `shaders/lib/matmul-operands.wgsl` documents them. */
export interface MatmulCall {
  readonly uniforms: {
    readonly dims: Readonly<
      Record<'M' | 'N' | 'K' | 'bias_offset' | 'kept_offset' | 'pre_activation_offset' | 'scale' | 'shift', number>
    >;
    readonly step: StepValues | typeof PER_STEP;
  };
  readonly buffers: Readonly<Record<'A' | 'A4' | 'B' | 'B4' | 'bias' | 'kept' | 'C' | 'C4', Tensor<DType> | undefined>>;
}

/**
 * Lists every program that can compute the matmul on some adapter. The list is the library's only table of matmul
 * variants. An adapter takes the first program that it can run and prefers; a tuner may time all that it can run.
 *
 * For few rows a GPU takes `matmul-gemv`, which reads B once. Otherwise it takes the largest tile of which there are
 * enough to fill the GPU twice. If there is none it takes the smallest tile, and splits K if even the smallest tiles
 * are too few.
 * @param software lists the programs for software adapters; returns none on a page that runs on a GPU
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
    // Every adapter can run the smallest tile, also one that prefers no other program.
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
  RUNS: problem.K > LONGEST_SUM,
});

/**
 * The number of parts into which K is cut, each with workgroups of its own; 1 if the matmul stays one dispatch.
 *
 * Parts cost a second dispatch, and memory traffic for the partial sums. K is cut only if the smallest tiles leave more
 * than half of a GPU idle, and into as many parts as fill the GPU twice, if K is long enough.
 */
export function partsFor({ M, N, K }: Pick<MatmulProblem, 'M' | 'N' | 'K'>, adapter: AdapterTraits): number {
  const { workgroups } = tileGrid({ M, N }, SMALLEST_TILE);
  const mostlyIdle = 2 * workgroups <= adapter.parallelWidth;
  if (onSoftware(adapter) || M <= GEMV_ROWS || K < LEAST_K_IN_PARTS || !mostlyIdle) return 1;
  return Math.min(Math.ceil((2 * adapter.parallelWidth) / workgroups), Math.floor(mostParts(K) / LEAST_STEPS_OF_PART));
}

/** The most parts of K: the number of steps along K, since each part has at least one. */
export const mostParts = (K: number): number => Math.ceil(K / STEP_IN_PARTS);

/** Lists the programs of a matmul that only software adapters prefer; `software/quad.ts` defines them. */
export type SoftwarePrograms = (problem: MatmulProblem, layout: Layout) => readonly Program<MatmulVariant>[];

/** The overrides that all matmul programs share. */
export type Layout = Readonly<
  Record<
    'TRANSPOSE_A' | 'TRANSPOSE_B' | 'ONES_ROW' | 'VEC4_A' | 'VEC4_B' | 'VEC4_C' | 'GATHERED' | 'BYTES' | 'RUNS',
    boolean
  >
> &
  MatmulProblem['epilogue'];

/** The program of `matmul-gemv` for GPUs. */
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

/** The grid of `matmul-gemv`, and its overrides except SLICES, which differs between GPUs and software adapters. */
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

/** The program of `matmul-tiled` with a tile size. */
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

/** The name of the binding of C that these overrides leave unused: C is bound as f32 and as vec4f. */
export const unusedC = ({ VEC4_C }: Pick<Layout, 'VEC4_C'>): readonly string[] => [VEC4_C ? 'C' : 'C4'];

/** Tests that an adapter's limits allow a workgroup of so many invocations and bytes of memory. */
const allows =
  (invocations: number, bytes: number): Program['suits'] =>
  ({ limits }) =>
    invocations <= limits.maxComputeInvocationsPerWorkgroup && bytes <= limits.maxComputeWorkgroupStorageSize;

/** True if so many workgroups fill an adapter twice. */
const fills = (workgroups: number, { parallelWidth }: AdapterTraits): boolean => workgroups >= 2 * parallelWidth;

/** The size of a tile in elements of C, and the grid of tiles that covers C. */
function tileGrid(
  problem: Pick<MatmulProblem, 'M' | 'N'>,
  { PER_THREAD, THREADS_X, THREADS_Y }: Tile,
): { rows: number; columns: number; size: readonly [number, number]; workgroups: number } {
  const [rows, columns] = [PER_THREAD * THREADS_Y, PER_THREAD * THREADS_X];
  const size = grid(problem, rows, columns);
  return { rows, columns, size, workgroups: size[0] * size[1] };
}

/** The grid of workgroups, in x and y, if each computes `rows` × `columns` elements of C. */
export function grid(
  { M, N }: Pick<MatmulProblem, 'M' | 'N'>,
  rows: number,
  columns: number,
): readonly [number, number] {
  return [Math.ceil(N / columns), Math.ceil(M / rows)];
}
