import { assertOption } from '../../base/check.js';
import { DataError } from '../../base/errors.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { Owner } from '../../base/owner.js';
import { table } from '../../base/text-table.js';
import type { Dataset } from '../../data/dataset.js';
import { columnExtremes } from '../../kernels/extremes.js';
import { euclideanNorm, normSums } from '../../kernels/gradient-norm.js';
import { histogram } from '../../kernels/histogram.js';
import { rowSource } from '../../model/model.js';
import { everyLayer } from '../../model/placement.js';
import { verified } from '../../plan/device.js';
import { type Dispatch, PER_STEP } from '../../plan/dispatch.js';
import type { BufferCopy } from '../../plan/memory.js';
import { StepRecords } from '../../plan/step-records.js';
import { Tensor, upload } from '../../plan/tensor.js';
import { uploadParameterMask } from '../clip.js';
import type { Session } from '../session.js';
import { recordStep } from '../step.js';

/**
 * Options of `Trainer.diagnose`.
 * @example const diagnosis = await trainer.diagnose(test, { bins: 10, worst: 5 });
 */
export interface DiagnoseOptions {
  /** Number of bins in each histogram: a positive integer. Default: 32. Example: `bins: 40`. */
  readonly bins?: number | undefined;
  /** Number of samples to list, those with the largest losses: an integer ≥ 0. Default: 16. Example: `worst: 5`. */
  readonly worst?: number | undefined;
}

const NAMES: OptionNames<DiagnoseOptions> = { bins: 1, worst: 1 };

/** A histogram: the range from the smallest to the largest value is divided into bins of equal width. */
export interface Histogram {
  /** Smallest value. */
  readonly low: number;
  /** Largest value. */
  readonly high: number;
  /** Number of values in each bin, from low to high. If all values are equal, they are in the first bin. */
  readonly counts: readonly number[];
}

/** The diagnosis of a layer. */
export interface LayerDiagnosis {
  /** Index of the layer in the model, from 0. */
  readonly layer: number;
  /** Type of the layer, such as `"dense"`. */
  readonly type: string;
  /** Number of outputs of the layer. */
  readonly units: number;
  /**
   * Indices of the units whose output is the same for all samples. Such units pass on no information about a sample.
   */
  readonly deadUnits: readonly number[];
  /** Histogram of the layer's outputs over all samples. */
  readonly activations: Histogram;
  /** Histogram of ∂loss/∂parameter over all minibatches; undefined for a layer without parameters. */
  readonly gradients?: Histogram | undefined;
}

/** The diagnosis of a network on a data set. `toString()` gives a table. */
export interface Diagnosis {
  /** Mean loss of the samples, computed as in training. */
  readonly loss: number;
  /** Euclidean norm of ∂loss/∂parameters in a minibatch, without penalties and clipping. */
  readonly gradientNorm: {
    /** Mean over the minibatches. */
    readonly mean: number;
    /** Largest over the minibatches. */
    readonly largest: number;
  };
  /** The layers, in the order of the model. */
  readonly layers: readonly LayerDiagnosis[];
  /** The samples with the largest losses, the largest first. */
  readonly worst: readonly {
    /** Index of the sample in the arrays that the data set was made from. */
    readonly index: number;
    /** Loss of the sample. */
    readonly loss: number;
  }[];
}

/** The largest float32. */
const LARGEST_FLOAT32 = 3.4028234663852886e38;
/** Records of a submit. */
const ONE_STEP = 1;

/**
 * Computes the diagnosis in two sweeps over the data set, in its order: the first gives losses and ranges, the second
 * the histograms. Losses and gradients are those of training; nothing is updated.
 */
