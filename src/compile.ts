import { PER_STEP } from './gpu/dispatch.js';
import { PlanBuilder } from './gpu/plan.js';
import type { Tensor } from './gpu/tensor.js';
import { biasActivationBackward } from './kernels/bias-activation.js';
import { gatherRows, type RowSource } from './kernels/gather-rows.js';
import { softmax } from './kernels/softmax.js';
import type { LossOutputs } from './kernels/softmax-cross-entropy.js';
import type { RecordedLayer } from './layers/layer.js';
import type { Loss } from './losses/loss.js';
import type { Model } from './model.js';
import type { Optimizer, ParameterSet } from './optimizers/optimizer.js';

/** Records every layer's forward half. */
function recordForward(plan: PlanBuilder, model: Model, X: Tensor, gradients?: Tensor): RecordedLayer[] {
  const recorded: RecordedLayer[] = [];
  let input = X;
  for (const [number, { layer }] of model.layers.entries()) {
    const result = layer.record(plan, input, model.block(number, gradients), gradients !== undefined);
    recorded.push(result);
    input = result.output;
  }
  return recorded;
}

/** What a feed needs of the training step that it feeds. */
export interface FeedTarget {
  readonly X: Tensor;
  readonly outputs: Tensor;
  readonly training: LossOutputs;
  readonly evaluation: LossOutputs;
}

/** A training step, apart from what depends on the data set: phases `forward`, `backward` and `update`. */
export interface TrainingStep {
  readonly builder: PlanBuilder;
  readonly parameters: ParameterSet;
  readonly target: FeedTarget;
}

/** Records forward pass, back-propagation and update of a batch. */
export function recordTraining(model: Model, optimizer: Optimizer, batch: number): TrainingStep {
  const builder = new PlanBuilder();
  const X = builder.state('X', [batch, model.spec.inputs]);
  const gradient = builder.state('dlogits', [batch, model.outputs]);
  const parameters: ParameterSet = {
    values: model.values,
    gradients: builder.state('gradients', model.values.shape),
    owners: builder.state('owners', [model.values.length / 64], 'u32'),
    status: builder.state('status', [1 + model.layers.length], 'u32'),
  };
  builder.phase('forward');
  const recorded = recordForward(builder, model, X, parameters.gradients);
  const last = recorded.at(-1);
  const outputs = last?.output ?? X;
  builder.keep(outputs);
  builder.phase('backward');
  if (last?.gate !== undefined) {
    builder.add(biasActivationBackward(gradient, last.gate.at, last.gate.activation));
  }
  let dZ = gradient;
  for (let number = recorded.length - 1; number >= 0; number--) {
    dZ = recorded[number]?.backward(dZ, recorded[number - 1]?.gate) ?? dZ;
  }
  builder.phase('update');
  optimizer.record(builder, parameters);
  const results = (status: Tensor<'u32'>): LossOutputs => ({
    losses: builder.state('losses', [batch, 1]),
    gradient,
    totals: builder.state('totals', [2, batch]),
    status,
  });
  const training = results(parameters.status);
  const evaluation = results(builder.state('status of evaluation', [1], 'u32'));
  return { builder, parameters, target: { X, outputs, training, evaluation } };
}

/**
 * Records what depends on the data set: phase `gather` puts a batch into X, phases `loss` and `evaluate` compare the
 * outputs with its labels. Both losses write the same gradient; their sums are apart.
 */
export function recordFeed(source: RowSource, loss: Loss, target: FeedTarget): PlanBuilder {
  const builder = new PlanBuilder();
  const labels = builder.state('labels', [target.X.shape[0] ?? 1, source.labels.shape[1] ?? 1], 'u32');
  builder.phase('gather');
  builder.add(gatherRows(source, target.X, labels, PER_STEP));
  builder.phase('loss');
  loss.record(builder, target.outputs, labels, target.training);
  builder.phase('evaluate');
  loss.record(builder, target.outputs, labels, target.evaluation);
  return builder;
}

/** What a prediction gives for each sample: every class' probability, the last layer's outputs, or the likeliest class. */
export type PredictionOutput = 'probabilities' | 'logits' | 'classes';

/** Records the prediction of a batch from a source: phase `main`. */
export function recordPrediction(
  model: Model,
  batch: number,
  output: PredictionOutput,
  source: RowSource,
): { readonly builder: PlanBuilder; readonly result: Tensor } {
  const builder = new PlanBuilder();
  const X = builder.tensor('X', [batch, model.spec.inputs]);
  const unusedLabels = builder.state('labels', [batch, 1], 'u32');
  builder.add(gatherRows(source, X, unusedLabels, PER_STEP));
  let result = recordForward(builder, model, X).at(-1)?.output ?? X;
  if (output !== 'logits') {
    const logits = result;
    result = builder.tensor('result', [batch, output === 'classes' ? 1 : model.outputs]);
    builder.add(softmax(logits, result, { classes: output === 'classes' }));
  }
  builder.keep(result);
  return { builder, result };
}
