import { type Program, program } from '../plan/dispatch.js';
import type { Shader } from '../plan/shader.js';
import { onHardware, onSoftware } from './software/adapter.js';
import { SERIAL_TOTAL } from './software/sizes.js';

/** Sums of a workgroup, and slices of each sum. A GPU needs more invocations than there are sums. */
const SLICED_TOTAL = { SUMS: 16, SLICES: 16 };

/** The programs of a shader that uses `total.wgsl`, for `sums` sums in total. */
export function totalPrograms<S extends Shader>(
  shader: S,
  overrides: { readonly [O in keyof S['overrides']]?: number | boolean },
  sums: number,
): Program[] {
  const sized = (size: typeof SLICED_TOTAL, prefers: Program['prefers']): Program =>
    program<S, string>(shader, { ...overrides, ...size }, [Math.ceil(sums / size.SUMS)], {
      variant: `${shader.name} ${size.SLICES}`,
      prefers,
    });
  return [sized(SLICED_TOTAL, onHardware), sized(SERIAL_TOTAL, onSoftware)];
}
