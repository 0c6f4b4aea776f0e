import type { Activation } from '../../src/kernels/activations.js';
import { LONGEST_SUM } from '../../src/kernels/matmul/variants.js';
import { activate } from './activations.js';
import { biasActivationBackward } from './bias-activation.js';
import { at, type Bounded, gamma, zeros } from './bounded.js';

/** Products of a run in a long sum, as in shaders/lib/matmul-operands.wgsl. */
const RUN = 256;

export interface MatmulOptions {
  /** A is stored (K, M). */
  readonly transposeA?: boolean | undefined;
  /** B is stored (N, K). */
  readonly transposeB?: boolean | undefined;
  /** op(A) has one more row, all ones: the last row of C is the column sums of op(B). */
  readonly onesRow?: boolean | undefined;
  /** (1, N), added to every row. */
  readonly bias?: Bounded | undefined;
  /** f: applied to the sum, or, with `kept`, the one whose derivative multiplies it. */
  readonly activation?: Activation | undefined;
  /** (M, N), where f′ is taken: f's output or its pre-activation, as its row in the table says. */
  readonly kept?: Bounded | undefined;
}

/**
 * C = f(op(A)·op(B) + bias), or (op(A)·op(B) + bias) ⊙ f′(kept), in float64 with the float32 bound. The pre-activation that
 * the shader's KEEP stores is this function's result without `activation`.
 *
 * |error| ≤ γ·(Σ|aᵢbᵢ| + |bias|) + (2K + 1)·2⁻¹²⁶, γ for K + 1 roundings (K + 2 with bias), whatever the order of the sum and
 * however fma is made; for a long K γ for the roundings of a run, of the sum of the runs, and of a GPU's slices; plus what the operands' own bounds bring: Σ|a|δb + |b|δa + δaδb.
 */
export function matmul(A: Bounded, B: Bounded, options: MatmulOptions = {}): Bounded {
  const { transposeA = false, transposeB = false, onesRow = false, bias, activation = 'linear', kept } = options;
  const [storedRows, K] = transposeA ? [A.shape[1], A.shape[0]] : A.shape;
  const [rowsOfB, N] = transposeB ? [B.shape[1], B.shape[0]] : B.shape;
  const M = storedRows + (onesRow ? 1 : 0);
  if (K !== rowsOfB) throw new RangeError(`matmul: op(A) has ${K} columns but op(B) has ${rowsOfB} rows.`);
  if (bias !== undefined && bias.values.length !== N) {
    throw new RangeError(`matmul: ${bias.values.length} biases for ${N} columns.`);
  }
  const roundings = K > LONGEST_SUM ? RUN + Math.ceil(K / RUN) + 8 : K + 1;
  const relative = gamma(bias === undefined ? roundings : roundings + 1);
  const C = zeros([M, N]);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let sum = bias === undefined ? 0 : at(bias.values, n);
      let inherited = bias === undefined ? 0 : at(bias.bound, n);
      let magnitude = Math.abs(sum) + inherited;
      for (let k = 0; k < K; k++) {
        const i = transposeA ? k * storedRows + m : m * K + k;
        const j = transposeB ? n * K + k : k * N + n;
        const a = m < storedRows ? at(A.values, i) : 1;
        const aBound = m < storedRows ? at(A.bound, i) : 0;
        const b = at(B.values, j);
        const bBound = at(B.bound, j);
        sum += a * b;
        const error = Math.abs(a) * bBound + Math.abs(b) * aBound + aBound * bBound;
        inherited += error;
        magnitude += Math.abs(a * b) + error;
      }
      C.values[m * N + n] = sum;
      C.bound[m * N + n] = inherited + relative * magnitude + (2 * K + 1) * 2 ** -126;
    }
  }
  return kept === undefined ? activate(C, activation) : biasActivationBackward(C, kept, activation);
}
