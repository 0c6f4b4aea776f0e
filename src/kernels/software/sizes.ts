/** Overrides of `total.wgsl`: one invocation computes a whole sum, since barriers are slow on a software adapter. */
export const SERIAL_TOTAL = { SUMS: 64, SLICES: 1 };

/** Invocations of `train-tiny`: on SwiftShader four are one subgroup, which waits for no other at a barrier. */
export const SUBGROUP_THREADS = 4;

/**
 * The most bytes of workgroup memory of a tiny network on SwiftShader, which compiles a store of zero for each element:
 * with so many, compilation takes as long as that of a plan's kernels.
 */
export const TINY_BYTES = 4096;

/**
 * The most groups of four classes whose logits one invocation of `dense-head` keeps: a software adapter spills no
 * registers.
 */
const SERIAL_QUADS = 4;

/** Overrides of `dense-head`: GROUPS of four classes at a time, SLICES of a sum, BLOCKS of four rows in a workgroup. */
export type HeadSize = Readonly<Record<'GROUPS' | 'SLICES' | 'BLOCKS', number>>;

/** Sizes of `dense-head` without barriers for `quads` groups of four classes; none if there are too many groups. */
export function serialHeads(quads: number): readonly HeadSize[] {
  return quads <= SERIAL_QUADS ? [{ GROUPS: quads, SLICES: 1, BLOCKS: 4 }] : [];
}
