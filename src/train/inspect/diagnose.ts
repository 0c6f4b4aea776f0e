import { assertOption } from '../../base/check.js';
import { DataError } from '../../base/errors.js';
import { Owner } from '../../base/owner.js';
import { table } from '../../base/text-table.js';
import type { Dataset } from '../../data/dataset.js';
import { columnExtremes } from '../../kernels/extremes.js';
import { histogram } from '../../kernels/histogram.js';
import { rowSource } from '../../model/model.js';
import { everyLayer } from '../../model/placement.js';
import { verified } from '../../plan/device.js';
import { type Dispatch, PER_STEP } from '../../plan/dispatch.js';
import type { BufferCopy } from '../../plan/memory.js';
import { StepRecords } from '../../plan/step-records.js';
import { Tensor, upload } from '../../plan/tensor.js';
import { recordScale, uploadParameterMask } from '../clip.js';
import type { Session } from '../session.js';
import { recordStep } from '../step.js';

export interface DiagnoseOptions {
  /** Bins of a histogram; 32 by default. */
  readonly bins?: number;
  /** How many of the samples with the largest losses are named; 16 by default. */
  readonly worst?: number;
}

/** How many values are in each of equal parts of the range from the smallest to the largest of them. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

export interface LayerDiagnosis {
  readonly layer: number;
  readonly type: string;
  readonly units: number;
  /** Units whose output is the same for every sample: no sample changes what they pass on, or their weights. */
  readonly deadUnits: readonly number[];
  /** Of the layer's outputs. */
  readonly activations: Histogram;
  /** Of ∂loss/∂parameter over all minibatches; none for a layer without parameters. */
  readonly gradients?: Histogram;
}

/** What a network makes of a data set, and what it would learn from it. `toString()` is a table. */
export interface Diagnosis {
  /** Mean over the samples. */
  readonly loss: number;
  /** ‖∂loss/∂parameters‖₂ of the minibatches. */
  readonly gradientNorm: { readonly mean: number; readonly largest: number };
  readonly layers: readonly LayerDiagnosis[];
  /** The samples that the network gets most wrong, by their place in the arrays that the data set was made of. */
  readonly worst: readonly { readonly index: number; readonly loss: number }[];
}

/** The largest float32. */
const HUGE = 3.4028234663852886e38;
const ONE_STEP = 1;
/** Gradients are as if clipped to a norm that all but nothing exceeds: the norm then follows from the scale. */
const LITTLE = 2 ** -60;

/**
 * Looks at every sample in the data set's order, as training would, and changes nothing: once for losses and ranges, once
 * for the histograms.
 */
export async function diagnose(
  session: Session,
  dataset: Dataset,
  { bins = 32, worst = 16 }: DiagnoseOptions,
): Promise<Diagnosis> {
  assertOption('diagnose:', { bins }, 'a positive integer');
  assertOption('diagnose:', { worst }, 'an integer ≥ 0');
  const { device, layers } = session.model;
  const owner = new Owner();
  try {
    const found: { readonly subject: Subject; readonly extremes: readonly Tensor[] }[] = [];
    const { losses, norms } = await sweep(session, dataset, (subject) => {
      const extremes = subject.values.map(({ shape: [, columns = 1] }) => {
        const start = Float32Array.from({ length: 2 * columns }, (_, i) => (i < columns ? HUGE : -HUGE));
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
      // All the values are the same: they are in the first bin of a range that has some width.
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
        largest: Math.max(...norms),
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

/** What is looked at: a layer's outputs, of which `step` says how many rows count, or its gradients, and of layers in it. */
interface Subject {
  readonly layer: number;
  readonly kind: 'activations' | 'gradients';
  /** Each (rows, columns). */
  readonly values: readonly Tensor[];
  readonly step?: typeof PER_STEP;
}

/** Computes loss and gradients of every batch, with a dispatch behind it for each subject. */
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
  /** Allocates and records, for one submit's records at a time. */
  const record = () => {
    const source = rowSource(model, resident.inputs, resident.labels, own);
    owner.own(source.order);
    const losses = owner.own(Tensor.empty(device, [dataset.length], 'losses'));
    const scales = owner.own(Tensor.empty(device, [steps, 2], 'scales'));
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
    const scale = recordScale(builder, model, gradients, LITTLE, { parameterMask });
    builder.keep(scale);
    return { losses, scales, records, builder, scale };
  };
  try {
    const compiled = await session.inTurn(() =>
      verified(device.guard('diagnose', record), async (recorded) => {
        const plan = owner.own(await recorded.builder.compile(device, 'diagnose', recorded.records));
        return { ...recorded, plan };
      }),
    );
    const { plan, losses, scales, scale } = compiled;
    session.check();
    for (let number = 0; number < steps; number++) {
      const first = number * batch;
      const rows = Math.min(batch, dataset.length - first);
      const found = accumulators.gradients.losses;
      const copies = [copyOf(found, 0, losses, first, rows), copyOf(scale, 0, scales, 2 * number, 2)];
      plan.run('diagnose', [{ first, rows, index: number, learning_rate: 0 }], copies);
    }
    const [ofSamples, ofSteps] = await Promise.all([losses.read(), scales.read()]);
    const norms = Array.from({ length: steps }, (_, step) => {
      const factor = (ofSteps[2 * step] ?? 1) * (ofSteps[2 * step + 1] ?? 1);
      return factor >= 1 ? 0 : LITTLE / factor;
    });
    return { losses: ofSamples, norms };
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

/** The smallest and the largest of all columns. @param extremes each (2, columns) */
function rangeOf(extremes: readonly Float32Array[] = []): readonly [number, number] {
  let [low, high] = [HUGE, -HUGE];
  for (const each of extremes) {
    const half = each.length / 2;
    for (const value of each.subarray(0, half)) low = Math.min(low, value);
    for (const value of each.subarray(half)) high = Math.max(high, value);
  }
  return [low, high];
}

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
