import { activationFormulas } from '../../shaders/activations.js';
import { activationErrors, SLACK } from './activations.js';
import { at, type Bounded, elementwise, sameShape, TINY, U } from './bounded.js';
import { columnSum } from './column-sum.js';

/** The activations whose parameter can be learned. */
export type LearnedName = 'prelu' | 'swish';

/** A number, and the bound on the GPU's deviation from it. */
type Inexact = readonly [value: number, bound: number];

/**
 * A function of z and p: its value, the error of the shader's form for exact arguments, and the effect of the
 * arguments' errors.
 */
interface Term {
  value(z: number, p: number): number;
  error(z: number, p: number): number;
  /** Error bound when z and p are within their bounds. */
  change(z: Inexact, p: Inexact): number;
}

interface Terms {
  readonly g: Term;
  readonly byZ: Term;
  readonly byP: Term;
}

/**
 * The largest deviation from f(z, p) at the ends of both intervals, and at z = 0 if 0 is inside. It is the bound of
 * functions that are linear in each argument on either side of z = 0.
 */
const atCorners =
  (f: (z: number, p: number) => number) =>
  ([z, dz]: Inexact, [p, dp]: Inexact): number => {
    const here = f(z, p);
    const places = [z - dz, z + dz, ...(Math.abs(z) <= dz ? [0, Number.MIN_VALUE] : [])];
    return Math.max(...places.flatMap((x) => [p - dp, p + dp].map((a) => Math.abs(f(x, a) - here))));
  };

const logistic = (x: number): number => activationFormulas.sigmoid.cpu[0](x, 0);
/** sup |σ″|. */
const CURVATURE = 0.0963;

/** sup σ′ within x ± dx: its value at the point next to 0. */
const steepest = (x: number, dx: number): number => {
  const nearest = Math.max(0, Math.abs(x) - dx);
  return logistic(nearest) * logistic(-nearest);
};

/** Error bound of z·p. */
const productChange = ([z, dz]: Inexact, [p, dp]: Inexact): number => Math.abs(p) * dz + Math.abs(z) * dp + dz * dp;

const { prelu, swish } = activationFormulas;
const byParameter = (name: LearnedName, z: number, p: number): number =>
  activationFormulas[name].byParameter?.(z, p) ?? Number.NaN;

const terms: Readonly<Record<LearnedName, Terms>> = {
  // p comes as it is: only the product is rounded.
  prelu: {
    g: {
      value: prelu.cpu[0],
      error: (z, p) => (z > 0 ? 0 : U * Math.abs(p * z) + TINY),
      change: atCorners(prelu.cpu[0]),
    },
    byZ: { value: prelu.cpu[1], error: () => 0, change: atCorners(prelu.cpu[1]) },
    byP: { value: (z, p) => byParameter('prelu', z, p), error: () => 0, change: ([, dz]) => dz },
  },
  // The errors are those of swish with a rounded β, which is one rounding more than there is here.
  swish: {
    // |∂g/∂z| ≤ 1.1 whatever p is, and ∂g/∂p = z²·σ′(pz).
    g: {
      value: swish.cpu[0],
      error: activationErrors.swish.value,
      change: ([z, dz], [p, dp]) => 1.1 * dz + z * z * steepest(p * z, Math.abs(z) * dp) * dp,
    },
    // A function of pz alone, whose slope is ½ at most.
    byZ: { value: swish.cpu[1], error: activationErrors.swish.derivative, change: (z, p) => 0.5 * productChange(z, p) },
    // (z·σ(x))·(z·σ(−x)), x = pz off by one rounding: the two σ by 3.5 each and 3 + 3|x| together, three products.
    byP: {
      value: (z, p) => byParameter('swish', z, p),
      error: (z, p) => byParameter('swish', z, p) * (13 + 3 * Math.abs(p * z)) * U + TINY * (1 + z * z),
      change: (z, p) => {
        const reach = Math.abs(z[0]) + z[1];
        const dx = productChange(z, p);
        return 2 * reach * steepest(z[0] * p[0], dx) * z[1] + reach * reach * Math.min(CURVATURE * dx, 0.25);
      },
    },
  },
};

/** Y = g(Z, p), with Z (rows, columns) and p (1, columns) or (1, 1); in float64, with the float32 bound. */
export function learnedActivation(Z: Bounded, p: Bounded, name: LearnedName): Bounded {
  return evaluate(terms[name].g, Z, p);
}

/** dZ = dY ⊙ ∂g/∂z, and dp = the column sums of dY ⊙ ∂g/∂p, summed up once more if p is (1, 1). */
export function learnedActivationBackward(
  dY: Bounded,
  Z: Bounded,
  p: Bounded,
  name: LearnedName,
): { readonly dZ: Bounded; readonly dp: Bounded } {
  sameShape('learned-activation', dY, Z);
  const byUnit = columnSum(product(dY, evaluate(terms[name].byP, Z, p)));
  const { values, bound } = byUnit;
  const together = p.values.length === 1 ? columnSum({ shape: [values.length, 1], values, bound }) : byUnit;
  return { dZ: product(dY, evaluate(terms[name].byZ, Z, p)), dp: together };
}

function evaluate({ value, error, change }: Term, Z: Bounded, p: Bounded): Bounded {
  const columns = Z.shape[1];
  return elementwise(Z.shape, (i) => {
    const own = p.values.length === 1 ? 0 : i % columns;
    const z = [at(Z.values, i), at(Z.bound, i)] as const;
    const parameter = [at(p.values, own), at(p.bound, own)] as const;
    const moved = z[1] === 0 && parameter[1] === 0 ? 0 : change(z, parameter);
    return [value(z[0], parameter[0]), SLACK * error(z[0], parameter[0]) + moved];
  });
}

function product(A: Bounded, B: Bounded): Bounded {
  return elementwise(A.shape, (i) => {
    const [a, b] = [at(A.values, i), at(B.values, i)];
    const [da, db] = [at(A.bound, i), at(B.bound, i)];
    const error = Math.abs(a) * db + Math.abs(b) * da + da * db;
    return [a * b, error + U * (Math.abs(a * b) + error) + TINY];
  });
}