export async function diagnose(session: Session, dataset: Dataset, options: DiagnoseOptions): Promise<Diagnosis> {
  const { bins = 32, worst = 16 } = checkOptions('diagnose', options, NAMES);
  assertOption('diagnose:', { bins }, 'a positive integer');
  assertOption('diagnose:', { worst }, 'an integer >= 0');
  const { device, layers } = session.model;
  const owner = new Owner();
  try {
    const found: { readonly subject: Subject; readonly extremes: readonly Tensor[] }[] = [];
    const { losses, norms } = await sweep(session, dataset, (subject) => {
      const extremes = subject.values.map(({ shape: [, columns = 1] }) => {
        const start = Float32Array.from({ length: 2 * columns }, (_, i) =>
          i < columns ? LARGEST_FLOAT32 : -LARGEST_FLOAT32,
        );
        return owner.own(upload<'f32'>(device, start, [2, columns], 'extremes'));
      });
      found.push({ subject, extremes });
      return extremes.map((tensor, i) => columnExtremes(subject.values[i] ?? tensor, tensor, subject.step));
    });
    const ranges = await Promise.all(
      found.map(async ({ extremes }) => await Promise.all(extremes.map(async (tensor) => await tensor.read()))),
    );
    const counts: Tensor<'u32'>[] = [];
    await sweep(session, dataset, ({ values, step }) => {
      const tensor = owner.own(Tensor.empty(device, [bins], 'counts', 'u32'));
      const [low, high] = rangeOf(ranges[counts.push(tensor) - 1]);
      // If all values are equal, the range is widened, and the values are in the first bin.
      const range = [low, high > low ? high : low + Math.max(1, Math.abs(low))] as const;
      return values.map((each) => histogram(each, tensor, range, step));
    });
    const histograms = await Promise.all(
      counts.map(async (tensor, number): Promise<Histogram> => {
        const [low, high] = rangeOf(ranges[number]);
        return { low, high, counts: [...(await tensor.read())] };
      }),
    );
    const of = (kind: Subject['kind'], layer: number): number =>
      found.findIndex(({ subject }) => subject.kind === kind && subject.layer === layer);
    const total = losses.reduce((sum, loss) => sum + loss, 0);
    const diagnosis: Diagnosis = {
      loss: total / losses.length,
      gradientNorm: {
        mean: norms.reduce((sum, norm) => sum + norm, 0) / norms.length,
        largest: norms.reduce((most, norm) => (norm > most || Number.isNaN(norm) ? norm : most), 0),
      },
      layers: layers.map(({ layer: { spec } }, layer) => {
        const outputs = of('activations', layer);
        const gradients = histograms[of('gradients', layer)];
        const [extremes = new Float32Array(0)] = ranges[outputs] ?? [];
        const units = extremes.length / 2;
        return {
          layer,
          type: spec.type,
          units,
          deadUnits: Array.from({ length: units }, (_, unit) => unit).filter(
            (unit) => extremes[unit] === extremes[units + unit],
          ),
          activations: histograms[outputs] ?? { low: 0, high: 0, counts: [] },
          ...(gradients && { gradients }),
        };
      }),
      worst: [...losses.keys()]
        .sort((a, b) => (losses[b] ?? 0) - (losses[a] ?? 0))
        .slice(0, worst)
        .map((index) => ({ index: dataset.rows[index] ?? index, loss: losses[index] ?? 0 })),
    };
    return Object.assign(diagnosis, { toString: () => printed(diagnosis) });
  } finally {
    owner.dispose();
  }
}

/** A subject of the diagnosis: the outputs of a layer, or the gradients of the layer and of layers inside it. */
interface Subject {
  readonly layer: number;
  readonly kind: 'activations' | 'gradients';
  /** Each (rows, columns). */
  readonly values: readonly Tensor[];
  /** Given for outputs, where a partial batch has surplus rows: the step tells the number of valid rows. */
  readonly step?: typeof PER_STEP;
}

