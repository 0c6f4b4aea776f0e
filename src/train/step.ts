import { biasActivationBackward } from '../kernels/bias-activation.js';
import { gatherRows, type LabelTensor, type RowSource } from '../kernels/gather-rows.js';
import type { Adjustment } from '../kernels/update.js';
import type { Model } from '../model/model.js';
import { recordChain } from '../nn/layers/chain.js';
import type { Purpose } from '../nn/layers/layer.js';
import type { Loss } from '../nn/losses/loss.js';
import type { Optimizer } from '../nn/optimizers/optimizer.js';
import { PlanBuilder, type Rewrite } from '../plan/builder.js';
import { PER_STEP } from '../plan/dispatch.js';
import { PARAMETER_BLOCK, partsOf } from '../plan/parameter-block.js';
import type { Tensor } from '../plan/tensor.js';
import type { Workspace } from '../plan/workspace.js';
import type { AccumulatorsByPurpose } from './accumulators.js';
import type { GradientRules } from './clip.js';
import type { AveragedParameters } from './ema.js';
import { taskOf } from './options.js';
import type { TargetScaling } from './targets.js';

/** Use of a plan: a purpose of layers, or `average`, the evaluation of the averaged parameters. */
export type StepUse = Purpose | 'average';

/** The purpose of layers in a plan. */
export const purposeOf = (use: StepUse): Purpose => (use === 'average' ? 'evaluate' : use);

/** Means over the batches of a step. */
interface BatchMeans {
  /** Records the end of a batch's plan, which takes the place of the update. */
  record(plan: PlanBuilder, gradients: Tensor, losses: Tensor, labels: LabelTensor): void;
}

/** The parts of a session that a step is recorded from. */
export interface StepParts {
  readonly model: Model;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Penalties and clipping, which change the gradients before the update, if the options have any. */
  readonly gradientRules: GradientRules | undefined;
  /** The averaged parameters, if the options have `ema`. */
  readonly average: AveragedParameters | undefined;
  /** The means over the batches of a step, if a step has several. */
  readonly accumulation: BatchMeans | undefined;
  /** Rows of a step. */
  readonly batch: number;
  /** Rewrites the dispatches of a step into fewer ones that compute the same. */
  readonly fuse: Rewrite;
  /** Memory that all plans of a session share. */
  readonly workspace: Workspace;
  /** For each block of 64 parameters, the number of its layer. */
  readonly layerOfBlock: Tensor<'u32'>;
  readonly accumulators: AccumulatorsByPurpose;
  /** Standardizes targets before steps read them, if the model does. */
  readonly targets: TargetScaling | undefined;
}

/** The result of recording a step. */
export interface RecordedStep {
  readonly builder: PlanBuilder;
  /** The gradients of all parameters in one flat tensor. Readable after a replay only if the purpose is `gradients`. */
  readonly gradients: Tensor;
  /** Each layer's output. */
  readonly outputs: readonly Tensor[];
}

/**
 * Records a step on batches from a source: gather, forward, loss, backward, update. A step of `evaluate` ends after the
 * loss, and a step of `gradients` keeps the gradients instead of updating the parameters.
 */
export function recordStep(parts: StepParts, source: RowSource, use: StepUse): RecordedStep {
  const { model, loss, batch, fuse, workspace, average, accumulation } = parts;
  const purpose = purposeOf(use);
  const accumulators = parts.accumulators[purpose];
  const builder = new PlanBuilder(purpose === 'gradients' ? undefined : fuse, workspace);
  const X = builder.tensor('X', [batch, model.spec.inputs]);
  const labels = labelsLike(builder, source.labels, batch);
  const gradients = builder.tensor('gradients', model.flatParameters.shape);

  builder.phase('forward');
  builder.add(gatherRows(source, X, labels, PER_STEP));
  // A last activation that is the link of the loss is computed by the loss: the sigmoid before binaryCrossEntropy.
  const folded = model.ownLink === loss.link;
  const parameters = use === 'average' ? average?.values : undefined;
  const network = recordChain(builder, X, model.placed(purpose, gradients, folded, parameters));
  const output = network?.output ?? X;
  const recorded = { builder, gradients, outputs: network?.outputs ?? [] };

  builder.phase('loss');
  const dOutput = builder.tensor('dlogits', [batch, model.outputs]);
  loss.record(builder, output, labels, { ...accumulators, gradient: dOutput });
  if (purpose !== 'gradients') {
    for (const [accumulator, sums] of accumulators.metrics) {
      accumulator.record(builder, output, labels, sums, taskOf(model, loss));
    }
  }
  if (purpose === 'evaluate') return recorded;

  builder.phase('backward');
  if (network?.activationGradient !== undefined) {
    builder.add(biasActivationBackward(dOutput, network.activationGradient.at, network.activationGradient.activation));
  }
  network?.backward(dOutput, undefined);

  builder.phase('update');
  if (purpose === 'gradients') builder.keep(gradients);
  else if (accumulation !== undefined) accumulation.record(builder, gradients, accumulators.losses, labels);
  else recordUpdate(parts, builder, gradients);
  return recorded;
}

/** Records the update of the parameters by the gradients of a step. */
export function recordUpdate(parts: StepParts, builder: PlanBuilder, gradients: Tensor): void {
  const { model, optimizer, layerOfBlock, gradientRules, average } = parts;
  builder.phase('update');
  if (model.trainableCount === 0) return;
  const { status } = parts.accumulators.step;
  const adjustment = gradientRules?.record(builder, gradients);
  const { flatParameters } = model;
  for (const { start, length } of partsOf(flatParameters.length, optimizer.stateRows ?? 1)) {
    const layers = layerOfBlock.view(start / PARAMETER_BLOCK, [length / PARAMETER_BLOCK]);
    optimizer.record(builder, {
      values: flatParameters.view(start, [length]),
      gradients: gradients.view(start, [length]),
      layerOfBlock: layers,
      owners: layers,
      status,
      adjustment: adjustment && adjustmentOf(adjustment, start, length),
    });
  }
  average?.record(builder);
}

/** The part of an adjustment for a part of the parameters. */
function adjustmentOf(adjustment: Adjustment, start: number, length: number): Adjustment {
  const { parameterMask: mask } = adjustment;
  return { ...adjustment, parameterMask: mask?.view(start / 16, [length / 32, 2]) };
}

/** Makes a tensor for the labels of a batch, of the same type and row length as the labels of the source. */
function labelsLike(builder: PlanBuilder, { dtype, shape: [, words = 1] }: LabelTensor, batch: number): LabelTensor {
  return dtype === 'u32' ? builder.tensor('labels', [batch, words], dtype) : builder.tensor('labels', [batch, words]);
}
