/** Overrides of `total.wgsl`: a CPU adapter waits at each barrier, so an invocation adds up a whole sum. */
export const SERIAL_TOTAL = { SUMS: 64, SLICES: 1 };

/** Invocations of `train-tiny`: on SwiftShader four are a subgroup, which waits for nobody at a barrier. */
export const SUBGROUP_THREADS = 4;

/** Bytes of workgroup memory that SwiftShader compiles in the time of a plan's kernels: it compiles a store of zero for each element. */
export const TINY_BYTES = 4096;

/** Groups of four classes whose logits an invocation of `dense-head` keeps by itself: a CPU adapter spills no registers. */
const SERIAL_QUADS = 4;

/** Overrides of `dense-head`: groups of four classes at a time, slices of a sum, and blocks of four rows of a workgroup. */
export type HeadSize = Readonly<Record<'GROUPS' | 'SLICES' | 'BLOCKS', number>>;

/** Sizes of `dense-head` without barriers, for so many groups of four classes; none where there are too many. */
export function serialHeads(quads: number): readonly HeadSize[] {
  return quads <= SERIAL_QUADS ? [{ GROUPS: quads, SLICES: 1, BLOCKS: 4 }] : [];
}
