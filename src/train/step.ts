import { biasActivationBackward } from '../kernels/bias-activation.js';
import { gatherRows, type LabelTensor, type RowSource } from '../kernels/gather-rows.js';
import type { LossOutputs } from '../kernels/softmax-cross-entropy.js';
import type { Penalties } from '../kernels/update.js';
import type { Model } from '../model/model.js';
import { recordChain } from '../nn/layers/chain.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { Tally, Task } from '../nn/metrics/metric.js';
import type { Optimizer } from '../nn/optimizers/optimizer.js';
import { PlanBuilder, type Rewrite } from '../plan/builder.js';
import { PER_STEP } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';
import type { Workspace } from '../plan/workspace.js';
import type { Adjusting, Clip } from './clip.js';

/** Sums and first failure, as a loss keeps them from step to step. */
export type Results = Required<Omit<LossOutputs, 'gradient'>> & {
  readonly tallies: ReadonlyMap<Tally, Tensor | Tensor<'u32'>>;
};

/** What is trained, and by which rules. */
export interface Training {
  readonly model: Model;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** What is done to gradients before the optimizer takes them, if anything. */
  readonly adjusting: Adjusting | undefined;
  readonly clip: Clip | undefined;
  readonly penalties: Penalties | undefined;
  /** Rows of a step. */
  readonly batch: number;
  /** Finds fewer dispatches for a step. */
  readonly fuse: Rewrite;
  /** What training steps share, whatever their data come from. */
  readonly workspace: Workspace;
  /** For each block of 64 parameters, the number of its layer. */
  readonly owners: Tensor<'u32'>;
  /** Of training, and of everything that only looks: evaluation, and `gradients`. */
  readonly results: { readonly training: Results; readonly evaluation: Results };
}

/**
 * Records what is done with batches from a source, from the gather on.
 * @returns the gradients of all parameters in one flat tensor, kept if that is the purpose, and each layer's output
 */
export function recordTraining(
  training: Training,
  source: RowSource,
  purpose: Purpose,
): { readonly builder: PlanBuilder; readonly gradients: Tensor; readonly outputs: readonly Tensor[] } {
  const { model, loss, optimizer, batch, fuse, workspace, owners, results } = training;
  const builder = new PlanBuilder(purpose === 'gradients' ? undefined : fuse, workspace);
  const X = builder.tensor('X', [batch, model.spec.inputs]);
  const labels = labelsLike(builder, source.labels, batch);
  const gradients = builder.tensor('gradients', model.values.shape);
  builder.phase('forward');
  builder.add(gatherRows(source, X, labels, PER_STEP));
  const folded = model.ownLink === loss.link;
  const network = recordChain(builder, X, model.placed(purpose, gradients, folded));
  const outputs = network?.outputs ?? [];
  const last = network?.output ?? X;
  builder.phase('loss');
  const gradient = builder.tensor('dlogits', [batch, model.outputs]);
  const sums = purpose === 'step' ? results.training : results.evaluation;
  loss.record(builder, last, labels, { ...sums, gradient });
  if (purpose !== 'gradients') {
    for (const [tally, counts] of sums.tallies) tally.record(builder, last, labels, counts, taskOf(model, loss));
  }
  if (purpose === 'evaluate') return { builder, gradients, outputs };
  builder.phase('backward');
  if (network?.gate !== undefined) {
    builder.add(biasActivationBackward(gradient, network.gate.at, network.gate.activation));
  }
  network?.backward(gradient, undefined);
  builder.phase('update');
  if (purpose === 'gradients') builder.keep(gradients);
  else if (model.parameterCount > 0) {
    const adjustment = training.adjusting?.record(builder, gradients);
    optimizer.record(builder, { values: model.values, gradients, owners, status: sums.status, adjustment });
  }
  return { builder, gradients, outputs };
}

/** What metrics measure. */
export function taskOf({ outputs }: Model, { link }: Loss): Task {
  return { outputs, link };
}

/** Labels of a batch, like those of a source. */
function labelsLike(builder: PlanBuilder, { dtype, shape: [, words = 1] }: LabelTensor, batch: number): LabelTensor {
  return dtype === 'u32' ? builder.tensor('labels', [batch, words], dtype) : builder.tensor('labels', [batch, words]);
}
