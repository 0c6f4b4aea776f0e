import direct from '../../shaders/matmul-direct.wgsl';
import quad from '../../shaders/matmul-quad.wgsl';
import { type AdapterTraits, type Program, program } from '../gpu/dispatch.js';
import {
  grid,
  type Layout,
  LEAST_USE,
  type MatmulVariant,
  onSoftware,
  type Product,
  unusedC,
} from './matmul-variants.js';

/** Multiply-adds from which on large quads are worth their compilation, 0.4 to 1 s on SwiftShader. */
const WORTH_COMPILING = 2 ** 22;
/** Rows and columns that one invocation of `matmul-direct` computes. */
const DIRECT_TILE = 16;

const withSubgroups = ({ features }: AdapterTraits): boolean => features.has('subgroups');

/** The programs that CPU adapters want: register tiles straight from storage. */
export function softwarePrograms(product: Product, layout: Layout): readonly Program<MatmulVariant>[] {
  return [
    ...quadPrograms<MatmulVariant>(product, (tiles, { variant, ...options }, workgroups) => {
      const overrides = { ...layout, ...tiles };
      return program(quad, overrides, workgroups, {
        ...options,
        variant: `matmul-${variant}`,
        unused: unusedC(overrides),
      });
    }),
    program(
      direct,
      { ...layout, K_TAIL: product.K % 4 !== 0 },
      grid(stored(product), DIRECT_TILE * direct.overrides.WORKGROUP, DIRECT_TILE),
      { prefers: onSoftware, unused: unusedC(layout) },
    ),
  ];
}

/** What tells the programs of `quad-tiles.wgsl` apart. */
type QuadTiles = Readonly<Record<'VEC4_B' | 'VEC4_C' | 'K_TAIL' | 'LARGE' | 'TALL', boolean>>;
type QuadVariant = 'quad-8x8' | 'quad-16x16' | 'quad-32x16';
type QuadOptions<Variant extends string> = Pick<Program, 'suits' | 'prefers'> & {
  readonly variant: QuadVariant;
  readonly later: Program<Variant> | undefined;
};

/**
 * Small quads, and the large ones that take over where they do not lie beyond the edges. A dW that will be taken over reads
 * and writes single elements until then, whatever its width: the layers of a network share one pipeline at first.
 * @param make a program of a shader that has `quad-tiles.wgsl`
 */
export function quadPrograms<Variant extends string>(
  product: Product,
  make: (tiles: QuadTiles, options: QuadOptions<Variant>, workgroups: readonly [number, number]) => Program<Variant>,
): readonly Program<Variant>[] {
  const { M, N, K, transposeA, gathered, vec4B: VEC4_B, vec4C: VEC4_C } = product;
  const one = (
    variant: QuadVariant,
    rows: number,
    columns: number,
    { later, fours = true }: { readonly later?: Program<Variant>; readonly fours?: boolean } = {},
  ): Program<Variant> => {
    const LARGE = columns > 8;
    const tiles = { K_TAIL: K % (LARGE ? 8 : 4) !== 0, LARGE, TALL: rows > 16 };
    return make(
      { ...tiles, VEC4_B: VEC4_B && fours, VEC4_C: VEC4_C && fours },
      { variant, suits: withSubgroups, prefers: onSoftware, later },
      grid(stored(product), 2 * rows, 2 * columns),
    );
  };
  const tall = one('quad-32x16', 32, 16);
  const large = one('quad-16x16', 16, 16);
  const [x, y] = tall.workgroups;
  const takesOver = M * N * K >= WORTH_COMPILING;
  const later = M * N >= LEAST_USE * x * y * 64 * 32 ? tall : large;
  return [one('quad-8x8', 8, 8, takesOver ? { later, fours: !transposeA || gathered } : {}), large, tall];
}

/** The rows of a product without the row of ones, which some shaders compute beside their tiles. */
const stored = ({ M, N, onesRow }: Product): Pick<Product, 'M' | 'N'> => ({ N, M: onesRow ? M - 1 : M });
