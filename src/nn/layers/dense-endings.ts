import type { ResolvedActivation } from '../../kernels/activations.js';
import { columnSum } from '../../kernels/column-sum.js';
import { learnedActivation, learnedActivationBackward } from '../../kernels/learned-activation.js';
import { maxout, maxoutBackward } from '../../kernels/maxout.js';
import type { PlanBuilder } from '../../plan/builder.js';
import type { Tensor } from '../../plan/tensor.js';

/** What a dense layer does after its product, where the product's epilogue cannot. Loaded by models that have such a layer. */
interface Ending {
  readonly output: Tensor;
  /** @returns ∂loss/∂Z */
  backward(dY: Tensor): Tensor;
}

/**
 * Y = g(Z, p) with a learned p.
 * @param start p's place in the block of the layer's parameters, `values`, and in that of their gradients
 */
export function recordLearned(
  plan: PlanBuilder,
  Z: Tensor,
  { name, learned }: ResolvedActivation,
  values: Tensor,
  gradients: Tensor | undefined,
  start: number,
): Ending {
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
export function recordMaxout(plan: PlanBuilder, Z: Tensor, pieces: number): Ending {
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
