import gemv from '../../../shaders/matmul/matmul-gemv.wgsl';
import quad from '../../../shaders/software/matmul-quad.wgsl';
import { type AdapterTraits, type Program, program } from '../../plan/dispatch.js';
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

/** Multiply-adds from which on large quads are worth their compilation, 0.4 to 1 s on SwiftShader. */
const WORTH_COMPILING = 2 ** 21;
/** Tiles of quads, and how many elements each computes while the smallest computes one, edges included; measured on SwiftShader. */
const QUADS = [
  { variant: 'quad-8x8', rows: 8, columns: 8, speed: 1 },
  { variant: 'quad-16x16', rows: 16, columns: 16, speed: 1.35 },
  { variant: 'quad-32x16', rows: 32, columns: 16, speed: 1.6 },
] as const;

const withSubgroups = ({ features }: AdapterTraits): boolean => features.has('subgroups');

/** The programs that CPU adapters with subgroups want: register tiles straight from storage. */
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
 * A gemv without barriers. It is faster than tiles for one row, as bench/results/swiftshader.json has it; with more rows a
 * batch keeps the bits that its rows have in a larger one.
 */
function serialGemv(problem: MatmulProblem, layout: Layout): Program<MatmulVariant> {
  const { overrides, workgroups } = gemvSizes(problem, layout);
  return program(gemv, { ...overrides, SLICES: 1 }, workgroups, {
    variant: 'matmul-gemv-serial',
    prefers: (adapter) => onSoftware(adapter) && problem.M === 1,
    unused: unusedC(layout),
  });
}

/** Overrides that tell the programs of `quad-tiles.wgsl` apart. */
type QuadTiles = Readonly<Record<'VEC4_B' | 'VEC4_C' | 'K_TAIL' | 'LARGE' | 'TALL', boolean>>;
type Quad = (typeof QUADS)[number];
type QuadOptions<Variant extends string> = Pick<Program, 'suits' | 'prefers'> & {
  readonly variant: Quad['variant'];
  readonly later: Program<Variant> | undefined;
};

/**
 * Small quads, and the larger ones that take over where they are faster, for all that lies beyond the edges. A dW that will be
 * taken over reads and writes single elements until then, whatever its width: the layers of a network share one pipeline at first.
 * @param make a program of a shader that has `quad-tiles.wgsl`
 */
export function quadPrograms<Variant extends string>(
  problem: MatmulProblem,
  make: (tiles: QuadTiles, options: QuadOptions<Variant>, workgroups: readonly [number, number]) => Program<Variant>,
): readonly Program<Variant>[] {
  const { M, N, K, transposeA, gathered, vec4B: VEC4_B, vec4C: VEC4_C } = problem;
  const workgroups = ({ rows, columns }: Quad): readonly [number, number] =>
    grid(stored(problem), 2 * rows, 2 * columns);
  const one = (quad: Quad, later?: Program<Variant>, fours = true): Program<Variant> => {
    const LARGE = quad.columns > 8;
    return make(
      {
        K_TAIL: K % (LARGE ? 8 : 4) !== 0,
        LARGE,
        TALL: quad.rows > 16,
        VEC4_B: VEC4_B && fours,
        VEC4_C: VEC4_C && fours,
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
  const larger = others.map((quad) => ({ program: one(quad), time: time(quad) }));
  const fastest = larger.reduce((best, quad) => (quad.time < best.time ? quad : best));
  const takesOver = fastest.time < time(small) && M * N * K >= WORTH_COMPILING;
  const first = takesOver ? one(small, fastest.program, !transposeA || gathered) : one(small);
  return [first, ...larger.map(({ program }) => program)];
}

/** The rows of a matmul without the row of ones, which some shaders compute beside their tiles. */
const stored = ({ M, N, onesRow }: MatmulProblem): Pick<MatmulProblem, 'M' | 'N'> => ({ N, M: onesRow ? M - 1 : M });
