import type { Tensor } from '../../src/index.js';
import { type Dispatch, dispatch, program } from '../../src/plan/dispatch.js';
import type { Shader } from '../../src/plan/shader.js';

/** Form of the multiply-adds: different adapters reach their peak with different forms. */
export interface FmaForm {
  readonly type: 'f32' | 'vec4f';
  /** Number of independent accumulators. */
  readonly chains: number;
  readonly builtin: boolean;
}

/** Multiply-adds per chain in the loop's body. With few, a CPU adapter would measure the loop itself. */
const UNROLLED = 32;
const WORKGROUP = 256;

export const nameOf = ({ type, chains, builtin }: FmaForm): string =>
  `${type} × ${chains}, ${builtin ? 'fma' : 'mul + add'}`;

/** Repeats x ← x·a + b, with a and b from a buffer, so that no compiler can compute the result in advance. */
function shader({ type, chains, builtin }: FmaForm, rounds: number): Shader {
  const names = Array.from({ length: chains }, (_, chain) => `x${chain}`);
  const step = (x: string): string => (builtin ? `${x} = fma(${x}, a, b);` : `${x} = ${x} * a + b;`);
  const body = Array.from({ length: UNROLLED }, () => names.map(step).join(' ')).join('\n');
  const code = `
@group(0) @binding(0) var<storage, read> factors: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = ${type}(factors[0]);
  let b = ${type}(factors[1]);
  ${names.map((x, chain) => `var ${x} = ${type}(f32(id.x + ${chain}u) * factors[2]);`).join('\n  ')}
  for (var round = 0; round < ${rounds}; round++) {
    ${body}
  }
  let sum = ${names.join(' + ')};
  results[id.x] = ${type === 'f32' ? 'sum' : 'dot(sum, vec4f(1.0))'};
}`;
  return {
    name: `fma ${nameOf({ type, chains, builtin })}, ${rounds} rounds`,
    code,
    overrides: {},
    uniforms: {},
    buffers: {
      factors: { binding: 0, access: 'read', type: 'array<f32>' },
      results: { binding: 1, access: 'read_write', type: 'array<f32>' },
    },
  };
}

/**
 * Dispatches the shader.
 * @param rounds number of rounds of the loop
 * @param factors (3)
 * @param results at least (256 · workgroups)
 */
export function fma(form: FmaForm, rounds: number, workgroups: number, factors: Tensor, results: Tensor): Dispatch {
  const lanes = form.type === 'f32' ? 1 : 4;
  const made = shader(form, rounds);
  return dispatch(made, {
    label: made.name,
    programs: [program(made, {}, [workgroups])],
    uniforms: {},
    buffers: { factors, results },
    flops: 2 * lanes * form.chains * UNROLLED * rounds * WORKGROUP * workgroups,
  });
}

/** Elements that `results` needs. */
export const resultsFor = (workgroups: number): number => WORKGROUP * workgroups;
