import { assertMethod, assertOption, checkBatchSize } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { loadFusions } from '../fusion/index.js';
import type { Penalties } from '../kernels/update.js';
import { layerOfBlock, type Model } from '../model/model.js';
import { everyLayer } from '../model/placement.js';
import type { Loss } from '../nn/losses/loss.js';
import type { AnyMetric } from '../nn/metrics/metric.js';
import type { Optimizer } from '../nn/optimizers/optimizer.js';
import { checkLink } from '../nn/output.js';
import { Tensor, type TensorStorage, upload } from '../plan/tensor.js';
import { Workspace } from '../plan/workspace.js';
import { tallyTensor } from './accumulators.js';
import type { Clip } from './clip.js';
import { type Results, type Training, taskOf } from './step.js';
import { STEP_CAPACITY } from './submit-pace.js';

export interface TrainerOptions<M extends AnyMetric = never> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Rows of a step. The last batch of an epoch may have fewer; it counts as it is. */
  readonly batchSize: number;
  readonly metrics?: readonly M[];
  /** Limits the gradients' norm, of all parameters together, or each gradient by itself; after the penalties. */
  readonly clip?: Clip;
  /** Adds l1·Σ|w| + l2·Σw² to what is learned, over weight matrices; reported losses and `gradients` are without it. */
  readonly penalties?: Penalties;
  /** Steps that go to the GPU at once; `auto` measures how long a step takes. */
  readonly stepsPerSubmit?: number | 'auto';
}

/**
 * Checks options and makes what training with them needs.
 * @throws {ShapeError|LimitError|MlpError} before anything is allocated
 */
export async function createTraining(model: Model, options: TrainerOptions<AnyMetric>): Promise<Training> {
  checkOptions(model, options);
  const { batchSize: batch, loss, optimizer, clip, penalties, metrics = [] } = options;
  const { device } = model;
  const owners = layerOfBlock(model);
  // Few trainers adjust gradients: what does is loaded where one does.
  const adjusts = clip !== undefined || penalties !== undefined;
  const [fuse, adjust] = await Promise.all([
    loadFusions(model.parameterCount, batch, device.info, true),
    adjusts ? import('./clip.js') : undefined,
  ]);
  const adjusting = adjust?.adjusting(model, clip, penalties);
  const tallies = new Set(metrics.flatMap(({ tally }) => tally ?? []));
  const task = taskOf(model, loss);
  const results = (): Results => ({
    losses: Tensor.empty(device, [batch, 1], 'losses'),
    totals: Tensor.empty(device, [loss.weighsClasses === true ? 3 : 2, batch], 'totals'),
    tallies: new Map([...tallies].map((tally) => [tally, tallyTensor(device, tally.shape(batch, task), tally)])),
    together: Tensor.empty(device, [3, batch], 'totals and losses'),
    status: Tensor.empty(device, [1 + model.layers.length], 'status', 'u32'),
  });
  return {
    model,
    loss,
    optimizer,
    adjusting,
    clip,
    penalties,
    batch,
    fuse,
    workspace: new Workspace(),
    owners: upload<'u32'>(device, owners, [owners.length], 'owners'),
    results: { training: results(), evaluation: results() },
  };
}

/** What the GPU keeps from step to step, by name. */
export function keptBy({ model: { values, states }, workspace }: Training): ReadonlyMap<string, TensorStorage> {
  return new Map([['parameters', values.storage], ['states', states.storage], ...workspace.states]);
}

/** Whether a model can be trained like that. @throws {ShapeError|LimitError|MlpError} also `bad-loss` and `bad-metric` */
function checkOptions(
  model: Model,
  { batchSize, loss, optimizer, metrics = [], stepsPerSubmit = 'auto' }: TrainerOptions<AnyMetric>,
): void {
  const { ownLink, layers, device } = model;
  assertMethod('trainer: loss', loss, 'record', 'softmaxCrossEntropy()');
  checkLink('trainer: the loss has', loss.link);
  assertMethod('trainer: optimizer', optimizer, 'record', 'sgd({ learningRate: 0.1 })');
  const { learningRate } = optimizer.spec;
  assertOption('trainer: the optimizer has', { learningRate }, 'a finite number ≥ 0');
  for (const metric of metrics) assertMethod('trainer: a metric', metric, 'unfit', 'accuracy()');
  checkBatchSize('trainer:', batchSize, device.info.limits);
  for (const { layer, name } of everyLayer(layers)) {
    if (layer.untrainable === undefined) continue;
    throw new MlpError('not-trainable', `trainer: layer ${name} (${layer.spec.type}) ${layer.untrainable}`);
  }
  if (stepsPerSubmit !== 'auto') {
    assertOption('trainer:', { stepsPerSubmit }, 'a positive integer');
    if (stepsPerSubmit > STEP_CAPACITY) {
      throw new MlpError('bad-option', `trainer: stepsPerSubmit = ${stepsPerSubmit}; it is ${STEP_CAPACITY} at most.`);
    }
  }
  // A sigmoid may be trained on values, such as 0 and 1; nothing but its own loss goes with a softmax.
  const isOdd = ownLink !== undefined && ownLink !== loss.link && (ownLink === 'softmax' || loss.link === 'softmax');
  if (isOdd) {
    const [activation, remedy] =
      ownLink === 'softmax' ? ['softmax', 'softmaxCrossEntropy()'] : ['sigmoid', 'binaryCrossEntropy()'];
    throw new MlpError(
      'bad-loss',
      `trainer: the last layer has activation "${activation}", but the loss is ${loss.spec.type}. Use ${remedy}, or a last layer without it.`,
    );
  }
  for (const metric of metrics) {
    const why = metric.unfit(taskOf(model, loss));
    if (why !== undefined) throw new MlpError('bad-metric', `trainer: ${metric.name} ${why}.`);
  }
}
