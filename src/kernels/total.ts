import { type Program, program } from '../plan/dispatch.js';
import type { Shader } from '../plan/shader.js';

/** Sums of a workgroup and slices of each: a CPU adapter wants no barriers, a GPU more invocations than there are sums. */
const SIZES = { software: { SUMS: 64, SLICES: 1 }, gpu: { SUMS: 16, SLICES: 16 } };

/** The programs of a shader that uses `total.wgsl`, for `sums` sums in all. */
export function totalPrograms<S extends Shader>(
  shader: S,
  overrides: { readonly [O in keyof S['overrides']]?: number | boolean },
  sums: number,
): Program[] {
  const sized = (size: keyof typeof SIZES): Program =>
    program<S, string>(shader, { ...overrides, ...SIZES[size] }, [Math.ceil(sums / SIZES[size].SUMS)], {
      variant: `${shader.name} ${SIZES[size].SLICES}`,
      prefers: ({ software }) => software === (size === 'software'),
    });
  return [sized('gpu'), sized('software')];
}
