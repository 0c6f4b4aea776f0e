import type { ResolvedActivation } from '../../kernels/activations.js';
import { columnSum } from '../../kernels/column-sum.js';
import { learnedActivation, learnedActivationBackward } from '../../kernels/learned-activation.js';
import { maxout, maxoutBackward } from '../../kernels/maxout.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';
import { endAtMatmul } from './dense.js';
import type { DenseEnd, RecordDenseEnd } from './layer.js';

/** Records maxout, or a learned activation. Loaded by models that may have a layer with one. */
export const endDense: RecordDenseEnd = (plan, Z, end, values, gradients) => {
  if (end === undefined) return endAtMatmul(plan, Z, end, values, gradients);
  return 'pieces' in end
    ? recordMaxout(plan, Z, end.pieces)
    : recordLearned(plan, Z, end.activation, values, gradients, end.start);
};

/** Y = g(Z, p) with a learned p. */
function recordLearned(
  plan: PlanBuilder,
  Z: Tensor,
  { name, learned }: ResolvedActivation,
  values: Tensor,
  gradients: Tensor | undefined,
  start: number,
): DenseEnd {
  const [, units = 1] = Z.shape;
  const kind = name === 'prelu' ? 'prelu' : 'swish';
  const shape = [learned?.per === 'unit' ? units : 1];
  const p = values.view(start, shape, learned?.name);
  const output = plan.tensor('Y', Z.shape);
  plan.add(learnedActivation(Z, p, output, kind));
  return {
    output,
    backward(dY) {
      const dZ = plan.tensor('dZ', Z.shape);
      const dp = gradients?.view(start, shape, `d${learned?.name}`);
      // What the units have in common gets the sum of their gradients.
      const byUnit = dp?.length === units ? dp : plan.tensor('dp', [units, 1]);
      plan.add(learnedActivationBackward(dY, Z, p, { dZ, dp: byUnit }, kind));
      if (dp !== undefined && dp !== byUnit) plan.add(columnSum(byUnit, dp));
      return dZ;
    },
  };
}

/** Y = the largest of each unit's pieces. */
function recordMaxout(plan: PlanBuilder, Z: Tensor, pieces: number): DenseEnd {
  const [batch = 1, columns = 1] = Z.shape;
  const output = plan.tensor('Y', [batch, columns / pieces]);
  plan.add(maxout(Z, output));
  return {
    output,
    backward(dY) {
      const dZ = plan.tensor('dZ', Z.shape);
      plan.add(maxoutBackward(dY, Z, dZ));
      return dZ;
    },
  };
}
