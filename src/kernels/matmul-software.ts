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

/** Multiply-adds from which on large quads are worth their compilation, 0.3 to 0.9 s on SwiftShader. */
const WORTH_COMPILING = 2 ** 22;
/** Rows and columns that one invocation of `matmul-direct` computes. */
const DIRECT_TILE = 16;

const withSubgroups = ({ features }: AdapterTraits): boolean => features.has('subgroups');

/** The programs that CPU adapters want: register tiles straight from storage. */
export function softwarePrograms(product: Product, layout: Layout): readonly Program<MatmulVariant>[] {
  return [
    ...quadPrograms(product, layout),
    program(
      direct,
      { ...layout, K_TAIL: product.K % 4 !== 0 },
      grid(stored(product), DIRECT_TILE * direct.overrides.WORKGROUP, DIRECT_TILE),
      { prefers: onSoftware, unused: unusedC(layout) },
    ),
  ];
}

/**
 * Small quads, and the large ones that take over where they do not lie beyond the edges. A dW that will be taken over reads
 * and writes single elements until then, whatever its width: the layers of a network share one pipeline at first.
 */
function quadPrograms(product: Product, layout: Layout): readonly Program<MatmulVariant>[] {
  const { M, N, K, transposeA, gathered } = product;
  const one = (
    variant: MatmulVariant,
    rows: number,
    columns: number,
    how: { readonly layout?: Layout; readonly later?: Program | undefined } = {},
  ): Program<MatmulVariant> => {
    const { later, layout: own = layout } = how;
    const LARGE = columns > 8;
    const DEEP = LARGE && K % 8 === 0;
    const overrides = { ...own, K_TAIL: K % 4 !== 0, DEEP, LARGE, TALL: rows > 16 };
    const workgroups = grid(stored(product), 2 * rows, 2 * columns);
    const unused = unusedC(own);
    return program(quad, overrides, workgroups, { variant, suits: withSubgroups, prefers: onSoftware, later, unused });
  };
  const tall = one('matmul-quad-32x16', 32, 16);
  const large = one('matmul-quad-16x16', 16, 16);
  const [x, y] = tall.workgroups;
  const takesOver = M * N * K >= WORTH_COMPILING;
  const later = M * N >= LEAST_USE * x * y * 64 * 32 ? tall : large;
  const shared = transposeA && !gathered ? { ...layout, VEC4_B: false, VEC4_C: false } : layout;
  return [one('matmul-quad-8x8', 8, 8, takesOver ? { layout: shared, later } : {}), large, tall];
}

/** The rows of a product without the row of ones, which some shaders compute beside their tiles. */
const stored = ({ M, N, onesRow }: Product): Pick<Product, 'M' | 'N'> => ({ N, M: onesRow ? M - 1 : M });