/** Computes loss and gradients of each batch. @param look returns the dispatches that follow for a subject */
async function sweep(
  session: Session,
  dataset: Dataset,
  look: (subject: Subject) => readonly Dispatch[],
): Promise<{ readonly losses: Float32Array; readonly norms: readonly number[] }> {
  const { model, batch, accumulators } = session;
  const { device } = model;
  const { resident, rows: own } = dataset;
  if (resident === undefined) {
    throw new DataError('diagnose: the data set is streamed. Pass one that fits on the GPU, such as a part of it.');
  }
  await dataset.ready();
  session.check();
  const steps = Math.ceil(dataset.length / batch);
  const owner = new Owner();
  /** Allocates and records the plan of a batch. A submit runs one batch. */
  const record = () => {
    const source = rowSource(model, resident.inputs, resident.labels, own);
    owner.own(source.order);
    const losses = owner.own(Tensor.empty(device, [dataset.length], 'losses'));
    const norms = owner.own(Tensor.empty(device, [steps, 2], 'norms'));
    const parameterMask = owner.own(uploadParameterMask(model));
    const records = owner.own(new StepRecords(device, ONE_STEP));
    const { builder, gradients, outputs } = recordStep(session, source, 'gradients');
    builder.phase('diagnose');
    for (const [layer, placed] of model.layers.entries()) {
      const output = outputs[layer];
      const learned = everyLayer([placed]).filter(({ ranges }) => ranges.parameters.length > 0);
      const subjects: Subject[] = [
        { layer, kind: 'activations', values: output === undefined ? [] : [output], step: PER_STEP },
        {
          layer,
          kind: 'gradients',
          values: learned.map(
            ({
              ranges: {
                parameters: { start, length },
              },
            }) => gradients.view(start, [1, length]),
          ),
        },
      ];
      for (const subject of subjects) {
        if (subject.values.length > 0) for (const dispatch of look(subject)) builder.add(dispatch);
      }
    }
    const sums = builder.tensor('sums of squares', [2, normSums(gradients.length), 2]);
    const norm = builder.tensor('norm', [2]);
    for (const dispatch of euclideanNorm(gradients, sums, norm, { parameterMask })) builder.add(dispatch);
    builder.keep(norm);
    return { losses, norms, records, builder, norm };
  };
  try {
    const compiled = await session.inTurn(() =>
      verified(device.guard('diagnose', record), async (recorded) => {
        const plan = owner.own(await recorded.builder.compile(device, 'diagnose', recorded.records));
        return { ...recorded, plan };
      }),
    );
    const { plan, losses, norms, norm } = compiled;
    session.check();
    for (let number = 0; number < steps; number++) {
      const first = number * batch;
      const rows = Math.min(batch, dataset.length - first);
      const found = accumulators.gradients.losses;
      const copies = [copyOf(found, 0, losses, first, rows), copyOf(norm, 0, norms, 2 * number, 2)];
      plan.run('diagnose', [{ first, rows, index: number, learning_rate: 0 }], copies);
    }
    const [ofSamples, ofSteps] = await Promise.all([losses.read(), norms.read()]);
    // Two factors in float64: the norm of finite gradients may exceed float32.
    const normOf = (step: number): number => (ofSteps[2 * step] ?? 0) * (ofSteps[2 * step + 1] ?? 0);
    return { losses: ofSamples, norms: Array.from({ length: steps }, (_, step) => normOf(step)) };
  } finally {
    owner.dispose();
  }
}

/** A copy of float32 elements between tensors. */
const copyOf = (from: Tensor, start: number, to: Tensor, toStart: number, count: number): BufferCopy => ({
  from: from.buffer,
  fromOffset: from.byteOffset + 4 * start,
  to: to.buffer,
  toOffset: to.byteOffset + 4 * toStart,
  byteLength: 4 * count,
});

/**
 * The smallest and the largest value of all columns.
 * @param extremes each (2, columns): the smallest values, then the largest
 */
function rangeOf(extremes: readonly Float32Array[] = []): readonly [number, number] {
  let [low, high] = [LARGEST_FLOAT32, -LARGEST_FLOAT32];
  for (const each of extremes) {
    const half = each.length / 2;
    for (const value of each.subarray(0, half)) low = Math.min(low, value);
    for (const value of each.subarray(half)) high = Math.max(high, value);
  }
  return [low, high];
}

/** The table of a diagnosis. */
function printed({ loss, gradientNorm, layers, worst }: Diagnosis): string {
  const range = ({ low, high }: Histogram): string => `${low.toPrecision(3)} to ${high.toPrecision(3)}`;
  const rows = layers.map(({ layer, type, units, deadUnits, activations, gradients }) => [
    `${layer}`,
    type,
    `${deadUnits.length} of ${units}`,
    range(activations),
    gradients === undefined ? '' : range(gradients),
  ]);
  return [
    table(['layer', 'type', 'dead units', 'activations', 'gradients'], rows),
    `loss ${loss.toPrecision(4)}; gradient norm ${gradientNorm.mean.toPrecision(3)}, at most ${gradientNorm.largest.toPrecision(3)}`,
    `worst samples: ${worst.map(({ index, loss: own }) => `${index} (${own.toPrecision(3)})`).join(', ')}`,
  ].join('\n');
}
