import gemv from '../../../shaders/matmul/matmul-gemv.wgsl';
import quad from '../../../shaders/software/matmul-quad.wgsl';
import { type AdapterTraits, type Program, program } from '../../plan/dispatch.js';
import { LONG_SUM } from '../long-sum.js';
import {
  GEMV_ROWS,
  gemvSizes,
  grid,
  type Layout,
  type MatmulProblem,
  type MatmulVariant,
  unusedC,
} from '../matmul/variants.js';
import { onSoftware } from './adapter.js';

/**
 * The least number of multiply-adds for which large quads are worth their compilation, which takes 0.4 to 1 s on
 * SwiftShader.
 */
const WORTH_COMPILING = 2 ** 21;
/**
 * Tiles of quads. `speed`: elements, edges included, that a tile computes in the time of one element of the smallest
 * tile, measured on SwiftShader.
 */
const QUADS = [
  { variant: 'quad-8x8', rows: 8, columns: 8, speed: 1 },
  { variant: 'quad-16x16', rows: 16, columns: 16, speed: 1.35 },
  { variant: 'quad-32x16', rows: 32, columns: 16, speed: 1.6 },
] as const;

const withSubgroups = ({ features }: AdapterTraits): boolean => features.has('subgroups');

/**
 * Lists the matmul programs for software adapters with subgroups: register tiles that load their operands from storage.
 */
export function softwarePrograms(problem: MatmulProblem, layout: Layout): readonly Program<MatmulVariant>[] {
  return [
    ...(problem.M <= GEMV_ROWS ? [serialGemv(problem, layout)] : []),
    ...quadPrograms<MatmulVariant>(problem, (tiles, { variant, ...options }, workgroups) => {
      const overrides = { ...layout, ...tiles };
      return program(quad, overrides, workgroups, {
        ...options,
        variant: `matmul-${variant}`,
        unused: unusedC(overrides),
      });
    }),
  ];
}

/**
 * `matmul-gemv` without barriers. For one row it is faster than tiles, as bench/results/swiftshader.json shows. For
 * more rows tiles are preferred: each row of a small batch then has the same bits as in a larger batch.
 */
function serialGemv(problem: MatmulProblem, layout: Layout): Program<MatmulVariant> {
  const { overrides, workgroups } = gemvSizes(problem, layout);
  return program(gemv, { ...overrides, SLICES: 1 }, workgroups, {
    variant: 'matmul-gemv-serial',
    prefers: (adapter) => onSoftware(adapter) && problem.M === 1,
    unused: unusedC(layout),
  });
}

/** The overrides in which the programs of `quad-tiles.wgsl` differ. */
type QuadTiles = Readonly<Record<'VEC4_B' | 'VEC4_C' | 'K_TAIL' | 'LARGE' | 'TALL' | 'LONG', boolean>>;
type Quad = (typeof QUADS)[number];
type QuadOptions<Variant extends string> = Pick<Program, 'suits' | 'prefers'> & {
  readonly variant: Quad['variant'];
  readonly later: Program<Variant> | undefined;
};

/**
 * Lists the programs with small quads and with larger ones. If a larger quad is faster, despite the elements beyond the
 * edges of C, it takes over from the small one as the `later` program. Until then a dW reads and writes single
 * elements, whatever its width: the layers of a network share one pipeline at first.
 * @param make makes a program of a shader that uses `quad-tiles.wgsl`
 */
export function quadPrograms<Variant extends string>(
  problem: MatmulProblem,
  make: (tiles: QuadTiles, options: QuadOptions<Variant>, workgroups: readonly [number, number]) => Program<Variant>,
): readonly Program<Variant>[] {
  const { M, N, K, transposeA, onesRow, gathered, vec4B: VEC4_B, vec4C: VEC4_C } = problem;
  const workgroups = ({ rows, columns }: Quad): readonly [number, number] =>
    grid(stored(problem), 2 * rows, 2 * columns);
  const programOf = (quad: Quad, later?: Program<Variant>, vec4s = true): Program<Variant> => {
    const LARGE = quad.columns > 8;
    return make(
      {
        K_TAIL: K % (LARGE ? 8 : 4) !== 0,
        LARGE,
        TALL: quad.rows > 16,
        LONG: onesRow && K > LONG_SUM,
        VEC4_B: VEC4_B && vec4s,
        VEC4_C: VEC4_C && vec4s,
      },
      { variant: quad.variant, suits: withSubgroups, prefers: onSoftware, later },
      workgroups(quad),
    );
  };
  const time = (quad: Quad): number => {
    const [x, y] = workgroups(quad);
    return (x * y * quad.rows * quad.columns) / quad.speed;
  };
  const [small, ...others] = QUADS;
  const larger = others.map((quad) => ({ program: programOf(quad), time: time(quad) }));
  const fastest = larger.reduce((best, quad) => (quad.time < best.time ? quad : best));
  const takesOver = fastest.time < time(small) && M * N * K >= WORTH_COMPILING;
  const first = takesOver ? programOf(small, fastest.program, !transposeA || gathered) : programOf(small);
  return [first, ...larger.map(({ program }) => program)];
}

/** The sizes of C without the row of `onesRow`, which some shaders compute beside their tiles. */
const stored = ({ M, N, onesRow }: MatmulProblem): Pick<MatmulProblem, 'M' | 'N'> => ({ N, M: onesRow ? M - 1 : M });
